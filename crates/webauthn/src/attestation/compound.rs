//! The compound attestation statement format (WebAuthn Level 3, 8.9).

use super::statement::Statement;
use super::{AttestationError, Context, Format, Verified, step, verify as verify_format};
use crate::cbor_map::{self, CborMap};
use crate::observer::{Observer, Outcome, Step, check};
use crate::policy::CompoundStatements;

const SYNTAX: Step = step("8.9/1", "Two or more statements, none of them compound");
const EACH: Step = step("8.9/2", "The statements verify");

/// The most statements in one compound attestation.
const MAX_STATEMENTS: usize = 8;

/// 8.9: several statements of other formats about the same credential.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let items = cbor_map::array(context.statement.0)
        .ok_or(AttestationError::WrongType("attStmt"))?
        .take(MAX_STATEMENTS + 1);
    let items: Vec<&[u8]> = items.collect();
    check(
        observer,
        SYNTAX,
        (2..=MAX_STATEMENTS).contains(&items.len()),
        format_args!("{} statements", items.len()),
        || AttestationError::Value("a compound attestation has 2 to 8 statements"),
    )?;
    let mut verified = Vec::new();
    let mut first_problem = None;
    for item in items {
        match part(context, item, observer) {
            Ok(part) => verified.push(part),
            Err(problem) if context.compound == CompoundStatements::AtLeastOne => {
                observer.step(EACH, Outcome::Skipped, format_args!("{problem}"));
                first_problem.get_or_insert(problem);
            }
            Err(problem) => {
                observer.step(EACH, Outcome::Failed, format_args!("{problem}"));
                return Err(problem);
            }
        }
    }
    match first_problem {
        Some(problem) if verified.is_empty() => {
            observer.step(EACH, Outcome::Failed, format_args!("none verifies"));
            Err(problem)
        }
        _ => {
            let count = verified.len();
            observer.step(EACH, Outcome::Held, format_args!("{count} of them verify"));
            Ok(Verified::Compound(verified))
        }
    }
}

fn part<'a, O: Observer>(
    context: &Context<'a>,
    item: &'a [u8],
    observer: &mut O,
) -> Result<(Format, Verified<'a>), AttestationError> {
    let map = CborMap::new(item).ok_or(AttestationError::WrongType("attStmt"))?;
    let name = map.get("fmt").ok_or(AttestationError::Missing("fmt"))?;
    let name = cbor_map::text(name).ok_or(AttestationError::WrongType("fmt"))?;
    let format = Format::from_name(name)
        .filter(|format| *format != Format::Compound)
        .ok_or(AttestationError::Value(
            "a statement inside the compound one has an unknown format",
        ))?;
    let statement = map
        .get("attStmt")
        .ok_or(AttestationError::Missing("attStmt"))?;
    let inner = Context {
        statement: Statement(statement),
        ..*context
    };
    verify_format(format, &inner, observer).map(|verified| (format, verified))
}
