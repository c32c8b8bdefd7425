//! `POST` of a pack to a folder: many small files in one request.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Response, StatusCode};

use super::{Answer, Call, headers, malformed, status};
use crate::body;
use crate::dav::date::{EARLIEST_MS, LATEST_MS};
use crate::files::condition::Condition;
use crate::files::pack::{MOST_PACKED_FILES, PackError, PackedHead, Unpacking};
use crate::files::store::{ByteStream, Plan, SmallFile, StoreError};
use crate::foreign::PACK;
use crate::problem::{Code, Problem};

/// A group of files is put in place when it has this many files or bytes.
const GROUP_FILES: usize = 256;
const GROUP_BYTES: usize = 1024 * 1024;

impl Call<'_> {
    /// Answers for each file, in the order of the pack: `null`, or why it was refused. If the pack
    /// breaks off, files before the break may be in their places, as after that many single `PUT`s.
    pub(super) async fn unpack(self, body: ByteStream) -> Answer {
        if headers::text(&self.headers, CONTENT_TYPE)? != Some(PACK) {
            return Err(Problem::new(
                Code::NoPack,
                format!("POST takes {PACK}: a single file is sent with PUT"),
            ));
        }
        self.check_folder().await?;
        let mut files = Unpacking::new(body);
        let mut verdicts: Vec<Option<Problem>> = Vec::new();
        let (mut group, mut size) = (Vec::new(), 0);
        while let Some((head, content)) = files.next().await.map_err(refused)? {
            if verdicts.len() == MOST_PACKED_FILES {
                return Err(malformed(format!(
                    "a pack has at most {MOST_PACKED_FILES} files"
                )));
            }
            size += content.len();
            match self.small_file(&head, content) {
                Ok(file) => {
                    group.push((verdicts.len(), file));
                    verdicts.push(None);
                }
                Err(problem) => verdicts.push(Some(problem)),
            }
            if group.len() == GROUP_FILES || size >= GROUP_BYTES {
                self.put_group(std::mem::take(&mut group), &mut verdicts)
                    .await;
                size = 0;
            }
        }
        self.put_group(group, &mut verdicts).await;
        answer(&verdicts)
    }

    async fn put_group(&self, group: Vec<(usize, SmallFile)>, verdicts: &mut [Option<Problem>]) {
        let (places, files): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        if files.is_empty() {
            return;
        }
        let outcomes = self.store.put_all(files).await;
        for (place, outcome) in places.into_iter().zip(outcomes) {
            verdicts[place] = outcome.err().map(Problem::from);
        }
    }

    fn small_file(&self, head: &PackedHead, content: Bytes) -> Result<SmallFile, Problem> {
        let path = self.below(&head.path).map_err(malformed)?;
        let wrong = || malformed("a file's SHA-256 must be 64 hexadecimal digits");
        let sha256 = hex::decode(&head.sha256).map_err(|_| wrong())?;
        let can_be = EARLIEST_MS..=LATEST_MS;
        if head.modified_ms.is_some_and(|time| !can_be.contains(&time)) {
            return Err(malformed("a file's time must be in the years 1 to 9999"));
        }
        let condition = Condition::written(head.if_match.as_deref(), head.if_none_match.as_deref());
        let plan = Plan {
            condition: condition?,
            modified_ms: head.modified_ms,
            length: Some(head.bytes),
            sha256: Some(sha256.try_into().map_err(|_| wrong())?),
        };
        Ok(SmallFile {
            path,
            plan,
            content,
        })
    }
}

fn refused(error: PackError) -> Problem {
    match error {
        PackError::Body(error) => StoreError::Body(error).into(),
        other => malformed(other),
    }
}

fn answer(verdicts: &[Option<Problem>]) -> Result<Response<body::Body>, Problem> {
    let json =
        serde_json::to_vec(verdicts).map_err(|error| StoreError::Failed(error.to_string()))?;
    let mut response = status(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    *response.body_mut() = body::full(json);
    Ok(response)
}
