//! The knowledge about models at one moment: a BLOB, and local statements beside it.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hallway_webauthn::metadata::Metadata;

use super::ModelsError;
use crate::settings::MetadataConfig;
use crate::sha256;
use crate::store::MetadataState;

/// The most bytes of one local statement.
const MAX_STATEMENT_BYTES: u64 = 1 << 20;
/// The most local statements.
const MAX_STATEMENTS: usize = 1000;

/// The knowledge at one moment. `Default` knows no models.
#[derive(Debug, Default)]
pub struct Known {
    /// The models.
    pub metadata: Arc<Metadata>,
    /// The BLOB in use, and the last attempt to get a newer one.
    pub state: MetadataState,
    /// The local statements, by file name.
    pub statements: Vec<Statement>,
    /// Grows whenever the knowledge changes.
    pub(super) generation: u64,
    /// The input that the knowledge was made of.
    pub(super) made_of: MadeOf,
}

/// The input of the models: if it is equal, the models are.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct MadeOf {
    pub(super) blob: Option<[u8; 32]>,
    pub(super) statements: [u8; 32],
}

/// A local metadata statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The file's name.
    pub name: String,
    /// Why the statement cannot be used; `None` if it can.
    pub problem: Option<String>,
}

/// A folder of local statements.
#[derive(Debug, Clone)]
pub(super) struct Statements(PathBuf);

/// The statements of a folder as they were read: a name, and bytes or the error.
#[derive(Debug, Default)]
pub(super) struct Files(Vec<(String, Result<Vec<u8>, String>)>);

impl Known {
    /// The models of `metadata` and of local statements, which replace those of the BLOB.
    pub(super) fn new(mut metadata: Metadata, files: &Files, blob: Option<[u8; 32]>) -> Self {
        let mut statements = Vec::new();
        for (name, read) in &files.0 {
            let problem = match read {
                Ok(json) => metadata
                    .add_statement(json)
                    .err()
                    .map(|error| error.to_string()),
                Err(problem) => Some(problem.clone()),
            };
            if let Some(problem) = &problem {
                tracing::warn!(
                    file = name,
                    problem,
                    "a local metadata statement is not used"
                );
            }
            statements.push(Statement {
                name: name.clone(),
                problem,
            });
        }
        Self {
            metadata: Arc::new(metadata),
            statements,
            made_of: MadeOf {
                blob,
                statements: files.hash(),
            },
            ..Self::default()
        }
    }

    /// The same models, with another state of the BLOB.
    pub(super) fn with_state(&self, state: MetadataState) -> Self {
        Self {
            metadata: Arc::clone(&self.metadata),
            state,
            statements: self.statements.clone(),
            generation: self.generation,
            made_of: self.made_of.clone(),
        }
    }
}

impl Statements {
    pub(super) fn new(config: &MetadataConfig, folder: &Path) -> Result<Option<Self>, ModelsError> {
        let Some(statements) = &config.statements else {
            return Ok(None);
        };
        let path = folder.join(statements);
        if path.is_dir() {
            return Ok(Some(Self(path)));
        }
        Err(ModelsError::File {
            setting: "statements",
            path: path.display().to_string(),
            reason: "not a folder".to_owned(),
        })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0
    }

    /// Reads every `*.json` in the order of their names, so that of two statements for one model
    /// the same one always counts.
    ///
    /// # Errors
    /// The folder cannot be listed. The earlier knowledge stays then.
    pub(super) fn read(&self) -> io::Result<Files> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                paths.push(path);
            }
        }
        paths.sort();
        if paths.len() > MAX_STATEMENTS {
            let message = format!("more than {MAX_STATEMENTS} metadata statements");
            return Err(io::Error::other(message));
        }
        let read = |path: PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            (name.into_owned(), read_bounded(&path))
        };
        Ok(Files(paths.into_iter().map(read).collect()))
    }
}

fn read_bounded(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    fs::File::open(path)
        .and_then(|file| file.take(MAX_STATEMENT_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| error.to_string())?;
    if bytes.len() as u64 > MAX_STATEMENT_BYTES {
        return Err(format!("longer than {MAX_STATEMENT_BYTES} bytes"));
    }
    Ok(bytes)
}

impl Files {
    pub(super) fn hash(&self) -> [u8; 32] {
        let mut content = Vec::new();
        for (name, read) in &self.0 {
            content.extend_from_slice(&sha256(name.as_bytes()));
            content.extend_from_slice(&match read {
                Ok(bytes) => sha256(bytes),
                Err(problem) => sha256(problem.as_bytes()),
            });
        }
        sha256(&content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_statement_is_named_and_the_others_count() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        write(
            "a.json",
            r#"{"aaguid": "cb69481e-8ff7-4039-93ec-0a2729a154a8", "description": "A"}"#,
        );
        write("b.json", "{");
        write("c.txt", "not a statement");
        let config = MetadataConfig {
            statements: Some(folder.path().to_owned()),
            ..MetadataConfig::default()
        };
        let statements = Statements::new(&config, Path::new("/")).unwrap().unwrap();
        let files = statements.read().unwrap();
        let known = Known::new(Metadata::new(), &files, None);
        assert_eq!(known.metadata.models().len(), 1);
        let [a, b] = known.statements.as_slice() else {
            panic!("{:?}", known.statements);
        };
        assert_eq!((a.name.as_str(), a.problem.is_none()), ("a.json", true));
        assert_eq!((b.name.as_str(), b.problem.is_some()), ("b.json", true));
        assert_eq!(files.hash(), statements.read().unwrap().hash());
        write("b.json", "{}");
        assert_ne!(files.hash(), statements.read().unwrap().hash());
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        let config = MetadataConfig {
            statements: Some("nowhere".into()),
            ..MetadataConfig::default()
        };
        let refused = Statements::new(&config, Path::new("/nowhere"));
        assert!(matches!(refused, Err(ModelsError::File { .. })));
    }
}
