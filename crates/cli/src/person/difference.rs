//! A difference between what was asked for and what a gateway wants signed.

use std::fmt::Display;

use hallway_evidence::Printable;

/// A statement that is not what was asked for. Nothing is signed then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the gateway wants you to sign something other than what you asked for: {field} should be \
     {asked}, but it says {stated}. Nothing was signed. If you meant {asked}, trust neither this \
     gateway nor the network between you and it"
)]
pub(crate) struct Difference {
    /// Which part of the statement, or of the request to the key.
    field: &'static str,
    asked: String,
    stated: String,
}

impl Difference {
    /// `field` should be `asked`, but is `stated`.
    pub(super) fn new(field: &'static str, asked: impl Display, stated: impl Display) -> Self {
        let shown = |text: &dyn Display| format!("“{}”", Printable(&text.to_string()));
        Self {
            field,
            asked: shown(&asked),
            stated: shown(&stated),
        }
    }
}

/// Whether a field is what was asked for.
pub(super) fn same<T: PartialEq + Display>(
    field: &'static str,
    asked: &T,
    stated: &T,
) -> Result<(), Difference> {
    if asked == stated {
        Ok(())
    } else {
        Err(Difference::new(field, asked, stated))
    }
}

/// The same for a field that may be missing.
pub(super) fn same_or_none<T: PartialEq + Display>(
    field: &'static str,
    asked: Option<&T>,
    stated: Option<&T>,
) -> Result<(), Difference> {
    if asked == stated {
        return Ok(());
    }
    let shown = |value: Option<&T>| value.map_or_else(|| "nothing".to_owned(), T::to_string);
    Err(Difference::new(field, shown(asked), shown(stated)))
}
