//! An object that is read.

use std::ops::Range;
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::{GetOptions, ObjectMeta, ObjectStore};

use crate::files::store::{ByteStream, Entry, OpenFile};

/// An open object.
pub(super) struct Opened {
    pub(super) objects: Arc<dyn ObjectStore>,
    pub(super) object: ObjectMeta,
    pub(super) entry: Entry,
}

impl OpenFile for Opened {
    fn entry(&self) -> &Entry {
        &self.entry
    }

    fn read(self: Box<Self>, range: Range<u64>) -> ByteStream {
        if range.is_empty() {
            return stream::empty().boxed();
        }
        let reading = async move {
            let options = GetOptions {
                // An object that has taken its place is not mixed with this one.
                if_match: self.object.e_tag.clone(),
                range: Some(range.into()),
                ..GetOptions::default()
            };
            let got = self.objects.get_opts(&self.object.location, options).await;
            got.map(object_store::GetResult::into_stream)
                .map_err(std::io::Error::from)
        };
        stream::once(reading)
            .map_ok(|bytes| bytes.map_err(std::io::Error::from))
            .try_flatten()
            .boxed()
    }
}
