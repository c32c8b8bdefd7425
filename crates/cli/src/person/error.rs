//! Why a person did not get what they asked a gateway for.

use std::io;
use std::path::PathBuf;

use hallway_client::{AddressError, ClientError, ConnectionError, GatewayAddress, HidKey};
use hallway_ctap::status::Status;
use hallway_evidence::{
    CredentialIdError, DecodeError, Line, LineError, OriginError, Printable, Timestamp, causes,
};
use hallway_softkey::KeyFileError;
use reqwest::StatusCode;

use super::KeyChoice;
use super::difference::Difference;
use super::one_time_link::LinkKind;
use super::unanswered::Unanswered;
use crate::key::{KeyCommandError, with_advice};
use crate::terminal;

/// Why the gateway was not asked, or did not do it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PersonError {
    /// The network.
    #[error(transparent)]
    Network(#[from] Unanswered),
    /// The key said no.
    #[error("{}", refusal(.0))]
    Key(ClientError),
    /// One of the person's keys is to be registered a second time.
    #[error("this key is registered already; use another one")]
    AlreadyRegistered,
    /// The key's file.
    #[error("{}", file_problem(.0))]
    KeyFile(KeyFileError),
    /// What opens the key's file, or its PIN.
    #[error(transparent)]
    Secret(#[from] KeyCommandError),
    /// The key can't be reached.
    #[error("the key {key} can't be reached: {error}")]
    Unreachable {
        key: KeyChoice,
        error: ConnectionError,
    },
    /// No key is plugged in.
    #[error("no security key is plugged in; plug one in, or name another with --key")]
    NoKey,
    /// Several keys are plugged in.
    #[error("several security keys are plugged in; name one with --key: {}", listed(.0))]
    ManyKeys(Vec<HidKey>),
    /// Nobody said which gateway.
    #[error(
        "which gateway? Give --gateway, HALLWAY_GATEWAY, or gateway = \"…\" in {}", .0.display()
    )]
    NoGateway(PathBuf),
    /// The configuration has no such account.
    #[error("there is no account “{}”{}", Printable(.name), known_accounts(.known))]
    NoAccount {
        /// The account that was asked for.
        name: String,
        /// The names of all accounts.
        known: Vec<String>,
    },
    /// Not the address of a gateway, or one that is not secure.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// The statement can't be read.
    #[error("what the gateway wants signed can't be read: {0}. Nothing was signed")]
    UnreadableStatement(DecodeError),
    /// The statement is not the one that was asked for.
    #[error(transparent)]
    Different(#[from] Difference),
    /// The clocks are too far apart: what is signed carries the gateway's time.
    #[error(
        "this computer's clock says {here}, and the gateway's says {there}. Nothing was signed. \
         Set this computer's clock; if it is right, tell the gateway's operator"
    )]
    Clocks { here: Timestamp, there: Timestamp },
    /// Keys are bound to names, and the gateway was called by an IP address.
    #[error(
        "security keys belong to names, and {gateway} is an IP address: reach the gateway of \
         {realm} by its name{}. Nothing was signed", at_home(.realm, .gateway)
    )]
    ByAddress {
        /// The address that was called.
        gateway: GatewayAddress,
        /// The realm that the gateway claims to be.
        realm: Line,
    },
    /// The gateway's address may not speak for the realm that it claims to be.
    #[error(
        "the gateway at {gateway} says that its realm is {realm}, for which only {realm} and names \
         below it can speak. Nothing was signed. Use the address that the gateway's operator gave \
         you; if it is this one, do not sign here: ask the operator"
    )]
    ForeignRealm {
        /// The address that was called.
        gateway: GatewayAddress,
        /// The realm that the gateway claims to be.
        realm: Line,
    },
    /// The link names somebody already.
    #[error(
        "this link is for “{0}”: leave out --name. If that is not you, ask the sender for another"
    )]
    Named(Line),
    /// The link makes the first owner, whom nobody named.
    #[error("this link makes the realm's first owner: give your name with --name")]
    Nameless,
    /// The link signs in a browser, and registers no key.
    #[error(
        "this is a sign-in link: open it in a browser, where it signs you in once. To sign in by \
         command, use `hallway sign-in` with a key; to register a key here, make a link with \
         `hallway link add-key`"
    )]
    SignInLink,
    /// The realm is another one than before.
    #[error(
        "{0}. If you know that its realm was set up anew, delete the record of it: realm-….json \
         below XDG_STATE_HOME/hallway; and if hallway.toml names a realm, correct it there"
    )]
    OtherRealm(Difference),
    /// The key is asked to sign for somebody else.
    #[error("the gateway wants a signature of another account than yours; nothing was handed over")]
    OtherAccount,
    /// The key gave a credential without a usable id.
    #[error("the key: {0}")]
    Credential(#[from] CredentialIdError),
    /// What came back is not about what was signed.
    #[error(
        "the gateway's answer contradicts what you signed: {0}. Do not use what it gave, and ask \
         an owner of the realm what the log holds"
    )]
    Contradiction(&'static str),
    /// The file of the session is not as it was written.
    #[error(
        "{}: this is not the session that `hallway sign-in` kept there: the file was changed. Run \
         `hallway sign-in`, which writes a new one", terminal::path(.0)
    )]
    SpoiledSession(PathBuf),
    /// The same, and nobody wants it any more.
    #[error(
        "{}: this was not the session that `hallway sign-in` kept there, and is removed. The \
         session may be open at the gateway until it expires; the console's page Keys ends it at \
         once",
        terminal::path(.0)
    )]
    LostSession(PathBuf),
    /// Nobody is signed in.
    #[error("nobody is signed in; run `hallway sign-in`")]
    SignedOut,
    /// The gateway's answer is too long.
    #[error("the gateway's answer is longer than {0} bytes")]
    TooLong(usize),
    /// A name that can't be shown in a sentence.
    #[error("the {what}: {error}")]
    Name {
        what: &'static str,
        error: LineError,
    },
    /// The link has no secret.
    #[error("this is not a one-time link: the part after # is missing")]
    NotALink,
    /// The link's secret can't be read.
    #[error("the one-time link is damaged after the #; copy it again, all of it")]
    DamagedLink,
    /// The link is for something else.
    #[error("{}; this command needs one that {wanted}", of_kind(*.found))]
    OtherLink {
        wanted: LinkKind,
        /// What the link is, if it is any.
        found: Option<LinkKind>,
    },
    /// Another realm's invitation has an address at which no partner can be.
    #[error("no partner can be at {0}: {1}")]
    PartnerAddress(GatewayAddress, OriginError),
    /// No link that is open has this id.
    #[error("there is no open link {0:?} that you may withdraw; \"hallway link list\" shows them")]
    NoSuchLink(String),
    /// Several open links' ids begin so.
    #[error("several links begin with {0:?}; give more of the id")]
    ManyLinks(String),
    /// The person's configuration.
    #[error("{}: {error}", .path.display())]
    Configuration {
        path: PathBuf,
        error: Box<toml::de::Error>,
    },
    /// A file.
    #[error("{}: {error}", .path.display())]
    File { path: PathBuf, error: io::Error },
    /// The folders of this person, or the list of keys.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The gateway refused.
    #[error("the gateway refuses ({}): {}", Printable(.code), Printable(.detail))]
    Refused {
        status: StatusCode,
        /// The problem's code.
        code: String,
        /// The gateway's words.
        detail: String,
    },
    /// The gateway says something that this program does not understand.
    #[error("the gateway's answer is not understood: {0}")]
    Answer(#[from] serde_json::Error),
}

