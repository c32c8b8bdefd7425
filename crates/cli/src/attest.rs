//! `hallway attest explain`: what an attestation object or an assertion says, and which step fails.

mod acme;
mod input;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_evidence::{Printable, Timestamp};
use hallway_webauthn::explain::{
    ClientDataGiven, Conclusion, Evidence, Expected, Explanation, explain, explain_assertion,
};
use hallway_webauthn::{
    AssertionPolicy, AssertionResponse, AttestationObject, CounterPolicy, CredentialRecord,
    Framing, RelyingParty, TrustAnchor, TrustAnchors, UnixSeconds, UnnamedTop, UserPresence,
    UserVerification,
};
use reqwest::Url;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use self::input::{Assertion, Input};
use crate::{explained, terminal};

/// Attestation: what an authenticator's maker says about it.
#[derive(Debug, Args)]
pub(crate) struct AttestCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Explain(Explain),
}

/// Print what an attestation object, an assertion or a device's answer to an ACME server says, and
/// which step of its verification fails.
///
/// JSON may hold the ceremony around it: "challenge", "origin" and "rpId", as in the options that
/// were sent, beside the browser's response. With them, or with the options below, every step is
/// checked; without them, only what the object proves by itself. An assertion needs them, and the
/// credential's key as "publicKey" (a COSE_Key) or in the "attestationObject" of its registration.
///
/// Exit codes: 0 it verifies (or was only read), 1 it does not, 2 the command line or the file is
/// wrong.
#[derive(Debug, Args)]
struct Explain {
    /// CBOR, its hexadecimal or base64 text, or JSON such as a browser's response.
    file: PathBuf,
    /// The object's client data, to check signatures; a browser's response contains them.
    #[arg(long, value_name = "FILE")]
    client_data: Option<PathBuf>,
    /// The challenge that was sent: base64url, hexadecimal or plain text.
    #[arg(long, value_name = "TEXT")]
    challenge: Option<String>,
    /// An origin that may speak for the relying party; may be given several times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    origin: Vec<String>,
    /// The relying party's id; otherwise the host of the origin.
    #[arg(long, value_name = "DOMAIN", value_parser = crate::relying_party_id)]
    rp_id: Option<String>,
    /// The origin of a page that may show the relying party's page in a frame; may be given several
    /// times.
    #[arg(long, value_name = "ORIGIN", value_parser = origin)]
    top_origin: Vec<String>,
    /// Certificates to trust as anchors, PEM; may be given several times.
    #[arg(long, value_name = "FILE")]
    anchor: Vec<PathBuf>,
    /// The time at which certificates must be valid, in seconds since 1970; otherwise now.
    #[arg(long, value_name = "SECONDS")]
    at: Option<i64>,
    /// The file is a device's answer to an ACME server's device-attest-01 challenge: the payload
    /// {"attObj": …}, the signed request around it, or the object alone.
    #[arg(long)]
    acme: bool,
    /// The challenge's key authorization: its token, a dot, and the thumbprint of the account's
    /// key.
    #[arg(long, value_name = "TOKEN.THUMBPRINT", requires = "acme")]
    key_authorization: Option<String>,
    /// Print the explanation as JSON.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(command: &AttestCommand) -> Result<ExitCode, Box<dyn Error>> {
    let Action::Explain(asked) = &command.action;
    let found = match asked.explain() {
        Ok(found) => found,
        Err(problem) => {
            terminal::complain(&*problem);
            return Ok(ExitCode::from(2));
        }
    };
    if asked.json {
        println!("{}", serde_json::to_string_pretty(&found)?);
    } else {
        print(&found);
    }
    Ok(match found.conclusion {
        Conclusion::Unreadable | Conclusion::Invalid | Conclusion::Untrusted => ExitCode::FAILURE,
        Conclusion::NotChecked
        | Conclusion::NoCertificate
        | Conclusion::Trusted
        | Conclusion::Verified => ExitCode::SUCCESS,
    })
}

fn print(found: &Explanation) {
    println!("{}", Printable(&found.summary));
    explained::print_parts(&found.parts);
    println!("\nSteps");
    explained::print_steps(&found.steps.0);
}

