//! A file that is read.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::BytesMut;
use cap_std::fs::File;
use futures_util::{StreamExt, stream};
use tokio::task::spawn_blocking;

use super::READ_BYTES;
use crate::files::store::{ByteStream, Entry, OpenFile};

/// An open file.
pub(super) struct Opened {
    file: File,
    entry: Entry,
}

impl Opened {
    pub(super) fn new(file: File, entry: Entry) -> Self {
        Self { file, entry }
    }
}

impl OpenFile for Opened {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        struct Reading {
            file: File,
            range: Range<u64>,
            placed: bool,
        }
        let reading = Reading {
            file: self.file,
            range,
            placed: false,
        };
        let chunks = stream::try_unfold(reading, |mut reading| async move {
            if reading.range.is_empty() {
                return Ok(None);
            }
            let chunk = spawn_blocking(move || {
                if !reading.placed {
                    reading.file.seek(SeekFrom::Start(reading.range.start))?;
                    reading.placed = true;
                }
                let left = reading.range.end - reading.range.start;
                let wanted = usize::try_from(left).map_or(READ_BYTES, |left| left.min(READ_BYTES));
                let mut buffer = BytesMut::zeroed(wanted);
                let read = reading.file.read(&mut buffer)?;
                if read == 0 {
                    // It was truncated while it was read.
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                buffer.truncate(read);
                reading.range.start += read as u64;
                Ok::<_, io::Error>((buffer.freeze(), reading))
            });
            chunk.await.map_err(io::Error::other)?.map(Some)
        });
        chunks.boxed()
    }
}
