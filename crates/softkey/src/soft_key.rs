//! The software key: an authenticator over a key file.

use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use hallway_authenticator::{
    Attestation, Authenticator, Caller, Clock, Enterprise, Environment, Everyday, Gesture,
    LargeBlobs, PinUse, Platform, PrivateKey, Randomness, RandomnessError, Settings,
    SimulatedSensor,
};
use hallway_client::{Connection, ConnectionError, Keepalive};
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::command::{Command, Response, get_info};
use zeroize::Zeroizing;

use crate::aws_lc::{AwsLc, p256_from_der};
use crate::consent::{Consent, Job, Owner};
use crate::error::KeyFileError;
use crate::journal::Journal;
use crate::protection::Protection;
use crate::seed::Seed;

/// A computer, as an authenticator sees it.
pub(crate) struct Computer;

impl Environment for Computer {
    type Storage = Journal;
    type Presence = Owner;
    type Clock = SinceStart;
    type Randomness = OperatingSystem;
    type Signatures = AwsLc;
    type Fingerprints = Option<SimulatedSensor>;
}

pub(crate) struct SinceStart(Instant);

impl Clock for SinceStart {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

pub(crate) struct OperatingSystem;

impl Randomness for OperatingSystem {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), RandomnessError> {
        getrandom::fill(bytes).map_err(|_| RandomnessError)
    }
}

/// The choices that are made when a key file is created.
pub struct NewKey {
    /// How its credentials are attested; it outlives resets.
    pub attestation: Attestation,
    /// Whether the owner may back up secrets; it outlives resets.
    pub backup: BackupLeave,
    /// A known seed, such as one from a backup, in place of a new one.
    pub seed: Option<Seed>,
}

/// An attestation key with its certificates.
pub struct AttestationIdentity {
    /// DER certificates, the key's own first, without the root.
    pub chain: Vec<Vec<u8>>,
    /// The P-256 key that the first certificate names, in DER: PKCS #8 or RFC 5915.
    pub key: Zeroizing<Vec<u8>>,
}

impl AttestationIdentity {
    /// The chain and the key, if they belong together.
    fn matched(&self) -> Result<(Vec<Vec<u8>>, PrivateKey), KeyFileError> {
        let (key, point) = p256_from_der(&self.key)
            .ok_or(KeyFileError::Attestation("the key is not a P-256 key"))?;
        let leaf = self
            .chain
            .first()
            .ok_or(KeyFileError::Attestation("there is no certificate"))?;
        if !contains(leaf, &point) {
            return Err(KeyFileError::Attestation(
                "the first certificate is not the key's",
            ));
        }
        Ok((self.chain.clone(), key))
    }
}

fn contains(whole: &[u8], part: &[u8]) -> bool {
    whole.windows(part.len()).any(|window| window == part)
}

/// Whether secrets may leave a key file.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum BackupLeave {
    /// Secrets never leave.
    #[default]
    Never,
    /// The owner may back them up.
    Allowed,
}

impl NewKey {
    /// A person's key: self attestation, which says nothing about the maker.
    pub const fn personal() -> Self {
        Self {
            attestation: Attestation::SelfSigned,
            backup: BackupLeave::Never,
            seed: None,
        }
    }

    /// A device's key, with the identity that its maker gave it.
    ///
    /// `chain` holds DER certificates, the device's own first, without the root; `key` is the P-256
    /// key that the first one names, in DER.
    ///
    /// # Errors
    /// [`KeyFileError::Attestation`] when key and certificate do not belong together.
    pub fn certified(
        chain: Vec<Vec<u8>>,
        key: &[u8],
        aaguid: Aaguid,
    ) -> Result<Self, KeyFileError> {
        let identity = AttestationIdentity {
            chain,
            key: Zeroizing::new(key.to_vec()),
        };
        let (chain, key) = identity.matched()?;
        if !chain.first().is_some_and(|leaf| contains(leaf, &aaguid.0)) {
            return Err(KeyFileError::Attestation(
                "the first certificate does not name the AAGUID (id-fido-gen-ce-aaguid)",
            ));
        }
        Ok(Self {
            attestation: Attestation::Certified { chain, key, aaguid },
            ..Self::personal()
        })
    }

