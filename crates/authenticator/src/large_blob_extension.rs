//! The largeBlob extension: whole blobs, kept beside discoverable credentials (CTAP 2.3,
//! section 12.4).

use hallway_ctap::cbor::{Form, Map, MapBuilder};
use hallway_ctap::command::large_blob_extension::{Access, Output};
use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::credential::{Credential, Features};
use crate::platform::{Change, Environment, RecordKey, Storage, StorageError};
use crate::settings::LargeBlobs;
use crate::uvm::Touched;

impl<E: Environment> Authenticator<E> {
    /// Whether this key keeps blobs beside its credentials.
    pub(crate) const fn keeps_blobs(&self) -> bool {
        matches!(
            self.settings.large_blobs,
            LargeBlobs::WithCredentials { .. }
        )
    }

    /// Reads or writes the blob of a credential. It writes only if the platform named the
    /// credential and somebody touched the key.
    pub(crate) fn access_blob(
        &mut self,
        credential: &Credential,
        access: &Access<'_>,
        named: Named,
        touched: Touched,
    ) -> Result<Option<Output>, Status> {
        let LargeBlobs::WithCredentials { max_length } = self.settings.large_blobs else {
            return Ok(None);
        };
        let slot = self
            .index
            .of_id(&credential.id)
            .filter(|_| credential.features.has(Features::LARGE_BLOB));
        match (access, slot) {
            (Access::Read, Some(slot)) => {
                let record = self.platform.storage.read(RecordKey::blob(slot))?;
                let Some(record) = record else {
                    return Ok(None);
                };
                decode(&record)
                    .map(Some)
                    .ok_or_else(|| StorageError::Fault.into())
            }
            (Access::Read, None) => Ok(None),
            (
                Access::Write {
                    blob,
                    original_size,
                },
                Some(slot),
            ) if blob.len() <= max_length && named == Named::Yes && touched == Touched::Yes => {
                let record = MapBuilder::new()
                    .put(1, *blob)
                    .put(2, *original_size)
                    .finish();
                let change = Change::Put(RecordKey::blob(slot), &record);
                match self.platform.storage.commit(&[change]) {
                    Ok(()) => Ok(Some(Output::Written(true))),
                    Err(StorageError::Full) => Ok(Some(Output::Written(false))),
                    Err(error) => Err(error.into()),
                }
            }
            (Access::Write { .. }, _) => Ok(Some(Output::Written(false))),
        }
    }
}

/// Whether the platform named the credential in its allow list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Named {
    Yes,
    No,
}

fn decode(record: &[u8]) -> Option<Output> {
    let map = Map::parse(record, Form::Canonical).ok()?;
    Some(Output::Blob {
        blob: map.get(1)?.bytes().ok()?.to_vec(),
        original_size: map.get(2)?.unsigned().ok()?,
    })
}
