//! No attestation (WebAuthn Level 3, 8.7).

use super::{AttestationError, Context, Verified, step};
use crate::observer::{Observer, Step, check};

const EMPTY: Step = step("8.7", "The statement is empty");

/// 8.7: the statement is an empty map, and nothing is established.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let empty = context.statement.map()?.is_empty();
    check(observer, EMPTY, empty, format_args!("an empty map"), || {
        AttestationError::NotEmpty
    })?;
    Ok(Verified::None)
}
