//! authenticatorMakeCredential (CTAP 2.3, section 6.1.2).

use alloc::vec::Vec;

use hallway_ctap::authenticator_data::{AttestedCredential, AuthenticatorData};
use hallway_ctap::cbor::MapBuilder;
use hallway_ctap::command::User;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::get_assertion::OwnedUser;
use hallway_ctap::command::large_blob_extension::{Output, Support};
use hallway_ctap::command::make_credential::{Request, Response};
use hallway_ctap::command::preview_sign;
use hallway_ctap::cose::Algorithm;
use hallway_ctap::status::Status;

use crate::attestation::{Audience, Statement};
use crate::authenticator::Authenticator;
use crate::credential::{Credential, Features, Protection, Verified, sha256};
use crate::hmac_secret::Salts;
use crate::limits::{MAX_CRED_BLOB_BYTES, MAX_LISTED_CREDENTIALS};
use crate::platform::{Change, Environment, Question, RecordKey};
use crate::preview_sign::SigningTerms;
use crate::signatures::{PrivateKey, Signatures};
use crate::uvm::{Touched, uvm};
use crate::verification::{Ceremony, Demand, Proved, flags};

/// The longest user handle (WebAuthn Level 3, section 5.4.3).
const MAX_USER_ID_BYTES: usize = 64;
/// Longer names are cut here, as WebAuthn Level 3, section 6.4.1.2 allows.
const MAX_NAME_BYTES: usize = 64;
/// The longest relying party id: a domain name.
const MAX_RP_ID_BYTES: usize = 255;

impl<E: Environment> Authenticator<E> {
    pub(crate) fn make_credential(&mut self, request: &Request<'_>) -> Result<Response, Status> {
        let ceremony = Ceremony {
            rp_id: request.rp.id,
            client_data_hash: request.client_data_hash,
            options: request.options,
            param: request.pin_uv_auth_param,
            protocol: request.pin_uv_auth_protocol,
            permission: Permissions::MAKE_CREDENTIAL,
        };
        // Steps 1 and 2.
        self.check_protocol(&ceremony)?;
        check_lengths(request)?;
        // Step 3: the algorithm.
        let algorithm = self.choose_algorithm(&request.algorithms)?;
        // Step 5: the options.
        let discoverable = request.options.discoverable == Some(true);
        if request.options.presence == Some(false) {
            return Err(Status::InvalidOption);
        }
        let protection = match request.extensions.cred_protect {
            Some(level) => Protection::from_level(level).ok_or(Status::InvalidOption)?,
            None => Protection::default(),
        };
        let features = self.features(request, discoverable)?;
        let signing = self.signing_terms(request, algorithm)?;
        // Steps 5 to 8: a protected authenticator verifies its owner before it stores a credential,
        // and always if the owner says so. Otherwise a touch is enough (makeCredUvNotRqd).
        let demand = match discoverable {
            true => Demand::WhenProtected,
            false => Demand::WhenAlways,
        };
        let means = self.means(&ceremony, demand)?;
        // Step 9: enterprise attestation.
        let audience = self.audience(request)?;
        // Step 11: the user.
        let proved = self.verify_user(&ceremony, means)?;
        let rp_id_hash = sha256(request.rp.id.as_bytes());
        let question = Question::MakeCredential {
            rp_id: request.rp.id,
            user: request.user.name.or(request.user.display_name),
            signing_key: signing.map(|terms| terms.policy),
        };
        // Step 12: the exclude list.
        for descriptor in &request.exclude {
            let found = self.revealed(&rp_id_hash, descriptor.id, proved)?;
            if found.is_some() {
                return Err(self.excluded(proved, &question));
            }
        }
        // Step 14: user presence.
        self.obtain_presence(proved, &question)?;
        // Steps 15 to 17: the credential.
        let cred_blob = request
            .extensions
            .cred_blob
            .filter(|blob| blob.len() <= MAX_CRED_BLOB_BYTES);
        let made = if discoverable {
            self.discoverable(request, algorithm, protection, features, cred_blob)?
        } else {
            let nonce = self.platform.random::<24>()?;
            self.secrets
                .seal(
                    &rp_id_hash,
                    &nonce,
                    algorithm,
                    protection,
                    features,
                    cred_blob.unwrap_or_default(),
                )
                .ok_or(Status::Other)?
        };
        let extensions = self.creation_extensions(request, &made, proved, cred_blob, signing)?;
        let mut response =
            self.attested(request, &made, &rp_id_hash, proved, audience, extensions)?;
        if let Some(terms) = signing {
            response.preview_sign =
                Some(self.generated_key(request, &made, &rp_id_hash, proved, audience, terms)?);
        }
        Ok(response)
    }

