//! One key, one origin, any number of ceremonies.

use hallway_ctap::cbor::Map;
use hallway_ctap::command::{self, code, get_info};
use hallway_ctap::status::Status;

use crate::connection::{Connection, Keepalive};
use crate::error::ClientError;

/// Whether the relying party wants the key to verify its owner.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum UserVerification {
    /// Verify, or fail.
    #[default]
    Required,
    /// Verify if the key can.
    Preferred,
    /// Do not, unless the key insists.
    Discouraged,
}

/// The platform's side of one key for one origin.
pub struct Client<C> {
    connection: C,
    origin: String,
    info: Option<get_info::Response>,
    on_keepalive: Box<dyn FnMut(Keepalive) + Send>,
}

/// A successful response.
pub(crate) struct Answer(Vec<u8>);

impl Answer {
    /// The map behind the status byte, if there is one.
    pub(crate) fn map(&self) -> Result<Option<Map<'_>>, ClientError> {
        command::answer(&self.0).map_err(ClientError::Refused)
    }

    /// The map, for commands that always answer with one.
    pub(crate) fn some_map(&self) -> Result<Map<'_>, ClientError> {
        self.map()?.ok_or(ClientError::Incomplete("any content"))
    }
}

impl<C: Connection> Client<C> {
    /// A client that writes `origin`, such as `https://gate.example`, into its client data.
    pub fn new(connection: C, origin: impl Into<String>) -> Self {
        Self {
            connection,
            origin: origin.into(),
            info: None,
            on_keepalive: Box::new(|_| {}),
        }
    }

    /// Calls `announce` whenever the key says that it is working or waits for a touch.
    pub fn on_keepalive(&mut self, announce: impl FnMut(Keepalive) + Send + 'static) {
        self.on_keepalive = Box::new(announce);
    }

    /// The origin that goes into client data.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The key's answer to getInfo, which is asked for once.
    ///
    /// # Errors
    /// [`ClientError`] when the key cannot be reached or understood.
    pub fn info(&mut self) -> Result<&get_info::Response, ClientError> {
        let info = match self.info.take() {
            Some(info) => info,
            None => {
                let answer = self.send(&[code::GET_INFO])?;
                get_info::Response::parse(&answer.some_map()?).map_err(|error| {
                    ClientError::Answer {
                        command: "getInfo",
                        error,
                    }
                })?
            }
        };
        Ok(self.info.insert(info))
    }

    /// Erases everything on the key.
    ///
    /// # Errors
    /// The key's refusal: too long after power-up, or nobody confirmed.
    pub fn reset(&mut self) -> Result<(), ClientError> {
        self.send(&[code::RESET])?;
        self.forget_info();
        Ok(())
    }

    /// Waits for a touch.
    ///
    /// # Errors
    /// The key's refusal.
    pub fn select(&mut self) -> Result<(), ClientError> {
        self.send(&[code::SELECTION]).map(|_| ())
    }

    /// The connection, for commands that this client does not offer.
    pub const fn connection_mut(&mut self) -> &mut C {
        &mut self.connection
    }

    /// The connection, when the client is no longer needed.
    pub fn into_connection(self) -> C {
        self.connection
    }

    pub(crate) fn forget_info(&mut self) {
        self.info = None;
    }

    pub(crate) fn send(&mut self, request: &[u8]) -> Result<Answer, ClientError> {
        let response = self.connection.transact(request, &mut *self.on_keepalive)?;
        match response.first() {
            Some(&code) if code == Status::Ok.code() => Ok(Answer(response)),
            Some(&code) => Err(ClientError::Refused(
                Status::from_code(code).unwrap_or(Status::Other),
            )),
            None => Err(ClientError::Incomplete("any content")),
        }
    }

    /// Whether to verify the user by PIN, by the key's own sensor, or not at all.
    pub(crate) fn verification(
        &mut self,
        wanted: UserVerification,
        insists: Insists,
    ) -> Result<Verification, ClientError> {
        let info = self.info()?;
        let has_pin = info.pin_serves_ceremonies();
        let has_sensor = info.option("uv") == Some(true);
        let always = info.option("alwaysUv") == Some(true);
        let insists = match insists {
            Insists::ForEvery => true,
            Insists::ForKept => info.option("makeCredUvNotRqd") != Some(true),
            Insists::Never => false,
        } && (has_pin || has_sensor);
        let wants = match wanted {
            UserVerification::Required => true,
            UserVerification::Preferred => has_pin || has_sensor,
            UserVerification::Discouraged => always || insists,
        };
        match (wants, has_sensor, has_pin) {
            (false, ..) => Ok(Verification::None),
            (true, true, _) => Ok(Verification::BuiltIn),
            (true, false, true) => Ok(Verification::Pin),
            (true, false, false) => Err(ClientError::VerificationUnavailable),
        }
    }
}

/// Whether a protected key demands verification for the command even when nobody asks for it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Insists {
    /// Every key does.
    ForEvery,
    /// Unless the key says that a touch is enough for credentials that it does not keep.
    ForKept,
    Never,
}

/// How the user is verified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verification {
    None,
    BuiltIn,
    Pin,
}
