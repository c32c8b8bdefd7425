//! An agent's key and certificate, in one file.

use std::path::Path;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_api::hall::{AgentJoined, JoinAgent, Listener};
use hallway_client::durable_file;
use hallway_hall::client::{self, HallClient, Opening, Renewed, certificates};
use hallway_hall::{
    AgentName, Body, Bundle, Bundles, HallKey, HallName, Party, SpiffeId, Svid, TrustDomain, tls,
};
use hallway_webauthn::wire::Base64Url;
use http::Request;
use serde::{Deserialize, Serialize};
use tokio_rustls::rustls::ClientConfig;
use zeroize::Zeroizing;

use super::HallCommandError;
use crate::person::folders::is_private;
use crate::person::{Api, LinkKind, OneTimeLink, Redirections, web_client};

/// Who the agent is.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Identity {
    pub(super) hall: HallName,
    pub(super) agent: AgentName,
    /// `HOST:PORT` of the hall listener.
    pub(super) address: String,
    /// When the certificate ends, unix milliseconds.
    pub(super) certificate_ends_ms: u64,
    gateway: String,
    certificates: Vec<Base64Url>,
    bundle: Vec<Base64Url>,
    /// PKCS #8, base64url.
    key: Zeroizing<String>,
}

impl Identity {
    /// Makes a key and joins a hall with it.
    ///
    /// The link says at which gateway. Its answer is accepted only if it certifies this very key as
    /// that agent, and names a realm for which the link's address may speak.
    pub(super) async fn join(link: &str, ca: Option<&Path>) -> Result<Self, HallCommandError> {
        let link = OneTimeLink::read(LinkKind::Agent, link)?;
        let authority = match ca {
            Some(path) => Some(std::fs::read(path).map_err(HallCommandError::io(path.display()))?),
            None => None,
        };
        let secure = link.gateway.secure_url();
        let http = web_client(authority.as_deref(), secure, Redirections::Refused)?;
        let key = HallKey::generate()?;
        let wanted = JoinAgent {
            token: link.token.clone(),
            public_key: Base64Url(key.public().as_der().to_vec()),
        };
        let api = Api::new(http, link.gateway.clone());
        let joined: AgentJoined = api.post("/api/hall-agents/join", &wanted).await?;
        let Listener {
            bundle,
            address,
            gateway,
        } = joined.certified.listener;
        let joined = Self {
            hall: joined.hall,
            agent: joined.agent,
            address,
            certificate_ends_ms: joined.certified.certificate_ends_ms,
            gateway,
            certificates: joined.certified.certificates,
            bundle,
            key: Zeroizing::new(URL_SAFE_NO_PAD.encode(key.as_pkcs8())),
        };
        let realm = joined.check()?;
        if link.gateway.may_use(realm.as_str()) {
            Ok(joined)
        } else {
            Err(HallCommandError::OtherRealm {
                gateway: link.gateway.origin(),
                realm: realm.to_string(),
            })
        }
    }

    /// Checks that certificate, authorities and gateway are of one realm, and that the certificate
    /// is for this key and this agent. Returns the realm.
    fn check(&self) -> Result<TrustDomain, HallCommandError> {
        let gateway: SpiffeId = self.gateway.parse()?;
        let realm = gateway.trust_domain().clone();
        let bundle = Bundle::new(certificates(&self.bundle))?;
        let chain = certificates(&self.certificates);
        let leaf = Svid::read(chain.first().ok_or(HallCommandError::Certificates)?)?;
        let agent = Party::Agent {
            hall: self.hall.clone(),
            agent: self.agent.clone(),
        };
        let fits = gateway.party() == Some(Party::Gateway)
            && *bundle.trust_domain() == realm
            && leaf.id == SpiffeId::new(realm.clone(), &agent)?
            && leaf.public_key == *self.key()?.public();
        if fits {
            Ok(realm)
        } else {
            Err(HallCommandError::OtherAgent {
                agent: self.agent.clone(),
                hall: self.hall.clone(),
            })
        }
    }

