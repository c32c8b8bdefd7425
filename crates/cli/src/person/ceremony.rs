//! What a gateway wants signed, and what a key is asked to sign.

use std::time::{Duration, SystemTime};

use hallway_api::act::Ceremony;
use hallway_client::GatewayAddress;
use hallway_evidence::{RealmName, Statement, Timestamp};
use hallway_webauthn::wire::{Base64Url, CreationOptions, RequestOptions, Requirement};
use serde::de::DeserializeOwned;

use super::PersonError;
use super::agreement::Wanted;
use super::difference::{Difference, same};
use super::one_time_link::sha256;

/// How far the gateway's clock may be from ours: for as long as it accepts an answer itself.
const CLOCKS_APART: Duration = Duration::from_secs(5 * 60);

/// A statement that says what was asked for, and options that ask for a signature over it and
/// nothing else. Only a comparison makes one.
#[derive(Debug)]
pub(super) struct Agreed<O> {
    pub(super) statement: Statement,
    pub(super) realm: RealmName,
    /// The WebAuthn options for the key.
    pub(super) options: O,
    /// The statement's bytes.
    pub(super) bytes: Base64Url,
    /// The gateway's seal, to be handed back.
    pub(super) seal: Base64Url,
    /// What the statement names by its hash alone, to be handed back.
    pub(super) attachment: Option<Base64Url>,
}

/// Where the ceremony is: what is known of the gateway.
#[derive(Clone, Copy, Debug)]
pub(super) struct At<'a> {
    /// Its address.
    pub(super) gateway: &'a GatewayAddress,
    /// Its realm, if it is on record.
    pub(super) realm: Option<&'a RealmName>,
}

/// WebAuthn options for a key.
pub(super) trait Options: DeserializeOwned {
    fn challenge(&self) -> &[u8];
    fn rp_id(&self) -> &str;
    /// Whether the key has to verify the person.
    fn verification(&self) -> Option<Requirement>;
}

impl Options for RequestOptions {
    fn challenge(&self) -> &[u8] {
        &self.challenge.0
    }

    fn rp_id(&self) -> &str {
        self.rp_id.as_deref().unwrap_or_default()
    }

    fn verification(&self) -> Option<Requirement> {
        self.user_verification
    }
}

impl Options for CreationOptions {
    fn challenge(&self) -> &[u8] {
        &self.challenge.0
    }

    fn rp_id(&self) -> &str {
        self.rp.id.as_deref().unwrap_or_default()
    }

    fn verification(&self) -> Option<Requirement> {
        self.authenticator_selection
            .as_ref()
            .and_then(|selection| selection.user_verification)
    }
}

/// Accepts a ceremony if it is what is `wanted`, at this gateway and now.
///
/// # Errors
/// The statement can't be read, or a [`Difference`].
pub(super) fn agree<O: Options>(
    ceremony: Ceremony,
    wanted: Wanted<'_>,
    at: At<'_>,
) -> Result<Agreed<O>, PersonError> {
    let statement =
        Statement::decode(&ceremony.statement.0).map_err(PersonError::UnreadableStatement)?;
    let realm = at.realm_of(&statement)?;
    let now = Timestamp::from(SystemTime::now());
    if statement.issued.distance(now) > CLOCKS_APART {
        return Err(PersonError::Clocks {
            here: now,
            there: statement.issued,
        });
    }
    wanted.agrees_with(&statement, &realm)?;
    let attachment = attached(&ceremony, wanted)?;
    let options: O = serde_json::from_value(ceremony.public_key)?;
    let hex = |bytes: &[u8]| hex::encode(bytes);
    same(
        "the challenge",
        &hex(&sha256(&ceremony.statement.0)),
        &hex(options.challenge()),
    )?;
    same("the relying party", &realm.as_str(), &options.rp_id())?;
    if options.verification() != Some(Requirement::Required) {
        return Err(Difference::new("the check who holds the key", "required", "not").into());
    }
    Ok(Agreed {
        statement,
        realm,
        options,
        bytes: ceremony.statement,
        seal: ceremony.seal,
        attachment,
    })
}

/// What is attached, if it is what was asked for.
fn attached(ceremony: &Ceremony, wanted: Wanted<'_>) -> Result<Option<Base64Url>, Difference> {
    let asked = match wanted {
        Wanted::Act(request, _) => request.attachment(),
        Wanted::SignIn | Wanted::Key(_) => None,
    };
    let given = ceremony.attachment.as_ref().map(|bytes| bytes.0.as_slice());
    if asked == given {
        return Ok(ceremony.attachment.clone());
    }
    let shown = |bytes: Option<&[u8]>| {
        bytes.map_or_else(|| "nothing".to_owned(), |bytes| hex::encode(sha256(bytes)))
    };
    Err(Difference::new(
        "the SHA-256 of what is attached",
        shown(asked),
        shown(given),
    ))
}

impl At<'_> {
    /// The realm of a statement. It must be the one on record for the gateway, if there is one, and
    /// one for which the gateway's address may speak.
    fn realm_of(self, statement: &Statement) -> Result<RealmName, PersonError> {
        let stated = statement.realm.as_str();
        if let Some(known) = self.realm {
            same("the realm", &known.as_str(), &stated).map_err(PersonError::OtherRealm)?;
        }
        let gateway = self.gateway.clone();
        if gateway.domain().is_none() {
            let realm = statement.realm.clone();
            return Err(PersonError::ByAddress { gateway, realm });
        }
        let realm = stated.parse::<RealmName>().ok();
        // The realm must be in its one form, because it is compared as text.
        let realm = realm.filter(|realm| realm.as_str() == stated && gateway.may_use(stated));
        realm.ok_or_else(|| PersonError::ForeignRealm {
            gateway,
            realm: statement.realm.clone(),
        })
    }
}
