//! `DELETE`, `MKCOL`, `MOVE` and `COPY` (RFC 4918, 9.3 and 9.6 to 9.9), and properties in JSON.

use futures_util::StreamExt;
use http::header::HeaderValue;
use http::{Response, StatusCode};

use super::catalogue::Catalogue;
use super::pack::collect;
use super::{Answer, Call, folder_named, headers, malformed, names_folder, status};
use crate::body::Body;
use crate::dav::path::FilePath;
use crate::files::destination::destination;
use crate::files::property::{LONGEST_WRITTEN_CHANGES_BYTES, PropertyChanges};
use crate::files::store::{ByteStream, Depth, Kind, Overwrite, Placed, StoreError, Transfer};
use crate::problem::{Code, Problem};

impl Call<'_> {
    pub(super) async fn remove(self) -> Answer {
        self.need_whole().await?;
        let condition = self.condition().await?;
        self.store.remove(&self.path, &condition).await?;
        Ok(status(StatusCode::NO_CONTENT))
    }

    pub(super) async fn set_properties(self, body: ByteStream) -> Answer {
        let changes = collect(body, LONGEST_WRITTEN_CHANGES_BYTES).await?;
        let changes = PropertyChanges::from_json(&changes)?;
        let (mount, path) = (&self.mount, &self.path);
        let set = self
            .store
            .set_properties(mount, path, &self.headers, changes);
        set.await?;
        Ok(status(StatusCode::NO_CONTENT))
    }

    pub(super) async fn make_folder(self, mut body: ByteStream) -> Answer {
        let sized = headers::number(&self.headers, http::header::CONTENT_LENGTH.as_str())?;
        let mut empty = sized.is_none_or(|bytes| bytes == 0);
        // A chunked body may be empty.
        while empty && let Some(bytes) = body.next().await {
            empty = bytes.map_err(StoreError::Body)?.is_empty();
        }
        if !empty {
            return Err(Problem::new(Code::NoBody, "MKCOL takes no body"));
        }
        // Where something is, the folder is refused whatever the condition says (RFC 9110, 13.2.1).
        // So the condition is judged for a place where nothing is.
        let condition = self.condition().await?;
        let failed = condition.check(None).err();
        if let Some(failed) = failed
            && self.present().await?.is_none()
        {
            return Err(failed.into());
        }
        match self.store.make_folder(&self.path).await {
            Ok(()) => Ok(status(StatusCode::CREATED)),
            // RFC 4918, 9.3.1.
            Err(error @ (StoreError::Exists | StoreError::IsFolder)) => {
                Err(Problem::new(Code::FolderExists, error.to_string()))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn rename(self) -> Answer {
        self.need_whole().await?;
        let (to, how) = (self.destination().await?, self.transfer().await?);
        let placed = self.store.rename(&self.path, &to, &how).await?;
        Ok(made(&placed, how.modified_ms))
    }

    pub(super) async fn copy(self) -> Answer {
        let (to, how) = (self.destination().await?, self.transfer().await?);
        let placed = self.store.copy(&self.path, &to, &how).await?;
        Ok(made(&placed, how.modified_ms))
    }

    async fn transfer(&self) -> Result<Transfer, Problem> {
        Ok(Transfer {
            condition: self.condition().await?,
            overwrite: self.overwrite()?,
            depth: headers::depth(&self.headers)?,
            modified_ms: headers::modified(&self.headers)?,
        })
    }

    /// A folder is moved or removed with all that is in it, or not at all (RFC 4918, 9.6.1 and
    /// 9.9.2).
    async fn need_whole(&self) -> Result<(), Problem> {
        if headers::depth(&self.headers)? == Depth::Itself
            && self.store.entry(&self.path).await?.kind == Kind::Folder
        {
            return Err(malformed("a folder needs Depth: infinity here"));
        }
        Ok(())
    }

    /// `Destination` (RFC 4918, 10.3): in the same store, because rights are granted for each
    /// store.
    async fn destination(&self) -> Result<FilePath, Problem> {
        let elsewhere = || {
            Problem::new(
                Code::OtherStore,
                format!("Destination must begin with {}/", self.mount),
            )
        };
        let destination = destination(&self.headers, self.server.as_ref())?
            .ok_or_else(|| malformed("Destination is missing: it says where to"))?;
        let below = destination
            .strip_prefix(&self.mount)
            .filter(|below| below.starts_with('/'))
            .ok_or_else(elsewhere)?;
        let to = FilePath::from_uri(below).map_err(malformed)?;
        // A path that ends with a slash names a folder. A file may replace one (RFC 4918, 9.8.4),
        // but does not make one.
        if names_folder(below)
            && self.store.entry(&self.path).await?.kind == Kind::File
            && !matches!(self.store.entry(&to).await, Ok(there) if there.kind == Kind::Folder)
        {
            return Err(folder_named());
        }
        Ok(to)
    }

    /// `Overwrite` (RFC 4918, 10.6). The right to write lets a file be replaced; to replace a
    /// folder with what is in it needs the right to delete.
    fn overwrite(&self) -> Result<Overwrite, Problem> {
        // Literals of its grammar ignore case (RFC 5234, 2.3).
        match headers::text(&self.headers, "overwrite")? {
            None | Some("T" | "t") if self.access.delete => Ok(Overwrite::Anything),
            None | Some("T" | "t") => Ok(Overwrite::Files),
            Some("F" | "f") => Ok(Overwrite::Never),
            _ => Err(malformed("Overwrite must be T or F")),
        }
    }
}

/// 201 or 204.
fn made(placed: &Placed, wanted_ms: Option<i64>) -> Response<Body> {
    let mut response = status(if placed.replaced {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::CREATED
    });
    if wanted_ms.is_some() && wanted_ms == placed.entry.modified_ms {
        let accepted = HeaderValue::from_static("accepted");
        response.headers_mut().insert("x-oc-mtime", accepted);
    }
    response
}