/// The known part of a ceremony.
struct Ceremony {
    rp: RelyingParty,
    challenge: Vec<u8>,
    framing: Framing,
}

impl Explain {
    fn explain(&self) -> Result<Explanation, Box<dyn Error>> {
        let mut given = input::read(&read(&self.file)?)
            .map_err(|problem| format!("{}: {problem}", self.file.display()))?;
        if self.acme {
            let authorization = self.key_authorization.as_deref();
            return acme::explain(&given, authorization, &self.anchors()?, self.now(&given));
        }
        if let Some(path) = &self.client_data {
            given.client_data = Some(read(path)?);
        }
        let ceremony = self.ceremony(&given)?;
        let expected = ceremony.as_ref().map(|ceremony| Expected {
            rp: &ceremony.rp,
            challenge: &ceremony.challenge,
            framing: &ceremony.framing,
        });
        if let Some(assertion) = &given.assertion {
            let expected = expected.ok_or(
                "an assertion is checked against its ceremony: give --challenge and --origin, or \
                 \"challenge\" and \"origin\" in the JSON",
            )?;
            return self::assertion(&given, assertion, &expected);
        }
        let object = given.attestation_object.as_deref().unwrap_or_default();
        let hash: Option<[u8; 32]> = match &given.client_data_hash {
            None => None,
            Some(hash) => Some(
                hash.as_slice()
                    .try_into()
                    .map_err(|_| "clientDataHash is not 32 bytes long")?,
            ),
        };
        let client_data = match (&given.client_data, &hash) {
            (Some(json), _) => ClientDataGiven::Json(json),
            (None, Some(hash)) => ClientDataGiven::Hash(hash),
            (None, None) => ClientDataGiven::Nothing,
        };
        if expected.is_none() && given.client_data.is_some() {
            eprintln!(
                "The challenge, the origin and the relying party id are not checked: give \
                 --challenge and --origin for that."
            );
        }
        Ok(explain(
            object,
            &Evidence {
                client_data,
                expected,
                anchors: &self.anchors()?,
                now: self.now(&given),
            },
        ))
    }

    fn now(&self, given: &Input) -> UnixSeconds {
        let now = || UnixSeconds::from_ms(Timestamp::from(SystemTime::now()).as_ms());
        self.at.map(UnixSeconds).or(given.at).unwrap_or_else(now)
    }

    fn anchors(&self) -> Result<TrustAnchors, Box<dyn Error>> {
        let mut anchors = TrustAnchors::new();
        for path in &self.anchor {
            let problem = |error: &dyn Error| format!("{}: {error}", path.display());
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let before = anchors.iter().count();
            for der in CertificateDer::pem_file_iter(path).map_err(|error| problem(&error))? {
                let der = der.map_err(|error| problem(&error))?;
                anchors.add(
                    TrustAnchor::new(name.clone(), der.to_vec())
                        .map_err(|error| problem(&error))?,
                );
            }
            if anchors.iter().count() == before {
                return Err(format!("{}: no certificate in PEM form", path.display()).into());
            }
        }
        Ok(anchors)
    }

    /// The ceremony, if the challenge and an origin are known.
    fn ceremony(&self, given: &Input) -> Result<Option<Ceremony>, Box<dyn Error>> {
        let challenges = match &self.challenge {
            Some(text) => input::challenges(text),
            None => given.challenges.clone(),
        };
        let origins = if self.origin.is_empty() {
            let origins = given.origins.iter().map(|text| origin(text));
            origins.collect::<Result<_, _>>()?
        } else {
            self.origin.clone()
        };
        let (Some(first), Some(origin)) = (challenges.first(), origins.first()) else {
            return Ok(None);
        };
        let rp_id = match (&self.rp_id, &given.rp_id) {
            (Some(id), _) => Some(id.clone()),
            (None, Some(id)) => Some(crate::relying_party_id(id)?),
            (None, None) => None,
        };
        let rp_id = match rp_id.or_else(|| host(origin)) {
            Some(id) => id,
            None => return Err(format!("\"{origin}\" has no host: give --rp-id").into()),
        };
        // A challenge in text form can be read in several ways: the client data tell which.
        let client_data = given.client_data.as_deref().unwrap_or_default();
        let challenge = challenges
            .iter()
            .find(|challenge| input::mentions(client_data, challenge))
            .unwrap_or(first);
        let framing = if self.top_origin.is_empty() {
            Framing::SameOrigin
        } else {
            Framing::Within {
                top_origins: self.top_origin.clone(),
                unnamed_top: UnnamedTop::Accept,
            }
        };
        Ok(Some(Ceremony {
            rp: RelyingParty { id: rp_id, origins },
            challenge: challenge.clone(),
            framing,
        }))
    }
}

