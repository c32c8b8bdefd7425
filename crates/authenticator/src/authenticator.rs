//! The authenticator: its state, and the way from a request to a response.

use alloc::vec::Vec;

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::command::{Command, Response};
use hallway_ctap::status::Status;
use zeroize::Zeroizing;

use crate::attestation::Attestation;
use crate::counter::Counter;
use crate::credential::{Credential, sha256};
use crate::fingerprints::Fingerprints;
use crate::index::Index;
use crate::persistent_token::PersistentToken;
use crate::pin::Pin;
use crate::pin_protocol::KeyAgreement;
use crate::platform::{
    Answer, Change, Clock, Environment, Platform, Presence, Question, RandomnessError, RecordKey,
    Storage, StorageError,
};
use crate::policy::Policy;
use crate::seed::Secrets;
use crate::sequence::{Caller, Sequences};
use crate::settings::{MAX_MESSAGE_BYTES, Settings};
use crate::signatures::{PrivateKeyError, SignatureError};
use crate::step::Step;
use crate::token::TokenState;
use crate::uv_state::UvState;

/// Why an authenticator does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PowerUpError {
    /// Storage failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Randomness failed.
    #[error(transparent)]
    Randomness(#[from] RandomnessError),
    /// The record with this number is malformed.
    #[error("record {0} is damaged")]
    Damaged(u16),
}

/// A security key.
pub struct Authenticator<E: Environment> {
    pub(crate) platform: Platform<E>,
    pub(crate) settings: Settings,
    pub(crate) attestation: Attestation,
    pub(crate) secrets: Secrets,
    pub(crate) index: Index,
    pub(crate) counter: Counter,
    pub(crate) pin: Pin,
    pub(crate) agreement: KeyAgreement,
    pub(crate) token: TokenState,
    pub(crate) persistent: PersistentToken,
    pub(crate) policy: Policy,
    pub(crate) fingerprints: Fingerprints,
    pub(crate) uv: UvState,
    pub(crate) sequences: Sequences,
    /// The sealed credential that was opened last, and the hash of its relying party id: a device
    /// signs with the same one again and again.
    pub(crate) opened: Option<([u8; 32], Credential)>,
    pub(crate) powered_up_ms: u64,
}

/// An attestation, ready to be stored.
pub struct AttestationRecord(Zeroizing<Vec<u8>>);

impl AttestationRecord {
    /// The change that stores the attestation.
    pub fn as_change(&self) -> Change<'_> {
        Change::Put(RecordKey::ATTESTATION, &self.0)
    }
}

impl<E: Environment> Authenticator<E> {
    /// The record that a maker writes into the storage of a new authenticator, once; it outlives
    /// resets.
    pub fn attestation_record(attestation: &Attestation) -> AttestationRecord {
        AttestationRecord(Zeroizing::new(attestation.encode()))
    }

    /// Starts the authenticator. The first start creates its master seed.
    ///
    /// # Errors
    /// [`PowerUpError`]: an authenticator does not start on records that it cannot read.
    pub fn power_up(mut platform: Platform<E>, settings: Settings) -> Result<Self, PowerUpError> {
        let damaged = |key: RecordKey| PowerUpError::Damaged(key.number());
        let seed = match platform.storage.read(RecordKey::SEED)? {
            Some(record) => {
                let seed: &[u8; 32] = record[..]
                    .try_into()
                    .map_err(|_| damaged(RecordKey::SEED))?;
                Zeroizing::new(*seed)
            }
            None => {
                let seed = platform.random::<32>()?;
                platform
                    .storage
                    .commit(&[Change::Put(RecordKey::SEED, &seed[..])])?;
                seed
            }
        };
        let persistent = match PersistentToken::read(&platform.storage)? {
            Some(persistent) => persistent,
            None => {
                let persistent = PersistentToken::generate(&mut platform)?;
                platform.storage.commit(&persistent.changes())?;
                persistent
            }
        };
        let attestation = match platform.storage.read(RecordKey::ATTESTATION)? {
            Some(record) => Attestation::decode(&record).ok_or(damaged(RecordKey::ATTESTATION))?,
            None => Attestation::SelfSigned,
        };
        let mut credentials = Vec::new();
        let mut unreadable = None;
        platform.storage.each(&mut |key, record| {
            if let Some(slot) = key.slot() {
                match Credential::decode(record) {
                    Some(credential) => credentials.push((slot, credential)),
                    None => unreadable = Some(key),
                }
            }
        })?;
        if let Some(key) = unreadable {
            return Err(damaged(key));
        }
        Ok(Self {
            secrets: Secrets::expand(&seed),
            attestation,
            index: Index::build(credentials),
            counter: Counter::resume(&platform.storage)?,
            pin: Pin::power_up(&platform.storage)?,
            agreement: KeyAgreement::generate(&mut platform.randomness)?,
            token: TokenState::default(),
            persistent,
            policy: Policy::power_up(&platform.storage)?,
            fingerprints: Fingerprints::power_up(&platform.storage)?,
            uv: UvState::power_up(&platform.storage)?,
            sequences: Sequences::default(),
            opened: None,
            powered_up_ms: platform.clock.now_ms(),
            settings,
            platform,
        })
    }

