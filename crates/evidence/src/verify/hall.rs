//! Evidence that opened a hall: whether the person who is let in is the one who signed.

use std::time::Duration;

use super::receipt::Receipts;
use super::report::Section;
use crate::statement::hall::Open;
use crate::statement::{Act, Statement};

/// Checks that the person who is let in is the one who signed; receipt `by` registered the key.
/// Returns a sentence about the grant.
pub(super) fn check_opening(
    receipts: &Receipts<'_>,
    section: &mut Section,
    open: &Open,
    by: usize,
) -> Option<String> {
    let owner = match receipts.act(by) {
        Some(Act::WebRegisterKey(key)) if (key.person, &key.name) == (open.person, &open.name) => {
            Ok(())
        }
        Some(Act::WebRegisterKey(key)) => Err(format!(
            "it lets {} in, but the key that signed is {}’s",
            open.name, key.name
        )),
        _ => Err("the key that signed is no person’s".to_owned()),
    };
    section.check(
        "chain.3",
        "The person who is let in is the one who signed",
        owner,
        format_args!("{}, receipt {}", open.name, by + 1),
    )?;
    let subject = receipts.all.first()?;
    check_role(subject.statement.as_ref()?, section, open)?;
    let ends = (subject.receipt.evidence.accepted).plus(Duration::from_millis(open.duration_ms));
    Some(match &open.public_key {
        Some(key) => format!(
            "Until {ends} at the latest, the holder of the private key to the public key with \
             the SHA-256 {} is {} for the hall “{}” of {}.",
            hex::encode(key.sha256()),
            open.name,
            open.hall,
            open.host
        ),
        None => format!(
            "Until {ends} at the latest, {}’s browser session could use the hall “{}”. No other \
             party can check which browser that was.",
            open.name, open.hall
        ),
    })
}

/// Checks that a role is stated for a hall of another realm, which may admit by it, and never for a
/// hall at home.
fn check_role(statement: &Statement, section: &mut Section, open: &Open) -> Option<()> {
    let at_home = open.host.as_str() == &*statement.realm;
    let stated = match (at_home, open.role) {
        (true, None) => Ok("at home".to_owned()),
        (false, Some(role)) => Ok(format!("{role} of {}", statement.realm)),
        (true, Some(_)) => Err("it states a role for a hall at home".to_owned()),
        (false, None) => Err(format!("it opens a hall of {} without a role", open.host)),
    };
    let detail = stated.clone().unwrap_or_default();
    section
        .check(
            "chain.4",
            "A visitor’s role at home is stated, and only a visitor’s",
            stated,
            detail,
        )
        .map(drop)
}
