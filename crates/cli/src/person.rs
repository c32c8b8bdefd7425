//! A person who uses the gateway's API with a security key.
//!
//! Nothing is signed just because a gateway wants it. The command says what it asks for
//! ([`ActRequest`]), the statement that comes back is read here and compared with that
//! ([`agreement`]), and the sentence that the person reads is made from the very bytes whose hash
//! the key signs. If anything differs, the key is not used.

mod agreement;
mod api;
mod arguments;
mod caller;
mod ceremony;
mod difference;
mod error;
pub(crate) mod folders;
mod kept_session;
mod key_choice;
mod known_realm;
mod one_time_link;
mod request;
mod session;
mod unanswered;

use hallway_api::Nothing;
use hallway_api::act::{Answer, Ceremony, NewLink, Outcome};
use hallway_api::key::{NewKey, Registered, Registration};
use hallway_api::link::{Link, Purpose, Token};
use hallway_api::session::{self as answers, GrantAs, SignIn, SignedIn};
use hallway_client::{
    AttestationPreference, Client, Connection, GetAssertion, MakeCredential, PinPrompt, Presence,
    User, UserVerification,
};
use hallway_ctap::cose::Algorithm;
use hallway_ctap::status::Status;
use hallway_evidence::statement::Act;
use hallway_evidence::{
    CredentialId, Evidence, Line, RealmName, Response, SignedStatement, Statement, Timestamp,
};
use hallway_webauthn::wire::{
    AssertionFields, AttestationFields, AuthenticationResponseJson, Base64Url, CreationOptions,
    CredentialDescriptor, CredentialType, RegistrationResponseJson, RequestOptions,
};
use serde::Deserialize;
use serde_json::{Map, Value};

use agreement::{Wanted, promised_link};
pub(crate) use api::{Api, Redirections, body, web_client};
pub(crate) use arguments::{PersonArguments, SETTINGS_FILE, Settings};
pub(crate) use caller::Caller;
use ceremony::{Agreed, At, agree};
pub(crate) use error::PersonError;
use kept_session::KeptSession;
pub(crate) use key_choice::KeyChoice;
pub(crate) use known_realm::KnownRealm;
pub(crate) use one_time_link::{LinkKind, OneTimeLink};
pub(crate) use request::{
    ActRequest, GuestRequest, Invitation, KeyToRegister, LinkId, MakersCertificate, WhomRequest,
};
pub(crate) use session::{Session, Who};

/// How many of a person's keys a new key is told of, if it does not say how many it accepts: this
/// many fit into the shortest message of CTAP (1024 bytes).
const EXCLUDED_AT_LEAST: usize = 6;
/// The most keys that it is told of, whatever it says.
const EXCLUDED_AT_MOST: usize = 64;

/// Whether a link can register `new`. Only the statement is believed about its purpose: this check
/// helps people who made a mistake.
fn suits(link: &Link, new: &KeyToRegister) -> Result<(), PersonError> {
    match (link.purpose, &new.name) {
        (Purpose::SignIn, _) => Err(PersonError::SignInLink),
        (Purpose::Setup, None) => Err(PersonError::Nameless),
        (Purpose::Setup, Some(_)) => Ok(()),
        (_, Some(name)) if name.as_str() != link.name => {
            Err(PersonError::Named(Line::nearest(&link.name)))
        }
        _ => Ok(()),
    }
}

/// An act that was done.
#[derive(Debug)]
pub(crate) struct Done {
    /// What was signed, as it was handed in.
    pub(crate) signed: SignedStatement,
    /// The statement in it.
    pub(crate) statement: Statement,
    /// When it was accepted, by the gateway's clock.
    pub(crate) accepted: Timestamp,
    /// The hash of its evidence, hexadecimal.
    pub(crate) evidence: String,
    /// The gateway's whole answer.
    pub(crate) outcome: Value,
}