    /// A key of an organisation. Once its owner enables that, `enterprise` identifies the
    /// individual key to the relying parties that were agreed on (CTAP 2.3, section 7.1); all
    /// others get `batch`, which identifies no single key, or self attestation. The relying parties
    /// `rp_ids` get `enterprise` even where the platform does not choose them.
    ///
    /// # Errors
    /// [`KeyFileError::Attestation`] when a key and its certificate do not belong together.
    pub fn enterprise(
        enterprise: &AttestationIdentity,
        batch: Option<&AttestationIdentity>,
        aaguid: Option<Aaguid>,
        rp_ids: Vec<String>,
    ) -> Result<Self, KeyFileError> {
        let (chain, key) = enterprise.matched()?;
        let everyday = match batch {
            Some(batch) => {
                if batch.chain.first() == chain.first() {
                    return Err(KeyFileError::Attestation(
                        "the batch certificate is the enterprise certificate, by which everybody \
                         would learn which key it is",
                    ));
                }
                let (chain, key) = batch.matched()?;
                Everyday::Batch { chain, key }
            }
            None => Everyday::SelfSigned,
        };
        Ok(Self {
            attestation: Attestation::Enterprise(Box::new(Enterprise {
                everyday,
                chain,
                key,
                aaguid: aaguid.unwrap_or(Settings::default().aaguid),
                rp_ids,
            })),
            ..Self::personal()
        })
    }
}

/// A key file that is not open.
pub struct KeyFile;

impl KeyFile {
    /// Creates a key file. It appears under its name only when it is whole and on the disk.
    ///
    /// # Errors
    /// [`KeyFileError::Exists`] when there is a file already.
    pub fn create(path: &Path, protection: &Protection, new: &NewKey) -> Result<(), KeyFileError> {
        type Key = Authenticator<Computer>;
        let attestation = Key::attestation_record(&new.attestation);
        let mut records = vec![attestation.as_change()];
        if new.backup == BackupLeave::Allowed {
            records.push(Key::allow_backup());
        }
        let count = seconds_since_1970().to_be_bytes();
        if let Some(Seed(seed)) = &new.seed {
            records.extend(Key::with_seed(seed, &count));
        }
        Journal::create(path, protection, &records)
    }
}

/// Where the signature counter of a restored seed continues: nobody knows how far the lost key had
/// counted, but not to more than one each second since 1970.
fn seconds_since_1970() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(u32::MAX / 2, |since| {
        u32::try_from(since.as_secs()).unwrap_or(u32::MAX / 2)
    })
}

/// An open key. Dropping it gives back the signature counter values that were reserved and not
/// used.
pub struct SoftKey {
    pub(crate) authenticator: Authenticator<Computer>,
}

/// The longest large blob beside a credential, compressed.
const MAX_BLOB_BYTES: usize = 4096;
/// The largest number of discoverable credentials.
const MAX_DISCOVERABLE: u16 = 10_000;

impl SoftKey {
    /// Opens a key file, and keeps others from opening it.
    ///
    /// # Errors
    /// [`KeyFileError`].
    pub fn open(
        path: &Path,
        protection: &Protection,
        consent: Consent,
    ) -> Result<Self, KeyFileError> {
        Self::power_up(Journal::open(path, protection)?, consent)
    }

    /// Opens a key file of which `witness`, a file elsewhere, has seen every commit: an older copy
    /// is refused, and cannot give PIN tries back. If there is no witness yet, one is created.
    ///
    /// # Errors
    /// [`KeyFileError::OlderCopy`], [`KeyFileError::OtherWitness`] and the others.
    pub fn open_witnessed(
        path: &Path,
        protection: &Protection,
        consent: Consent,
        witness: &Path,
    ) -> Result<Self, KeyFileError> {
        let journal = Journal::open(path, protection)?.watched_by(witness)?;
        Self::power_up(journal, consent)
    }

    fn power_up(storage: Journal, consent: Consent) -> Result<Self, KeyFileError> {
        let platform = Platform::<Computer> {
            storage,
            presence: Owner {
                consent,
                job: Arc::default(),
            },
            clock: SinceStart(Instant::now()),
            randomness: OperatingSystem,
            signatures: AwsLc::default(),
            fingerprints: None,
        };
        let settings = Settings {
            max_discoverable: MAX_DISCOVERABLE,
            ..Settings::default()
        };
        Ok(Self {
            authenticator: Authenticator::power_up(platform, settings)?,
        })
    }

