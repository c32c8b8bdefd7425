//! authenticatorGetAssertion and authenticatorGetNextAssertion (CTAP 2.3, sections 6.2.2, 6.3).

use alloc::vec::Vec;

use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::cbor::MapBuilder;
use hallway_ctap::command::client_pin::Permissions;
use hallway_ctap::command::get_assertion::{OwnedUser, Request, Response};
use hallway_ctap::command::preview_sign;
use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::credential::{Credential, Verified, sha256};
use crate::hmac_secret::Salts;
use crate::large_blob_extension::Named;
use crate::limits::MAX_LISTED_CREDENTIALS;
use crate::platform::{Environment, Question};
use crate::signatures::Signatures;
use crate::step::{Assertions, Left, Step, Terms};
use crate::uvm::{Touched, uvm};
use crate::verification::{Ceremony, Demand, Means, Proved, flags};

impl<E: Environment> Authenticator<E> {
    pub(crate) fn get_assertion(&mut self, request: &Request<'_>) -> Result<Response, Status> {
        let ceremony = Ceremony {
            rp_id: request.rp_id,
            client_data_hash: request.client_data_hash,
            options: request.options,
            param: request.pin_uv_auth_param,
            protocol: request.pin_uv_auth_protocol,
            permission: Permissions::GET_ASSERTION,
        };
        // Steps 1 and 2.
        self.check_protocol(&ceremony)?;
        // Step 4: the options.
        if request.options.discoverable.is_some() {
            return Err(Status::UnsupportedOption);
        }
        let wants_touch = request.options.presence != Some(false);
        if request.extensions.large_blob_key == Some(false) && !self.keeps_blobs() {
            return Err(Status::InvalidOption);
        }
        let task = self.signing_task(request)?;
        // Steps 4 and 5: alwaysUv exempts only silent assertions.
        let demand = match wants_touch {
            true => Demand::WhenAlways,
            false => Demand::Never,
        };
        let means = self.means(&ceremony, demand)?;
        // Step 6: the user.
        let proved = self.verify_user(&ceremony, means)?;
        let rp_id_hash = sha256(request.rp_id.as_bytes());
        // Step 7: the credentials.
        let (first, left) = self.applicable(request, &rp_id_hash, proved)?;
        // Step 9: user presence.
        if wants_touch {
            let rp_id = request.rp_id;
            let question = match task {
                Some(_) => Question::SignData { rp_id },
                None => Question::GetAssertion { rp_id },
            };
            self.obtain_presence(proved, &question)?;
        }
        // Step 10: the extensions.
        let salts = match &request.extensions.hmac_secret {
            Some(_) if !wants_touch => return Err(Status::UnsupportedOption),
            Some(input) => Some(Salts::open(&self.agreement, input)?),
            None => None,
        };
        // Step 8: a finger on the sensor proves presence, asked for or not.
        let present = wants_touch || means == Means::BuiltIn;
        let signed_data = match task {
            Some(task) => {
                let proved = flags(present, proved.verified());
                Some(self.sign_data(&first, &rp_id_hash, task, proved)?)
            }
            None => None,
        };
        let terms = Terms {
            rp_id_hash,
            client_data_hash: *request.client_data_hash,
            present,
            verified_by: proved.by,
            salts,
            cred_blob: request.extensions.cred_blob == Some(true),
            third_party_payment: request.extensions.third_party_payment == Some(true),
            large_blob_key: request.extensions.large_blob_key == Some(true),
            uvm: request.extensions.uvm == Some(true),
            signed_data,
        };
        let blob = match &request.extensions.large_blob {
            Some(access) => {
                let named = match request.allow {
                    None => Named::No,
                    Some(_) => Named::Yes,
                };
                self.access_blob(&first, access, named, Touched::from(terms.present))?
            }
            None => None,
        };
        let mut response = self.assert(&first, &terms)?;
        response.large_blob = blob;
        if left.count > 0 {
            response.number_of_credentials = Some(left.count as u64 + 1);
            self.sequences
                .leave(Step::Assertions(Assertions { terms, left }));
        }
        Ok(response)
    }