/// A statement with a key's signature over it, not handed in yet.
struct Signed {
    agreed: Agreed<RequestOptions>,
    signed: SignedStatement,
    credential: Value,
    user_handle: Option<Vec<u8>>,
}

/// A person with a key at hand.
pub(crate) struct Person<C> {
    api: Api,
    realm: Option<RealmName>,
    key: Client<C>,
    pin: Box<dyn PinPrompt>,
    announce: Box<dyn Fn(&str)>,
}

impl<C: Connection> Person<C> {
    /// A person who holds `key` and can give its PIN. `realm` is the one on record for the gateway,
    /// if there is a record. `announce` is told what a touch is for, before the key waits for it.
    pub(crate) fn new(
        api: Api,
        realm: Option<RealmName>,
        key: C,
        pin: impl PinPrompt + 'static,
        announce: impl Fn(&str) + 'static,
    ) -> Self {
        Self {
            key: Client::new(key, api.gateway().origin()),
            api,
            realm,
            pin: Box::new(pin),
            announce: Box::new(announce),
        }
    }

    /// The API, with the session once it is open.
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// The gateway's realm, once something was signed in it.
    pub(crate) fn realm(&self) -> Option<&RealmName> {
        self.realm.as_ref()
    }

    /// The key, to set it up.
    pub(crate) fn key(&mut self) -> &mut Client<C> {
        &mut self.key
    }

    /// Registers a key by a one-time link, and returns whose it is now.
    ///
    /// # Errors
    /// [`PersonError`]. If the gateway wants something else signed, nothing is signed.
    pub(crate) async fn join(&mut self, new: &KeyToRegister) -> Result<Who, PersonError> {
        let token = Token {
            token: new.link.token.clone(),
        };
        let about: Link = self.api.post("/api/join/look", &token).await?;
        suits(&about, new)?;
        let wanted = NewKey {
            token: new.link.token.clone(),
            name: new.name.as_ref().map(|name| name.as_str().to_owned()),
            label: new.label.as_str().to_owned(),
        };
        let ceremony: Ceremony = self.api.post("/api/keys/statement", &wanted).await?;
        let agreed: Agreed<CreationOptions> = agree(ceremony, Wanted::Key(new), self.at())?;
        let Act::WebRegisterKey(terms) = &agreed.statement.act else {
            return Err(PersonError::Contradiction("it is about no key"));
        };
        let user = &agreed.options.user;
        // The key keeps these, and shows them at each sign-in.
        let is_theirs = user.id.0 == terms.person.as_bytes()
            && user.name == terms.name.as_str()
            && user.display_name == terms.name.as_str();
        if !is_theirs {
            return Err(PersonError::OtherAccount);
        }
        (self.announce)(&agreed.statement.sentence());
        let credential = self.make(&agreed.options)?;
        let answer = Registration {
            answer: Answer {
                statement: agreed.bytes,
                seal: agreed.seal,
                credential: serde_json::to_value(credential)?,
                attachment: None,
            },
            token: new.link.token.clone(),
        };
        let registered: Registered = self.api.post("/api/keys", &answer).await?;
        if registered.person.id != terms.person {
            return Err(PersonError::Contradiction("the key became somebody else's"));
        }
        self.realm = Some(agreed.realm);
        Ok(registered.person.into())
    }

