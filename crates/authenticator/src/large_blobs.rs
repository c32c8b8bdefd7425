//! authenticatorLargeBlobs (CTAP 2.3, section 6.10).

use alloc::vec::Vec;

use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::large_blobs::{Request, Response as Part};
use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::credential::sha256;
use crate::pin_protocol::Protocol;
use crate::platform::{Change, Clock, Environment, RecordKey, Storage};
use crate::settings::LargeBlobs;
use crate::step::{BlobWrite, Step};

/// Room in a message for everything but the part (CTAP 2.3, section 6.10.2: maxFragmentLength).
const OVERHEAD_BYTES: usize = 64;
/// An array and the half hash behind it have at least this many bytes.
const MIN_BYTES: usize = 17;
/// An empty array and its half hash.
const EMPTY: [u8; MIN_BYTES] = [
    0x80, 0x76, 0xbe, 0x8b, 0x52, 0x8d, 0x00, 0x75, 0xf7, 0xaa, 0xe9, 0x8d, 0x6f, 0xa5, 0x7a, 0x6d,
    0x3c,
];

impl<E: Environment> Authenticator<E> {
    /// Reads a part (`Some`) or writes one (`None`).
    pub(crate) fn large_blobs(
        &mut self,
        request: &Request<'_>,
        step: Option<Step>,
    ) -> Result<Option<Part>, Status> {
        let LargeBlobs::Array { max_length } = self.settings.large_blobs else {
            return Err(Status::InvalidCommand);
        };
        let offset = request.offset.ok_or(Status::InvalidParameter)?;
        let offset = usize::try_from(offset).map_err(|_| Status::InvalidParameter)?;
        match (request.get, request.set) {
            (Some(count), None) => {
                let alone = request.length.is_none()
                    && request.pin_uv_auth_param.is_none()
                    && request.pin_uv_auth_protocol.is_none();
                if !alone {
                    return Err(Status::InvalidParameter);
                }
                self.read_blobs(offset, count).map(Some)
            }
            (None, Some(part)) => {
                let earlier = match step {
                    Some(Step::LargeBlobs(write)) => Some(write),
                    _ => None,
                };
                self.write_blobs(request, part, offset, max_length, earlier)
                    .map(|()| None)
            }
            _ => Err(Status::InvalidParameter),
        }
    }

    /// The longest part that one command reads or writes.
    const fn max_fragment(&self) -> usize {
        self.settings.max_message.saturating_sub(OVERHEAD_BYTES)
    }

    fn read_blobs(&self, offset: usize, count: u64) -> Result<Part, Status> {
        let count = usize::try_from(count)
            .ok()
            .filter(|count| *count <= self.max_fragment())
            .ok_or(Status::InvalidLength)?;
        let record = self.platform.storage.read(RecordKey::LARGE_BLOBS)?;
        let array = record.as_ref().map_or(&EMPTY[..], |record| &record[..]);
        let rest = array.get(offset..).ok_or(Status::InvalidParameter)?;
        Ok(Part {
            config: rest[..count.min(rest.len())].to_vec(),
        })
    }

    fn write_blobs(
        &mut self,
        request: &Request<'_>,
        part: &[u8],
        offset: usize,
        max_length: usize,
        earlier: Option<BlobWrite>,
    ) -> Result<(), Status> {
        if part.len() > self.max_fragment() {
            return Err(Status::InvalidLength);
        }
        let mut write = match (offset, request.length) {
            (0, None) => return Err(Status::InvalidParameter),
            (0, Some(length)) => {
                let length = usize::try_from(length).map_err(|_| Status::LargeBlobStorageFull)?;
                if length > max_length {
                    return Err(Status::LargeBlobStorageFull);
                }
                if length < MIN_BYTES {
                    return Err(Status::InvalidParameter);
                }
                BlobWrite {
                    written: Vec::new(),
                    length,
                }
            }
            (_, Some(_)) => return Err(Status::InvalidParameter),
            (_, None) => earlier
                .filter(|write| write.written.len() == offset)
                .ok_or(Status::InvalidSequence)?,
        };
        if self.is_protected() || self.policy.always_uv {
            self.may_write_blobs(request, part, offset)?;
        }
        if write.written.len() + part.len() > write.length {
            return Err(Status::InvalidParameter);
        }
        write.written.extend_from_slice(part);
        if write.written.len() < write.length {
            self.sequences.leave(Step::LargeBlobs(write));
            return Ok(());
        }
        let (array, half_hash) = write.written.split_at(write.length - 16);
        if sha256(array)[..16] != *half_hash {
            return Err(Status::IntegrityFailure);
        }
        let change = Change::Put(RecordKey::LARGE_BLOBS, &write.written);
        Ok(self.platform.storage.commit(&[change])?)
    }

    fn may_write_blobs(
        &mut self,
        request: &Request<'_>,
        part: &[u8],
        offset: usize,
    ) -> Result<(), Status> {
        let param = request.pin_uv_auth_param.ok_or(Status::PuatRequired)?;
        let protocol = Protocol::from_id(request.pin_uv_auth_protocol)?;
        let offset = u32::try_from(offset).map_err(|_| Status::InvalidParameter)?;
        let message = [
            &[0xff; 32][..],
            &[0x0c, 0x00],
            &offset.to_le_bytes(),
            &sha256(part),
        ];
        let now_ms = self.platform.clock.now_ms();
        let lbw = Permissions::LARGE_BLOB_WRITE;
        self.token
            .verify(protocol, &message, param, lbw, now_ms)
            .map(|_| ())
    }
}
