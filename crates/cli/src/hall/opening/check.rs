//! Checks that a gateway gave what was signed: the grant, its certificate, and the evidence to show
//! to another realm.

use std::fmt::Display;
use std::time::Duration;

use hallway_api::hall::Listener;
use hallway_evidence::statement::Act;
use hallway_evidence::statement::hall::{Open, P256PublicKey};
use hallway_evidence::{Bundle, Printable};
use hallway_hall::client::certificates;
use hallway_hall::{Party, SpiffeId, Svid};

use super::super::HallCommandError;
use super::{Granted, place_of};
use crate::person::Done;

/// Checks that a grant gives no more than was signed, and that its certificate is for this very
/// key, person and evidence.
///
/// # Errors
/// [`HallCommandError::Given`] names what differs.
pub(super) fn granted(done: &Done, granted: &Granted) -> Result<(), HallCommandError> {
    let Act::HallOpen(open) = &done.statement.act else {
        return Err(given("the act", "hall.open", done.statement.act.name()));
    };
    if let Some(more) = granted
        .rights
        .iter()
        .find(|right| !open.rights.contains(right))
    {
        return Err(given("what you may do", &open.rights, more));
    }
    let latest = done.accepted.plus(Duration::from_millis(open.duration_ms));
    if granted.ends_ms > latest.as_ms() {
        let ends = hallway_evidence::Timestamp::from_ms(granted.ends_ms);
        return Err(given("its end", latest, ends));
    }
    certificate(done, open, granted)?;
    let home = done.statement.realm.as_str();
    of_realm(
        "the realm of the hall",
        open.host.as_str(),
        &granted.certified.listener,
    )?;
    match &granted.home {
        Some(listener) => of_realm("your realm", home, listener),
        None if open.host.as_str() == home => Ok(()),
        None => Err(given("your realm", home, "nothing")),
    }
}

fn certificate(done: &Done, open: &Open, granted: &Granted) -> Result<(), HallCommandError> {
    let chain = certificates(&granted.certified.certificates);
    let leaf = Svid::read(chain.first().ok_or(HallCommandError::Certificates)?)?;
    let hash = |key: &P256PublicKey| hex::encode(key.sha256());
    if open.public_key.as_ref() != Some(&leaf.public_key) {
        let signed = open.public_key.as_ref().map(hash).unwrap_or_default();
        return Err(given(
            "the SHA-256 of the key",
            signed,
            hash(&leaf.public_key),
        ));
    }
    let realm = done.statement.realm.as_str().parse()?;
    let holder = SpiffeId::new(realm, &Party::Person(open.person.to_string()))?;
    if leaf.id != holder {
        return Err(given("the certificate's holder", holder, leaf.id));
    }
    let credential = done.signed.credential_id.to_string();
    let found = leaf.provenance.map(|from| (from.evidence, from.credential));
    if found.as_ref() != Some(&(done.evidence.clone(), credential)) {
        let found = found.map_or_else(|| "nothing".to_owned(), |(evidence, _)| evidence);
        return Err(given("the certificate's evidence", &done.evidence, found));
    }
    Ok(())
}

/// Checks that a listener, and the authorities that vouch for it, are of a realm.
fn of_realm(what: &'static str, realm: &str, listener: &Listener) -> Result<(), HallCommandError> {
    let place = place_of(listener)?;
    for domain in [place.gateway.trust_domain(), place.bundle.trust_domain()] {
        if domain.as_str() != realm {
            return Err(given(what, realm, domain));
        }
    }
    match place.gateway.party() {
        Some(Party::Gateway) => Ok(()),
        _ => Err(given("who lets you in", "a gateway", place.gateway)),
    }
}

/// Checks that a bundle to be shown to another realm is about the very statement that was signed,
/// and holds no other opening.
///
/// # Errors
/// [`HallCommandError::Given`].
pub(super) fn shown(done: &Done, bundle: &[u8]) -> Result<(), HallCommandError> {
    let unreadable = |error: &dyn Display| given("the evidence to show", "a bundle", error);
    let bundle = Bundle::decode(bundle).map_err(|error| unreadable(&error))?;
    for (at, receipt) in bundle.receipts().enumerate() {
        let evidence = &receipt.evidence;
        let statement = evidence.signed.read_statement();
        let statement = statement.map_err(|error| unreadable(&error))?;
        let is_ours =
            evidence.signed == done.signed && hex::encode(evidence.hash()) == done.evidence;
        let is_opening = matches!(statement.act, Act::HallOpen(_));
        if is_ours != (at == 0) || is_opening != (at == 0) {
            let sentence = done.statement.sentence();
            return Err(given(
                "the evidence to show",
                sentence,
                statement.sentence(),
            ));
        }
    }
    Ok(())
}

fn given(what: &'static str, signed: impl Display, given: impl Display) -> HallCommandError {
    let shown = |text: &dyn Display| format!("“{}”", Printable(&text.to_string()));
    HallCommandError::Given {
        what,
        signed: shown(&signed),
        given: shown(&given),
    }
}