    fn make(&mut self, options: &CreationOptions) -> Result<RegistrationResponseJson, PersonError> {
        let algorithms: Vec<Algorithm> = options
            .pub_key_cred_params
            .iter()
            .filter_map(|parameter| Algorithm::from_id(parameter.alg))
            .collect();
        let exclude = self.theirs(&options.exclude_credentials)?;
        let created = self.key.make_credential(
            &MakeCredential {
                rp_id: options.rp.id.as_deref().unwrap_or_default(),
                rp_name: &options.rp.name,
                user: User {
                    id: &options.user.id.0,
                    name: &options.user.name,
                    display_name: &options.user.display_name,
                },
                challenge: &options.challenge.0,
                algorithms: &algorithms,
                discoverable: true,
                user_verification: UserVerification::Required,
                exclude: &exclude,
                // A realm that demands certain models of keys asks what this one is.
                attestation: match options.attestation.as_deref() {
                    None | Some("none") => AttestationPreference::None,
                    Some(_) => AttestationPreference::Direct,
                },
            },
            &mut *self.pin,
        );
        let created = created.map_err(|error| match error.status() {
            Some(Status::CredentialExcluded) => PersonError::AlreadyRegistered,
            _ => error.into(),
        })?;
        Ok(RegistrationResponseJson {
            id: Base64Url(created.credential_id.clone()),
            raw_id: Base64Url(created.credential_id),
            response: AttestationFields {
                client_data_json: Base64Url(created.client_data_json),
                attestation_object: Base64Url(created.attestation_object),
                transports: created.transports,
            },
            authenticator_attachment: None,
            client_extension_results: Map::new(),
            kind: CredentialType::PublicKey,
        })
    }

    /// The ids of the person's keys, as many as this key accepts at a time: if one is its own, the
    /// key is not registered again.
    fn theirs(&mut self, held: &[CredentialDescriptor]) -> Result<Vec<Vec<u8>>, PersonError> {
        let info = self.key.info()?;
        let most = info.max_credential_count_in_list;
        let most = most.and_then(|most| usize::try_from(most).ok());
        let most = most.map_or(EXCLUDED_AT_LEAST, |most| most.min(EXCLUDED_AT_MOST));
        let longest = info.max_credential_id_length;
        // An id that is longer than the key's own ids is of another key.
        let may_be_here = |id: &&Vec<u8>| longest.is_none_or(|longest| id.len() as u64 <= longest);
        let ids = held.iter().map(|key| &key.id.0).filter(may_be_here);
        Ok(ids.take(most).cloned().collect())
    }

    /// Signs in; later requests use the session. Returns the gateway's description of the person.
    ///
    /// # Errors
    /// [`PersonError`]. If the gateway wants something else signed, nothing is signed.
    pub(crate) async fn sign_in(&mut self) -> Result<answers::Person, PersonError> {
        let ceremony: Ceremony = self.api.post("/api/sign-in/statement", &Nothing {}).await?;
        let agreed: Agreed<RequestOptions> = agree(ceremony, Wanted::SignIn, self.at())?;
        if !agreed.options.allow_credentials.is_empty() {
            // Nobody has said who they are: a gateway that names keys wants a certain person's.
            return Err(PersonError::OtherAccount);
        }
        let signed = self.sign(agreed)?;
        let answer = SignIn {
            answer: signed.answer(),
            grant: GrantAs::Bearer,
        };
        let SignedIn { person, token } = self.api.post("/api/sign-in", &answer).await?;
        let token = token.ok_or(PersonError::Contradiction("it gives no session"))?;
        let who = Who::from(person.clone());
        if signed.user_handle.as_deref() != Some(&who.id.as_bytes()[..]) {
            return Err(PersonError::Contradiction(
                "it says that you are somebody else than your key does",
            ));
        }
        self.realm = Some(signed.agreed.realm);
        self.api.set_session(Some(Session { who, token }));
        Ok(person)
    }

    /// Does an act.
    ///
    /// # Errors
    /// [`PersonError`]. If the gateway wants something else signed, nothing is signed.
    pub(crate) async fn act(&mut self, request: &ActRequest) -> Result<Done, PersonError> {
        let session = self.api.session().ok_or(PersonError::SignedOut)?;
        let who = session.who.clone();
        let ceremony: Ceremony = self.api.post("/api/acts/statement", request).await?;
        let agreed = agree(ceremony, Wanted::Act(request, &who), self.at())?;
        let signed = self.sign(agreed)?;
        // A key that was named need not say whose it is; if it does, it must be the signer's.
        let is_theirs = |handle: &Vec<u8>| handle == who.id.as_bytes();
        if !signed.user_handle.as_ref().is_none_or(is_theirs) {
            return Err(PersonError::OtherAccount);
        }
        let outcome: Value = self.api.post("/api/acts", &signed.answer()).await?;
        let done = signed.done(outcome, &self.api)?;
        self.realm = done.statement.realm.parse().ok();
        Ok(done)
    }