    /// Lists ML-DSA among the algorithms in getInfo. Requests may name it either way; some browsers
    /// refuse a key that lists an algorithm that they do not know.
    pub const fn advertise_post_quantum(&mut self) {
        self.authenticator.settings_mut().advertise_post_quantum = true;
    }

    /// Offers the extension previewSign, until the key is closed: signing keys beside credentials,
    /// for data that relying parties choose. It is a draft (version 4).
    pub const fn offer_preview_sign(&mut self) {
        self.authenticator.settings_mut().preview_sign = true;
    }

    /// Keeps large blobs beside their credentials (extension largeBlob) instead of in one array
    /// (largeBlobKey), until the key is closed. Blobs that are kept in one way are not seen in the
    /// other.
    pub const fn keep_blobs_with_credentials(&mut self) {
        self.authenticator.settings_mut().large_blobs = LargeBlobs::WithCredentials {
            max_length: MAX_BLOB_BYTES,
        };
    }

    /// Leaves registration and sign-in to the key's own sensor, and the PIN to management
    /// (noMcGaPermissionsWithClientPin), until the key is closed.
    pub const fn keep_pin_out_of_ceremonies(&mut self) {
        self.authenticator.settings_mut().pin_use = PinUse::Management;
    }

    /// Gives the key a simulated fingerprint sensor, at which `script` happens, and then its last
    /// gesture again and again. It verifies nobody: for tests only.
    pub fn simulate_fingerprints(&mut self, script: impl IntoIterator<Item = Gesture>) {
        self.authenticator.platform_mut().fingerprints = Some(SimulatedSensor::new(script));
    }

    /// Takes a CTAP2 request (command byte and CBOR) and gives the response (status byte and
    /// CBOR). The holder of this value is the key's only caller.
    pub fn process(&mut self, request: &[u8]) -> Vec<u8> {
        self.authenticator.process(Caller::ONLY, request)
    }

    /// The key's answer to getInfo.
    pub fn info(&mut self) -> get_info::Response {
        match self.authenticator.handle(Caller::ONLY, &Command::GetInfo) {
            Ok(Response::GetInfo(info)) => *info,
            _ => get_info::Response::default(),
        }
    }

    /// How many PIN tries are left.
    pub const fn pin_retries(&self) -> u8 {
        self.authenticator.pin_retries()
    }

    /// The number of discoverable credentials in the key file.
    pub fn discoverable_credentials(&self) -> usize {
        self.authenticator.discoverable_credentials()
    }

    /// How the key attests its credentials.
    pub const fn attestation(&self) -> &Attestation {
        self.authenticator.attestation()
    }

    /// Bytes of a torn last write that were dropped when the file was opened; usually 0.
    pub fn dropped_bytes(&mut self) -> u64 {
        self.authenticator.platform_mut().storage.dropped()
    }

    /// The path of the key file.
    pub fn path(&mut self) -> &Path {
        self.authenticator.platform_mut().storage.path()
    }

    /// Takes a U2F APDU and gives its response.
    pub(crate) fn process_apdu(&mut self, apdu: &[u8], job: &Arc<Job>) -> Vec<u8> {
        self.authenticator.platform_mut().presence.job = Arc::clone(job);
        self.authenticator.process_apdu(apdu)
    }

    /// Processes a request that a transport brought, which `job` can cancel.
    pub(crate) fn process_job(
        &mut self,
        caller: Caller,
        request: &[u8],
        job: &Arc<Job>,
    ) -> Vec<u8> {
        self.authenticator.platform_mut().presence.job = Arc::clone(job);
        self.authenticator.process(caller, request)
    }

    /// Ends the sequence of commands of a caller that starts afresh.
    pub(crate) fn forget(&mut self, caller: Caller) {
        self.authenticator.forget(caller);
    }
}

impl Connection for SoftKey {
    fn transact(
        &mut self,
        request: &[u8],
        _: &mut dyn FnMut(Keepalive),
    ) -> Result<Vec<u8>, ConnectionError> {
        Ok(self.process(request))
    }
}

impl Drop for SoftKey {
    fn drop(&mut self) {
        // If it cannot be written, the next start skips values: correct, only wasteful.
        let _ = self.authenticator.power_down();
    }
}