/// The address of a realm's gateway by its name, as advice.
fn at_home(realm: &Line, gateway: &GatewayAddress) -> String {
    let port = gateway.url().port();
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    if gateway.is_local() && (realm.as_str() == "localhost" || realm.ends_with(".localhost")) {
        format!(", http://{realm}{port}")
    } else {
        format!(", such as https://{realm}{port}")
    }
}

/// Why the key refused, and what to do about it at a gateway.
fn refusal(error: &ClientError) -> String {
    match error.status() {
        Some(Status::NoCredentials) => {
            "this key is not registered at this gateway: register it with hallway join, or name another \
             with --key"
                .to_owned()
        }
        _ => with_advice(error),
    }
}

fn file_problem(error: &KeyFileError) -> String {
    match error {
        KeyFileError::InUse(path) => format!(
            "{} is in use: if it is being served, name it as it is served, --key udp:ADDRESS:PORT \
             or unix:PATH; otherwise wait for the other command",
            path.display()
        ),
        other => causes(other),
    }
}

fn listed(keys: &[HidKey]) -> String {
    let one = |key: &HidKey| format!("usb:{} ({})", key.path.display(), key.name);
    keys.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn known_accounts(known: &[String]) -> String {
    if known.is_empty() {
        ": hallway.toml has no [accounts]".to_owned()
    } else {
        format!(" in hallway.toml; there is: {}", known.join(", "))
    }
}

fn of_kind(found: Option<LinkKind>) -> String {
    match found {
        Some(kind) => format!("this link {kind}"),
        None => "this is not a one-time link of a gateway".to_owned(),
    }
}

impl From<ClientError> for PersonError {
    fn from(error: ClientError) -> Self {
        Self::Key(error)
    }
}

impl From<KeyFileError> for PersonError {
    fn from(error: KeyFileError) -> Self {
        Self::KeyFile(error)
    }
}

impl From<reqwest::Error> for PersonError {
    fn from(error: reqwest::Error) -> Self {
        Self::Network(error.into())
    }
}

impl PersonError {
    /// Whether there is no session, or no longer one.
    pub(crate) fn is_signed_out(&self) -> bool {
        matches!(self, Self::SignedOut)
            || matches!(self, Self::Refused { status, .. } if *status == StatusCode::UNAUTHORIZED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_that_is_not_there_is_told_with_those_that_are() {
        let told = |known: &[&str]| {
            let known = known.iter().map(|name| (*name).to_owned()).collect();
            let name = "lab\n".to_owned();
            PersonError::NoAccount { name, known }.to_string()
        };
        assert_eq!(
            told(&[]),
            r"there is no account “lab\n”: hallway.toml has no [accounts]"
        );
        assert_eq!(
            told(&["home", "work"]),
            r"there is no account “lab\n” in hallway.toml; there is: home, work"
        );
    }
}