    /// Reads the identity from its file, which only this user may be able to read.
    pub(super) fn read(path: &Path) -> Result<Self, HallCommandError> {
        let failed = |error| HallCommandError::io(path.display())(error);
        let wrong = |reason: &str| HallCommandError::Agent {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let about = match std::fs::symlink_metadata(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(wrong("this agent has not joined yet: give it --join LINK"));
            }
            other => other.map_err(failed)?,
        };
        if !is_private(&about) {
            return Err(wrong("others may read this key; it should have mode 600"));
        }
        let json = Zeroizing::new(std::fs::read(path).map_err(failed)?);
        serde_json::from_slice(&json).map_err(|_| {
            wrong(
                "this is not the identity that the agent wrote there: the file was changed. Have \
                 the agent invited again, and give it --join LINK",
            )
        })
    }

    /// Checks that an identity can be kept in this file: a link works once, so it is not used up
    /// for an identity that is lost.
    pub(super) fn check_place(path: &Path) -> Result<(), HallCommandError> {
        let failed = |error| HallCommandError::io(path.display())(error);
        if path.is_dir() {
            return Err(failed(std::io::ErrorKind::IsADirectory.into()));
        }
        durable_file::Unfinished::beside(path)
            .map(drop)
            .map_err(failed)
    }

    /// Writes the identity to its file.
    pub(super) fn write(&self, path: &Path) -> Result<(), HallCommandError> {
        let json = Zeroizing::new(serde_json::to_vec(self)?);
        durable_file::write(path, &json).map_err(HallCommandError::io(path.display()))
    }

    /// The TLS configuration with this certificate.
    pub(super) fn client_config(&self) -> Result<Arc<ClientConfig>, HallCommandError> {
        let own = tls::Identity::new(certificates(&self.certificates), &self.key()?);
        let bundle = Bundle::new(certificates(&self.bundle))?;
        let config = own.and_then(|own| {
            let bundles = Bundles::new([&bundle])
                .map_err(|error| tls::TlsError::Verifier(error.to_string()))?;
            let gateway = self
                .gateway
                .parse::<SpiffeId>()
                .map_err(|error| tls::TlsError::Identity(error.to_string()))?;
            tls::client_config(own, bundles, gateway, tls::HTTP_1)
        });
        Ok(config.map_err(client::ClientError::from)?)
    }

    /// The identity with a new certificate for the same key.
    pub(super) async fn renewed(&self) -> Result<Self, HallCommandError> {
        let client = HallClient::new(Opening {
            address: self.address.clone(),
            gateway: self.gateway.parse::<SpiffeId>()?,
            bundle: Bundle::new(certificates(&self.bundle))?,
            chain: certificates(&self.certificates),
            key: self.key()?,
            home: None,
        })?;
        let request = Request::post("/agent/renew").body(Body::default());
        let request = request.map_err(|error| client::ClientError::Answer(error.to_string()))?;
        let response = client.ask(request).await?;
        let renewed: Renewed = client::json(response).await?;
        // The authorities take turns: the gateway's own certificate may be signed by the next one.
        let bundle = match renewed.bundle.is_empty() {
            true => self.bundle.clone(),
            false => renewed.bundle,
        };
        let renewed = Self {
            bundle,
            certificates: renewed.certificates,
            certificate_ends_ms: renewed.certificate_ends_ms,
            ..self.clone()
        };
        renewed.check()?;
        Ok(renewed)
    }

    fn key(&self) -> Result<HallKey, HallCommandError> {
        let der = URL_SAFE_NO_PAD.decode(self.key.as_bytes());
        let der = Zeroizing::new(der.map_err(|_| HallCommandError::Certificates)?);
        Ok(HallKey::from_pkcs8(&der)?)
    }
}