    /// Shuts down: gives back signature counter values that were reserved and not used. Cutting
    /// the power instead loses nothing but those.
    ///
    /// # Errors
    /// [`StorageError`].
    pub fn power_down(&mut self) -> Result<(), StorageError> {
        self.token.stop();
        self.counter.settle(&mut self.platform.storage)
    }

    /// How many PIN tries are left.
    pub const fn pin_retries(&self) -> u8 {
        self.pin.retries()
    }

    /// How many discoverable credentials there are.
    pub fn discoverable_credentials(&self) -> usize {
        self.index.len()
    }

    /// How credentials are attested.
    pub const fn attestation(&self) -> &Attestation {
        &self.attestation
    }

    /// The maker's settings, which may be changed before the first command.
    pub const fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// The platform that [`power_up`](Self::power_up) was given.
    pub const fn platform_mut(&mut self) -> &mut Platform<E> {
        &mut self.platform
    }

    /// Takes a request (command byte and CBOR) and gives the response (status byte and CBOR).
    pub fn process(&mut self, caller: Caller, request: &[u8]) -> Vec<u8> {
        if request.len() > MAX_MESSAGE_BYTES {
            return alloc::vec![Status::RequestTooLarge.code()];
        }
        match Command::parse(request).and_then(|command| self.handle(caller, &command)) {
            Ok(response) => response.encode(),
            Err(status) => alloc::vec![status.code()],
        }
    }

    /// Carries out one command.
    ///
    /// # Errors
    /// The status to answer with.
    pub fn handle(&mut self, caller: Caller, command: &Command<'_>) -> Result<Response, Status> {
        if *command == Command::GetInfo {
            // getInfo ends no sequence of commands.
            return self.get_info().map(|info| Response::GetInfo(info.into()));
        }
        let now_ms = self.platform.clock.now_ms();
        self.token.begin_request();
        let (turn, step) = self.sequences.enter(caller, command, &self.token, now_ms);
        let answer = self.carry_out(command, step);
        // The command may have waited for a touch.
        let now_ms = self.platform.clock.now_ms();
        self.sequences.settle(&turn, self.token.proved(), now_ms);
        answer
    }

    /// Ends the sequence of commands that a caller began, if any: call it when a channel is
    /// resynchronised, which discards its state (CTAP 2.3, section 11.2.9.1.3).
    pub fn forget(&mut self, caller: Caller) {
        self.sequences.forget(caller);
    }

    fn carry_out(&mut self, command: &Command<'_>, step: Option<Step>) -> Result<Response, Status> {
        match command {
            Command::MakeCredential(request) => {
                self.make_credential(request).map(Response::MakeCredential)
            }
            Command::GetAssertion(request) => {
                self.get_assertion(request).map(Response::GetAssertion)
            }
            Command::GetNextAssertion => match step {
                Some(Step::Assertions(assertions)) => self
                    .get_next_assertion(assertions)
                    .map(Response::GetAssertion),
                _ => Err(Status::NotAllowed),
            },
            Command::GetInfo => self.get_info().map(|info| Response::GetInfo(info.into())),
            Command::ClientPin(request) => self.client_pin(request).map(Response::ClientPin),
            Command::Reset => self.reset().map(|()| Response::Done),
            Command::Selection => self.touch(&Question::Selection).map(|()| Response::Done),
            Command::BioEnrollment(request) => self
                .bio_enrollment(request, step)
                .map(|response| Response::BioEnrollment(response.into())),
            Command::CredentialManagement(request) => self
                .credential_management(request, step)
                .map(|response| Response::CredentialManagement(response.into())),
            Command::LargeBlobs(request) => self
                .large_blobs(request, step)
                .map(|part| part.map_or(Response::Done, Response::LargeBlobs)),
            Command::Config(request) => self.config(request).map(|()| Response::Done),
            _ => Err(Status::InvalidCommand),
        }
    }