    pub(crate) fn get_next_assertion(
        &mut self,
        mut assertions: Assertions,
    ) -> Result<Response, Status> {
        let (place, slot) = self
            .index
            .newest(
                &assertions.terms.rp_id_hash,
                assertions.terms.verified(),
                assertions.left.older,
            )
            .ok_or(Status::NotAllowed)?;
        let credential = self.load(slot)?;
        let response = self.assert(&credential, &assertions.terms)?;
        assertions.left = Left {
            count: assertions.left.count - 1,
            older: place,
        };
        if assertions.left.count > 0 {
            self.sequences.leave(Step::Assertions(assertions));
        }
        Ok(response)
    }

    /// The credential to sign with, and the others that match.
    fn applicable(
        &mut self,
        request: &Request<'_>,
        rp_id_hash: &[u8; 32],
        proved: Proved,
    ) -> Result<(Credential, Left), Status> {
        if let Some(allow) = &request.allow {
            if allow.len() > MAX_LISTED_CREDENTIALS {
                return Err(Status::LimitExceeded);
            }
            for descriptor in allow {
                let found = self.revealed(rp_id_hash, descriptor.id, proved)?;
                if let Some(credential) = found {
                    return Ok((credential, Left::default()));
                }
            }
            return Err(Status::NoCredentials);
        }
        let verified = proved.verified();
        let all = self.index.of(rp_id_hash).len();
        let (place, slot) = self
            .index
            .newest(rp_id_hash, verified, all)
            .ok_or(Status::NoCredentials)?;
        let left = Left {
            count: self.index.discoverable(rp_id_hash, verified) - 1,
            older: place,
        };
        Ok((self.load(slot)?, left))
    }

    /// Signs with one credential.
    fn assert(&mut self, credential: &Credential, terms: &Terms) -> Result<Response, Status> {
        let extensions = self.assertion_extensions(credential, terms)?;
        let auth_data = AuthenticatorData {
            rp_id_hash: &terms.rp_id_hash,
            flags: flags(terms.present, terms.verified()),
            sign_count: self.counter.next(&mut self.platform.storage)?,
            attested_credential: None,
            extensions: extensions.as_deref(),
        }
        .encode()
        .map_err(|_| Status::Other)?;
        let signed = [&auth_data[..], &terms.client_data_hash].concat();
        let private_key = credential.private_key()?;
        let signature = self.platform.signatures.sign(&private_key, &signed)?;
        // Names go only to a verified user.
        let user = credential.user.as_ref().map(|user| match terms.verified() {
            true => user.clone(),
            false => OwnedUser {
                id: user.id.clone(),
                ..OwnedUser::default()
            },
        });
        Ok(Response {
            credential_id: credential.id.clone(),
            auth_data,
            signature,
            user,
            number_of_credentials: None,
            user_selected: None,
            large_blob_key: if terms.large_blob_key {
                credential.large_blob_key()
            } else {
                None
            },
            large_blob: None,
        })
    }

    fn assertion_extensions(
        &mut self,
        credential: &Credential,
        terms: &Terms,
    ) -> Result<Option<Vec<u8>>, Status> {
        let mut outputs = MapBuilder::new();
        if terms.cred_blob {
            outputs.put("credBlob", &credential.cred_blob);
        }
        if let Some(salts) = &terms.salts {
            let cred_random = credential.cred_random(Verified::from(terms.verified()));
            let output = salts.evaluate(&cred_random, &mut self.platform.randomness)?;
            outputs.put("hmac-secret", &output);
        }
        if terms.third_party_payment {
            let agreed = credential
                .features
                .has(crate::credential::Features::THIRD_PARTY_PAYMENT);
            outputs.put("thirdPartyPayment", agreed);
        }
        if let Some(signature) = &terms.signed_data {
            outputs.put(preview_sign::ID, preview_sign::Output::Signature(signature));
        }
        if terms.uvm {
            outputs.put("uvm", uvm(Touched::from(terms.present), terms.verified_by));
        }
        Ok((!outputs.is_empty()).then(|| outputs.finish()))
    }
}
