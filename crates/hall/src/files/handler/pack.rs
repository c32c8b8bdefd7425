//! `POST` of a list of names to a folder: many small files in one answer.

use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;

use super::{Answer, Call, malformed, status};
use crate::body::Body;
use crate::dav::path::{FilePath, LONGEST_PATH_BYTES};
use crate::files::json;
use crate::files::pack::{self, MOST_PACKED_FILES, PackWanted, PackedHead};
use crate::files::store::{ByteStream, Store, StoreError, sha256};
use crate::foreign::PACK;

/// The longest list of names, in bytes: each byte of a path may be six in JSON.
const LONGEST_LIST_BYTES: usize = MOST_PACKED_FILES * (6 * LONGEST_PATH_BYTES + 16);
/// Files that are read together, and held in memory.
const GROUP_FILES: usize = 8;

impl Call<'_> {
    /// The files that are wanted, in their order. One that is not there, can't be read or is too
    /// long is left out: a client that wants it asks for it alone, and then is told why.
    pub(super) async fn pack(self, body: ByteStream) -> Answer {
        self.check_folder().await?;
        let list = collect(body, LONGEST_LIST_BYTES).await?;
        let wanted: PackWanted = json::read(&list, "{\"paths\": [PATH]}").map_err(malformed)?;
        if wanted.paths.len() > MOST_PACKED_FILES {
            return Err(malformed(format!(
                "a pack has at most {MOST_PACKED_FILES} files"
            )));
        }
        let files: Vec<(String, FilePath)> = wanted
            .paths
            .into_iter()
            .filter_map(|name| self.below(&name).ok().map(|path| (name, path)))
            .collect();
        let groups: Vec<_> = files.chunks(GROUP_FILES).map(<[_]>::to_vec).collect();
        let store = self.store;
        let packed = stream::iter(groups).then(move |group| {
            let store = Arc::clone(&store);
            async move { packed(store.as_ref(), group).await }
        });
        let mut response: Response<Body> = status(StatusCode::OK);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(PACK));
        *response.body_mut() = StreamBody::new(packed.map_ok(Frame::data)).boxed_unsync();
        Ok(response)
    }

    /// Judges the conditions of the request, which are about the folder.
    pub(super) async fn check_folder(&self) -> Result<(), crate::problem::Problem> {
        let condition = self.condition().await?;
        if condition.is_any() {
            return Ok(());
        }
        Ok(condition.check(self.present().await?.as_ref())?)
    }

    /// A path that begins at this folder.
    pub(super) fn below(&self, path: &str) -> Result<FilePath, crate::files::PathError> {
        if self.path.is_root() {
            path.parse()
        } else {
            format!("{}/{path}", self.path).parse()
        }
    }
}

/// A body of at most `longest` bytes.
pub(super) async fn collect(
    mut body: ByteStream,
    longest: usize,
) -> Result<Vec<u8>, crate::problem::Problem> {
    let mut list = Vec::new();
    while let Some(bytes) = body.next().await {
        list.extend_from_slice(&bytes.map_err(StoreError::Body)?);
        if list.len() > longest {
            return Err(malformed("the request is too long"));
        }
    }
    Ok(list)
}

async fn packed(
    store: &dyn Store,
    group: Vec<(String, FilePath)>,
) -> std::io::Result<bytes::Bytes> {
    let (names, paths): (Vec<_>, Vec<_>) = group.into_iter().unzip();
    let mut pack = Vec::new();
    for (name, file) in names.into_iter().zip(store.get_all(paths).await) {
        let Ok((entry, content)) = file else { continue };
        let head = PackedHead {
            path: name,
            bytes: entry.bytes,
            modified_ms: entry.modified_ms,
            sha256: hex::encode(sha256(&content)),
            if_match: None,
            if_none_match: None,
        };
        pack::add(&mut pack, &head, &content).map_err(std::io::Error::other)?;
    }
    Ok(pack.into())
}
