//! `database`: the address of the realm's database.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use reqwest::Url;

use super::text::as_text;

/// `sqlite:FILE`, or `postgres://USER@HOST/NAME`. The schemes are read in any case, and
/// `sqlite://FILE` and `postgresql://…` as what they mean.
#[derive(Clone, PartialEq, Eq)]
pub struct Database(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    /// Relative paths start at the data folder.
    Sqlite(PathBuf),
    Postgres(Url),
}

/// A text that is no address of a database. It may hold a password, so it is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the address of a database is sqlite:FILE or postgres://USER@HOST/NAME")]
pub struct NotADatabase;

impl Database {
    /// SQLite in `file`.
    #[must_use]
    pub fn sqlite(file: impl Into<PathBuf>) -> Self {
        Self(Place::Sqlite(file.into()))
    }

    /// The path of SQLite's file; `None` for PostgreSQL.
    #[must_use]
    pub fn file(&self, folder: &Path) -> Option<PathBuf> {
        match &self.0 {
            Place::Sqlite(file) => Some(folder.join(file)),
            Place::Postgres(_) => None,
        }
    }

    /// The address as [`crate::store::Store::connect`] takes it.
    pub fn address(&self, folder: &Path) -> String {
        match &self.0 {
            Place::Sqlite(file) => format!("sqlite:{}", folder.join(file).display()),
            Place::Postgres(url) => url.to_string(),
        }
    }

    /// The address without its password; `None` if it has none.
    #[must_use]
    pub fn without_password(&self) -> Option<Self> {
        let Place::Postgres(url) = &self.0 else {
            return None;
        };
        url.password()?;
        let mut url = url.clone();
        url.set_password(None).ok()?;
        Some(Self(Place::Postgres(url)))
    }
}

impl Default for Database {
    fn default() -> Self {
        Self::sqlite("hallway.db")
    }
}

impl FromStr for Database {
    type Err = NotADatabase;

    fn from_str(text: &str) -> Result<Self, NotADatabase> {
        let (scheme, rest) = text.split_once(':').ok_or(NotADatabase)?;
        match scheme.to_ascii_lowercase().as_str() {
            "sqlite" => {
                let file = rest.strip_prefix("//").unwrap_or(rest);
                // SQLite's own names of databases that are in no file, such as `:memory:`.
                if file.is_empty() || file.starts_with(':') {
                    return Err(NotADatabase);
                }
                Ok(Self::sqlite(file))
            }
            "postgres" | "postgresql" if rest.starts_with("//") => {
                let url = Url::parse(&format!("postgres:{rest}")).map_err(|_| NotADatabase)?;
                if url.port() == Some(0) {
                    return Err(NotADatabase);
                }
                Ok(Self(Place::Postgres(url)))
            }
            _ => Err(NotADatabase),
        }
    }
}

impl fmt::Display for Database {
    /// As it stands in the file, with its password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(file) => write!(f, "sqlite:{}", file.display()),
            Place::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for Database {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.without_password() {
            Some(shown) => fmt::Display::fmt(&shown, f),
            None => fmt::Display::fmt(self, f),
        }
    }
}

as_text!(Database);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_form() {
        for (text, form) in [
            ("sqlite:hallway.db", "sqlite:hallway.db"),
            ("SQLite://a/b.db", "sqlite:a/b.db"),
            ("sqlite:///var/lib/a.db", "sqlite:/var/lib/a.db"),
            ("postgresql://me@db/realm", "postgres://me@db/realm"),
            ("Postgres://me@db:5432/realm", "postgres://me@db:5432/realm"),
            (
                "postgres:///realm?host=/run/db",
                "postgres:///realm?host=/run/db",
            ),
        ] {
            let database: Database = text.parse().unwrap();
            assert_eq!(database.to_string(), form);
            assert_eq!(form.parse(), Ok(database));
        }
        let file: Database = "sqlite:a.db".parse().unwrap();
        assert_eq!(file.file(Path::new("/data")), Some("/data/a.db".into()));
        assert_eq!(file.address(Path::new("/data")), "sqlite:/data/a.db");
    }

    #[test]
    fn text_that_is_no_address_is_refused() {
        for text in [
            "",
            "hallway.db",
            "sqlite:",
            "sqlite://",
            "sqlite::memory:",
            "mysql://me@db/realm",
            "postgres:realm",
            "postgres://db:99999/realm",
            "postgres://db:abc/realm",
            "postgres://db:0/realm",
        ] {
            assert_eq!(text.parse::<Database>(), Err(NotADatabase), "{text}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        let database: Database = "postgres://me:secret@db/realm".parse().unwrap();
        assert_eq!(format!("{database:?}"), "postgres://me@db/realm");
        assert_eq!(
            database.without_password().unwrap().to_string(),
            "postgres://me@db/realm"
        );
        assert_eq!(Database::default().without_password(), None);
        assert!(!NotADatabase.to_string().contains("secret"));
    }
}