    /// How many discoverable credentials there may be.
    pub(crate) fn max_discoverable(&self) -> u16 {
        self.settings
            .max_discoverable
            .min(RecordKey::CREDENTIAL_SLOTS)
    }

    /// Commits changes to a discoverable credential, in one batch with a new store state, which
    /// tells holders of the persistent token that there was a change.
    pub(crate) fn commit_credential(&mut self, changes: &[Change<'_>]) -> Result<(), Status> {
        let state = *self.platform.random::<16>()?;
        let told = [Change::Put(RecordKey::STORE_STATE, &state)];
        self.platform.storage.commit(&[changes, &told].concat())?;
        self.persistent.store_state = state;
        Ok(())
    }

    /// The model, as the attestation or the settings name it.
    pub(crate) const fn aaguid(&self) -> Aaguid {
        match self.attestation.aaguid() {
            Some(aaguid) => aaguid,
            None => self.settings.aaguid,
        }
    }

    /// Asks the owner in a ceremony, where a timeout counts as a no (CTAP 2.3, sections 6.1.2,
    /// steps 1 and 14, and 6.2.2, steps 1 and 9).
    pub(crate) fn touch_in_ceremony(&mut self, question: &Question<'_>) -> Result<(), Status> {
        self.touch(question).map_err(|status| match status {
            Status::UserActionTimeout => Status::OperationDenied,
            other => other,
        })
    }

    /// Asks the owner to confirm.
    pub(crate) fn touch(&mut self, question: &Question<'_>) -> Result<(), Status> {
        match self.platform.presence.confirm(question) {
            Answer::Granted => Ok(()),
            Answer::Denied => Err(Status::OperationDenied),
            Answer::TimedOut => Err(Status::UserActionTimeout),
            Answer::Cancelled => Err(Status::KeepaliveCancel),
        }
    }

    /// The answer to a request whose pinUvAuthParam has no bytes: a touch picks this key, and the
    /// status tells whether it has a PIN (CTAP 2.3, sections 6.1.2 and 6.2.2, step 1).
    pub(crate) fn selected_by_touch(&mut self) -> Status {
        match self.touch_in_ceremony(&Question::Selection) {
            Ok(()) if self.pin.is_set() => Status::PinInvalid,
            Ok(()) => Status::PinNotSet,
            Err(status) => status,
        }
    }

    /// Reads the discoverable credential in a slot.
    pub(crate) fn load(&self, slot: u16) -> Result<Credential, Status> {
        let key = RecordKey::credential(slot);
        let record = self
            .platform
            .storage
            .read(key)?
            .ok_or(StorageError::Fault)?;
        Ok(Credential::decode(&record).ok_or(StorageError::Fault)?)
    }

    /// The credential with this id, discoverable or sealed, if it belongs to this relying party.
    pub(crate) fn find(
        &mut self,
        rp_id_hash: &[u8; 32],
        id: &[u8],
    ) -> Result<Option<Credential>, Status> {
        if let Some(slot) = self.index.of_id(id) {
            let credential = self.load(slot)?;
            let of_rp = credential
                .rp_id
                .as_ref()
                .is_some_and(|rp_id| sha256(rp_id.as_bytes()) == *rp_id_hash);
            if credential.id == id && of_rp {
                return Ok(Some(credential));
            }
        }
        if let Some((known, credential)) = &self.opened
            && known == rp_id_hash
            && credential.id == id
        {
            return Ok(Some(credential.clone()));
        }
        let credential = self.secrets.unseal(rp_id_hash, id);
        if let Some(credential) = &credential {
            self.opened = Some((*rp_id_hash, credential.clone()));
        }
        Ok(credential)
    }
}

impl From<StorageError> for Status {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Full => Self::KeyStoreFull,
            StorageError::Fault => Self::Other,
        }
    }
}

impl From<RandomnessError> for Status {
    fn from(_: RandomnessError) -> Self {
        Self::Other
    }
}

impl From<SignatureError> for Status {
    fn from(_: SignatureError) -> Self {
        Self::Other
    }
}

impl From<PrivateKeyError> for Status {
    fn from(_: PrivateKeyError) -> Self {
        Self::Other
    }
}