    /// The answer when this key has a credential of the exclude list. It does not depend on the
    /// owner, but comes only after the owner was asked: a website cannot learn silently which
    /// accounts are on this key.
    fn excluded(&mut self, proved: Proved, question: &Question<'_>) -> Status {
        if !proved.present && self.touch(question) == Err(Status::KeepaliveCancel) {
            return Status::KeepaliveCancel;
        }
        Status::CredentialExcluded
    }

    /// The features that are agreed on with the credential.
    fn features(&self, request: &Request<'_>, discoverable: bool) -> Result<Features, Status> {
        let asked = &request.extensions;
        // CTAP 2.3, section 12.8: hmac-secret-mc comes with hmac-secret only.
        if asked.hmac_secret_mc.is_some() && asked.hmac_secret != Some(true) {
            return Err(Status::MissingParameter);
        }
        let wants_key = !self.keeps_blobs() && asked.large_blob_key.is_some();
        if wants_key && (asked.large_blob_key == Some(false) || !discoverable) {
            // CTAP 2.3, section 12.3: only `true`, and only for discoverable credentials.
            return Err(Status::InvalidOption);
        }
        let wants_blob = asked.large_blob.filter(|_| self.keeps_blobs());
        if wants_blob == Some(Support::Required) && !discoverable {
            return Err(Status::InvalidOption);
        }
        Ok(Features::default()
            .with(
                Features::THIRD_PARTY_PAYMENT,
                asked.third_party_payment == Some(true),
            )
            .with(Features::LARGE_BLOB_KEY, wants_key)
            .with(Features::LARGE_BLOB, wants_blob.is_some() && discoverable))
    }

    /// Whether the attestation is for an enterprise: the owner enabled that, the platform asks for
    /// it, and the platform (2) or the maker (1) chose the relying party.
    fn audience(&self, request: &Request<'_>) -> Result<Audience, Status> {
        let Some(kind) = request.enterprise_attestation else {
            return Ok(Audience::Everybody);
        };
        if !self.policy.enterprise_attestation {
            return Err(Status::InvalidParameter);
        }
        match kind {
            1 if !self.attestation.is_for_enterprise(request.rp.id) => Ok(Audience::Everybody),
            1 | 2 => Ok(Audience::Enterprise),
            _ => Err(Status::InvalidOption),
        }
    }

    /// The first of the relying party's algorithms that this key supports. A post-quantum one goes
    /// before the others: a relying party that lists one wants signatures that last.
    fn choose_algorithm(&self, offered: &[i64]) -> Result<Algorithm, Status> {
        let able = self.platform.signatures.algorithms();
        let known = || {
            offered
                .iter()
                .filter_map(|id| Algorithm::from_id(*id))
                .filter(|algorithm| able.contains(algorithm))
        };
        known()
            .find(|algorithm| algorithm.ml_dsa_public_key_length().is_some())
            .or_else(|| known().next())
            .ok_or(Status::UnsupportedAlgorithm)
    }

    /// Makes and stores a discoverable credential; it replaces the one that the account already
    /// has.
    fn discoverable(
        &mut self,
        request: &Request<'_>,
        algorithm: Algorithm,
        protection: Protection,
        features: Features,
        cred_blob: Option<&[u8]>,
    ) -> Result<Credential, Status> {
        let credential = Credential {
            id: self.platform.random::<32>()?.to_vec(),
            rp_id: Some(request.rp.id.into()),
            user: Some(cut_names(request.user)),
            algorithm,
            secret: self.platform.random::<32>()?,
            protection,
            features,
            cred_blob: cred_blob.unwrap_or_default().to_vec(),
            created: self.index.next_created(),
        };
        let earlier = self.of_account(request.rp.id, request.user.id)?;
        let slot = match &earlier {
            Some((slot, _)) => *slot,
            None => self
                .index
                .vacancy(self.max_discoverable())
                .ok_or(Status::KeyStoreFull)?,
        };
        let record = credential.encode();
        self.commit_credential(&[
            Change::Put(RecordKey::credential(slot), &record),
            Change::Remove(RecordKey::blob(slot)),
        ])?;
        if let Some((slot, earlier)) = &earlier {
            self.index.remove(*slot, earlier);
        }
        self.index.put(slot, &credential);
        Ok(credential)
    }

    /// The discoverable credential of an account at a relying party.
    fn of_account(&self, rp_id: &str, user_id: &[u8]) -> Result<Option<(u16, Credential)>, Status> {
        for slot in self.index.of_account(&sha256(rp_id.as_bytes()), user_id) {
            let credential = self.load(slot)?;
            if credential
                .user
                .as_ref()
                .is_some_and(|user| user.id == user_id)
            {
                return Ok(Some((slot, credential)));
            }
        }
        Ok(None)
    }