    fn at(&self) -> At<'_> {
        At {
            gateway: self.api.gateway(),
            realm: self.realm.as_ref(),
        }
    }

    fn sign(&mut self, agreed: Agreed<RequestOptions>) -> Result<Signed, PersonError> {
        (self.announce)(&agreed.statement.sentence());
        let allow: Vec<Vec<u8>> = agreed
            .options
            .allow_credentials
            .iter()
            .map(|key| key.id.0.clone())
            .collect();
        let asserted = self.key.get_assertion(
            &GetAssertion {
                rp_id: agreed.realm.as_str(),
                challenge: &agreed.statement.hash(),
                allow: &allow,
                user_verification: UserVerification::Required,
                presence: Presence::Required,
            },
            &mut *self.pin,
        )?;
        let signed = SignedStatement {
            statement: agreed.bytes.0.clone(),
            credential_id: CredentialId::new(asserted.credential_id.clone())?,
            response: Response::Assertion {
                client_data_json: asserted.client_data_json.clone(),
                authenticator_data: asserted.authenticator_data.clone(),
                signature: asserted.signature.clone(),
            },
        };
        let credential = AuthenticationResponseJson {
            id: Base64Url(asserted.credential_id.clone()),
            raw_id: Base64Url(asserted.credential_id),
            response: AssertionFields {
                client_data_json: Base64Url(asserted.client_data_json),
                authenticator_data: Base64Url(asserted.authenticator_data),
                signature: Base64Url(asserted.signature),
                user_handle: asserted.user_handle.clone().map(Base64Url),
            },
            authenticator_attachment: None,
            client_extension_results: Map::new(),
            kind: CredentialType::PublicKey,
        };
        Ok(Signed {
            agreed,
            signed,
            credential: serde_json::to_value(credential)?,
            user_handle: asserted.user_handle,
        })
    }
}

impl Signed {
    fn answer(&self) -> Answer {
        Answer {
            statement: self.agreed.bytes.clone(),
            seal: self.agreed.seal.clone(),
            credential: self.credential.clone(),
            attachment: self.agreed.attachment.clone(),
        }
    }

    /// The act that was done, if the outcome matches what was signed: its evidence, and the link
    /// that it promised.
    fn done(self, outcome: Value, api: &Api) -> Result<Done, PersonError> {
        let Outcome {
            evidence,
            accepted_ms,
            link,
            more: _,
        } = Outcome::deserialize(&outcome)?;
        let accepted = Evidence {
            signed: self.signed,
            accepted: Timestamp::from_ms(accepted_ms),
        };
        if evidence != hex::encode(accepted.hash()) {
            return Err(PersonError::Contradiction(
                "the evidence that it names is not of what you signed",
            ));
        }
        match (promised_link(&self.agreed.statement.act), link) {
            (None, None) => {}
            (Some((kind, hash)), Some(NewLink { link, .. })) => {
                let read = OneTimeLink::read(kind, &link)?;
                if read.hash() != hash || read.gateway != *api.gateway() {
                    return Err(PersonError::Contradiction(
                        "the link that it gives is not the one that you signed for",
                    ));
                }
            }
            (Some(_), None) => return Err(PersonError::Contradiction("it gives no link")),
            (None, Some(_)) => return Err(PersonError::Contradiction("it gives a link")),
        }
        Ok(Done {
            accepted: accepted.accepted,
            signed: accepted.signed,
            statement: self.agreed.statement,
            evidence,
            outcome,
        })
    }
}
