//! Writing one object: in one request if it is small, in parts if it is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_lc_rs::digest;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::task::JoinSet;

use super::{Collected, PIECE_BYTES, fresh_hash};
use crate::files::store::{Plan, Sha256, StoreError};

/// Parts that are sent at the same time.
const PARTS_AT_A_TIME: usize = 2;

pub(super) struct Writer {
    objects: Arc<dyn ObjectStore>,
    key: Path,
    context: digest::Context,
    length: u64,
    collected: Collected,
    size: usize,
    parts: Option<Parts>,
}

/// An upload in parts. An unfinished one is thrown away when it is dropped.
struct Parts {
    upload: Option<Box<dyn MultipartUpload>>,
    sending: JoinSet<object_store::Result<()>>,
}

impl Writer {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, key: Path) -> Self {
        Self {
            objects,
            key,
            context: fresh_hash(),
            length: 0,
            collected: Collected::new(),
            size: 0,
            parts: None,
        }
    }

    pub(super) async fn write(&mut self, bytes: &Bytes) -> Result<(), StoreError> {
        self.context.update(bytes);
        self.length += bytes.len() as u64;
        let mut rest = bytes.clone();
        while !rest.is_empty() {
            let fits = rest.split_to(rest.len().min(PIECE_BYTES - self.size));
            self.size += fits.len();
            self.collected.push(fits);
            // All parts but the last are of one size, as some object stores demand.
            if self.size == PIECE_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self) -> Result<(), StoreError> {
        let payload = self.payload();
        let parts = match &mut self.parts {
            Some(parts) => parts,
            none => none.insert(Parts {
                upload: Some(self.objects.put_multipart(&self.key).await?),
                sending: JoinSet::new(),
            }),
        };
        while parts.sending.len() >= PARTS_AT_A_TIME {
            parts.sent().await?;
        }
        if let Some(upload) = &mut parts.upload {
            parts.sending.spawn(upload.put_part(payload));
        }
        Ok(())
    }

    fn payload(&mut self) -> PutPayload {
        self.size = 0;
        std::mem::take(&mut self.collected).into_iter().collect()
    }

    /// Checks what was written against `plan`, and only then makes it visible. Object stores judge
    /// `mode`, a condition, for a single request only, and some for none: that clears `judges`. The
    /// caller has judged it just before, which has to suffice for parts and for those stores.
    pub(super) async fn finish(
        mut self,
        plan: &Plan,
        mode: PutMode,
        judges: &AtomicBool,
    ) -> Result<Sha256, StoreError> {
        let context = std::mem::replace(&mut self.context, fresh_hash());
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(context.finish().as_ref());
        plan.check(self.length, &sha256)?;
        if self.parts.is_none() {
            let payload = self.payload();
            if mode != PutMode::Overwrite && judges.load(Ordering::Relaxed) {
                let options = PutOptions::from(mode);
                let put = self.objects.put_opts(&self.key, payload.clone(), options);
                match put.await {
                    Err(error) if is_unknown(&error) => judges.store(false, Ordering::Relaxed),
                    put => return Ok(put.map(|_| sha256)?),
                }
            }
            self.objects.put(&self.key, payload).await?;
            return Ok(sha256);
        }
        if self.size > 0 {
            self.send().await?;
        }
        if let Some(parts) = &mut self.parts {
            while !parts.sending.is_empty() {
                parts.sent().await?;
            }
            if let Some(mut upload) = parts.upload.take() {
                upload.complete().await?;
            }
        }
        Ok(sha256)
    }
}

/// Whether the object store does not support the request: the library gives its 501 as a generic
/// error.
fn is_unknown(error: &object_store::Error) -> bool {
    match error {
        object_store::Error::NotImplemented { .. } | object_store::Error::NotSupported { .. } => {
            true
        }
        object_store::Error::Generic { source, .. } => {
            let mut next: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
            while let Some(error) = next {
                if error.to_string().contains("status code: 501 ") {
                    return true;
                }
                next = error.source();
            }
            false
        }
        _ => false,
    }
}

impl Parts {
    async fn sent(&mut self) -> Result<(), StoreError> {
        match self.sending.join_next().await {
            Some(Ok(sent)) => Ok(sent?),
            Some(Err(error)) => Err(StoreError::Failed(error.to_string())),
            None => Ok(()),
        }
    }
}

impl Drop for Parts {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = upload.abort().await {
                    tracing::warn!(%error, "an unfinished upload cannot be thrown away");
                }
            });
        }
    }
}