    /// The outputs of the extensions that were asked for; `None` for no output.
    fn creation_extensions(
        &mut self,
        request: &Request<'_>,
        made: &Credential,
        proved: Proved,
        kept_blob: Option<&[u8]>,
        signing: Option<SigningTerms>,
    ) -> Result<Option<Vec<u8>>, Status> {
        let asked = &request.extensions;
        let mut outputs = MapBuilder::new();
        if asked.cred_blob.is_some() {
            outputs.put("credBlob", kept_blob.is_some());
        }
        outputs.put_some("credProtect", asked.cred_protect);
        if self.policy.tells(request.rp.id) {
            if asked.min_pin_length == Some(true) {
                outputs.put("minPinLength", self.policy.min_pin_length);
            }
            if asked.pin_complexity_policy == Some(true) {
                outputs.put("pinComplexityPolicy", self.policy.pin_complexity);
            }
        }
        outputs.put_some(preview_sign::ID, signing.map(SigningTerms::output));
        if asked.uvm == Some(true) {
            outputs.put("uvm", uvm(Touched::Yes, proved.by));
        }
        if asked.hmac_secret == Some(true) {
            outputs.put("hmac-secret", true);
            if let Some(input) = &asked.hmac_secret_mc {
                let salts = Salts::open(&self.agreement, input)?;
                let cred_random = made.cred_random(Verified::from(proved.verified()));
                let output = salts.evaluate(&cred_random, &mut self.platform.randomness)?;
                outputs.put("hmac-secret-mc", &output);
            }
        }
        Ok((!outputs.is_empty()).then(|| outputs.finish()))
    }

    /// Authenticator data and attestation of a new credential.
    fn attested(
        &mut self,
        request: &Request<'_>,
        made: &Credential,
        rp_id_hash: &[u8; 32],
        proved: Proved,
        audience: Audience,
        extensions: Option<Vec<u8>>,
    ) -> Result<Response, Status> {
        let private_key = made.private_key()?;
        let public_key = self.platform.signatures.public_key(&private_key)?;
        let auth_data = AuthenticatorData {
            rp_id_hash,
            flags: flags(true, proved.verified()),
            sign_count: self.counter.next(&mut self.platform.storage)?,
            attested_credential: Some(AttestedCredential {
                aaguid: self.aaguid(),
                credential_id: &made.id,
                public_key: &public_key,
            }),
            extensions: extensions.as_deref(),
        }
        .encode()
        .map_err(|_| Status::Other)?;
        let statement = self.vouched(request, audience, Some(&private_key), &auth_data)?;
        Ok(Response {
            format: statement.format,
            auth_data,
            attestation_statement: statement.map,
            enterprise_attestation: statement.enterprise.then_some(true),
            large_blob_key: made.large_blob_key(),
            large_blob: made
                .features
                .has(Features::LARGE_BLOB)
                .then_some(Output::Supported),
            preview_sign: None,
        })
    }

    /// The attestation statement of a key over its authenticator data and the client data hash.
    pub(crate) fn vouched(
        &mut self,
        request: &Request<'_>,
        audience: Audience,
        own_key: Option<&PrivateKey>,
        auth_data: &[u8],
    ) -> Result<Statement, Status> {
        let signed = [auth_data, request.client_data_hash].concat();
        let formats = &request.attestation_formats;
        let signatures = &mut self.platform.signatures;
        let statement = self
            .attestation
            .attest(signatures, formats, audience, own_key, &signed)?;
        Ok(statement)
    }
}

/// An account as it is stored, with its names cut to the longest that are kept.
pub(crate) fn cut_names(user: User<'_>) -> OwnedUser {
    let mut user = OwnedUser::from(user);
    for name in [&mut user.name, &mut user.display_name]
        .into_iter()
        .flatten()
    {
        name.truncate(name.floor_char_boundary(MAX_NAME_BYTES));
    }
    user
}

/// Checks the lengths of the stored ids and of the exclude list.
fn check_lengths(request: &Request<'_>) -> Result<(), Status> {
    let user_id = request.user.id;
    if user_id.is_empty()
        || user_id.len() > MAX_USER_ID_BYTES
        || request.rp.id.len() > MAX_RP_ID_BYTES
    {
        return Err(Status::InvalidLength);
    }
    if request.exclude.len() > MAX_LISTED_CREDENTIALS {
        return Err(Status::LimitExceeded);
    }
    Ok(())
}
