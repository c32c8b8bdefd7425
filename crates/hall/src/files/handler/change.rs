//! `DELETE`, `MKCOL`, `MOVE` and `COPY` (RFC 4918, 9.3 and 9.6 to 9.9).

use http::StatusCode;
use http::uri::Uri;

use super::headers;
use super::{Answer, Call, malformed, status};
use crate::body::Body;
use crate::files::path::FilePath;
use crate::files::store::{Condition, Kind, Plan, Store, StoreError};
use crate::problem::Problem;

/// Entries of a folder that are looked at together when it is copied.
const PAGE: usize = 1000;

impl Call {
    pub(super) async fn remove(self) -> Answer {
        let condition = headers::condition(&self.headers)?;
        self.store.remove(&self.path, &condition).await?;
        Ok(status(StatusCode::NO_CONTENT))
    }

    pub(super) async fn make_folder(self, body: Body) -> Answer {
        let sized = headers::number(&self.headers, http::header::CONTENT_LENGTH.as_str())?;
        if sized.is_some_and(|bytes| bytes > 0) || !http_body::Body::is_end_stream(&body) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "no-body",
                "MKCOL takes no body",
            ));
        }
        match self.store.make_folder(&self.path).await {
            Ok(()) => Ok(status(StatusCode::CREATED)),
            // RFC 4918, 9.3.1.
            Err(error @ (StoreError::Exists | StoreError::IsFolder)) => Err(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "exists",
                error.to_string(),
            )),
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn rename(self) -> Answer {
        let (to, condition) = (self.destination()?, self.overwrite()?);
        let replaced = self.is_there(&to).await?;
        self.store.rename(&self.path, &to, &condition).await?;
        Ok(status(made(replaced)))
    }

    pub(super) async fn copy(self) -> Answer {
        let (to, condition) = (self.destination()?, self.overwrite()?);
        if to.is_within(&self.path) {
            return Err(StoreError::Unsupported("a folder cannot be copied into itself").into());
        }
        let replaced = self.is_there(&to).await?;
        let store = self.store.as_ref();
        match store.entry(&self.path).await?.kind {
            Kind::File => copy_file(store, &self.path, &to, condition).await?,
            Kind::Folder if replaced => return Err(StoreError::Exists.into()),
            Kind::Folder => {
                let depth = headers::text(&self.headers, "depth")?.unwrap_or("infinity");
                store.make_folder(&to).await?;
                if depth != "0" {
                    copy_tree(store, &self.path, &to).await?;
                }
            }
        }
        Ok(status(made(replaced)))
    }

    async fn is_there(&self, path: &FilePath) -> Result<bool, StoreError> {
        match self.store.entry(path).await {
            Ok(_) => Ok(true),
            Err(StoreError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// `Destination` (RFC 4918, 10.3): in the same store, because a grant speaks of each.
    fn destination(&self) -> Result<FilePath, Problem> {
        let elsewhere = || {
            Problem::new(
                StatusCode::BAD_GATEWAY,
                "other-store",
                format!("Destination has to begin with {}/", self.mount),
            )
        };
        let destination: Uri = headers::text(&self.headers, "destination")?
            .and_then(|value| value.parse().ok())
            .ok_or_else(|| malformed("Destination says where to"))?;
        let below = destination
            .path()
            .strip_prefix(&self.mount)
            .filter(|below| below.starts_with('/'))
            .ok_or_else(elsewhere)?;
        FilePath::from_uri(below).map_err(malformed)
    }

    /// `Overwrite` (RFC 4918, 10.6).
    fn overwrite(&self) -> Result<Condition, Problem> {
        match headers::text(&self.headers, "overwrite")? {
            None | Some("T") => Ok(Condition::Any),
            Some("F") => Ok(Condition::Absent),
            _ => Err(malformed("Overwrite is T or F")),
        }
    }
}

fn made(replaced: bool) -> StatusCode {
    if replaced {
        StatusCode::NO_CONTENT
    } else {
        StatusCode::CREATED
    }
}

async fn copy_file(
    store: &dyn Store,
    from: &FilePath,
    to: &FilePath,
    condition: Condition,
) -> Result<(), StoreError> {
    let file = store.open(from).await?;
    let plan = Plan {
        condition,
        length: Some(file.entry().bytes),
        ..Plan::default()
    };
    let all = 0..file.entry().bytes;
    store.put(to, plan, file.read(all)).await?;
    Ok(())
}

/// Copies what is in `from` into `to`, which is there and empty.
async fn copy_tree(store: &dyn Store, from: &FilePath, to: &FilePath) -> Result<(), Problem> {
    let mut folders = vec![(from.clone(), to.clone())];
    while let Some((from, to)) = folders.pop() {
        let mut after = None;
        loop {
            let page = store.list(&from, after.as_deref(), PAGE).await?;
            for entry in page.entries {
                let source = from.join(&entry.name).map_err(malformed)?;
                let target = to.join(&entry.name).map_err(malformed)?;
                match entry.kind {
                    Kind::File => copy_file(store, &source, &target, Condition::Absent).await?,
                    Kind::Folder => {
                        store.make_folder(&target).await?;
                        folders.push((source, target));
                    }
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
    }
    Ok(())
}