/// An origin in the form that client data use: a web page's as the URL standard serialises it, an
/// application's, such as `android:apk-key-hash:…`, unchanged.
fn origin(text: &str) -> Result<String, String> {
    let scheme = text.split(':').next().unwrap_or_default();
    if !["http", "https"]
        .iter()
        .any(|web| scheme.eq_ignore_ascii_case(web))
    {
        return match text.contains(':') && !text.contains(char::is_whitespace) {
            true => Ok(text.to_owned()),
            false => Err(format!(
                "{text:?} is not an origin, such as https://gate.example"
            )),
        };
    }
    let url = Url::parse(text).map_err(|error| format!("{text:?} is not an origin: {error}"))?;
    let is_bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    if is_bare && url.username().is_empty() && url.password().is_none() {
        Ok(url.origin().ascii_serialization())
    } else {
        Err(format!(
            "{text:?} is not an origin: nothing may follow the host or the port"
        ))
    }
}

/// `gate.example` of `https://gate.example:8443`.
fn host(origin: &str) -> Option<String> {
    let url = Url::parse(origin).ok()?;
    Some(url.host_str()?.to_owned())
}

/// Verifies an assertion by the most lenient policy: reports what it proves, not whether that is
/// enough for some door.
fn assertion(
    given: &Input,
    assertion: &Assertion,
    expected: &Expected<'_>,
) -> Result<Explanation, Box<dyn Error>> {
    let public_key = public_key(given, assertion)?;
    let eligible = AuthenticatorData::parse(&assertion.authenticator_data)
        .is_ok_and(|data| data.flags.contains(Flags::BACKUP_ELIGIBLE));
    let record = CredentialRecord {
        id: assertion.credential_id.clone(),
        public_key,
        sign_count: assertion.sign_count,
        backup_eligible: eligible,
        backed_up: false,
        uv_initialized: false,
        transports: Vec::new(),
        user_handle: assertion.user_handle.clone().unwrap_or_default(),
        aaguid: Aaguid::ZERO,
    };
    let response = AssertionResponse {
        credential_id: &assertion.credential_id,
        client_data_json: given
            .client_data
            .as_deref()
            .ok_or("the assertion comes without its clientDataJSON")?,
        authenticator_data: &assertion.authenticator_data,
        signature: &assertion.signature,
        user_handle: assertion.user_handle.as_deref(),
    };
    let policy = AssertionPolicy {
        user_presence: UserPresence::NotRequired,
        user_verification: UserVerification::NotRequired,
        counter: CounterPolicy::Report,
        ..AssertionPolicy::default()
    };
    Ok(explain_assertion(&response, &record, expected, &policy))
}

/// The credential's COSE_Key, as given or from the registration.
fn public_key(given: &Input, assertion: &Assertion) -> Result<Vec<u8>, Box<dyn Error>> {
    let registered = given.attestation_object.as_deref().and_then(|object| {
        let object = AttestationObject::parse(object).ok()?;
        let data = AuthenticatorData::parse(object.authenticator_data).ok()?;
        Some(data.attested_credential?.public_key.to_vec())
    });
    match (&assertion.public_key, registered) {
        // A SubjectPublicKeyInfo, which browsers give beside the attestation object.
        (Some(key), None) if key.first() == Some(&0x30) => Err(
            "the public key is a SubjectPublicKeyInfo; give the COSE_Key, or the \
             attestationObject of the registration"
                .into(),
        ),
        (Some(key), _) if key.first() != Some(&0x30) => Ok(key.clone()),
        (_, Some(key)) => Ok(key),
        (_, None) => Err(
            "the assertion comes without the credential's key: give \"publicKey\" (a COSE_Key), or \
             the \"attestationObject\" of the registration"
                .into(),
        ),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}
