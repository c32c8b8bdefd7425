//! A person at the gateway's API, with a security key.

mod arguments;
mod command;
mod error;
pub(crate) mod folders;
mod kept_session;
mod key_choice;
mod visitor;

use hallway_client::{
    AttestationPreference, Client, Connection, GetAssertion, MakeCredential, PinPrompt, Presence,
    User, UserVerification,
};
use hallway_ctap::cose::Algorithm;
use hallway_webauthn::wire::{
    AssertionFields, AttestationFields, AuthenticationResponseJson, Base64Url, CreationOptions,
    CredentialType, RegistrationResponseJson, RequestOptions,
};
use reqwest::{Method, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

pub(crate) use arguments::{PersonArguments, Settings};
pub(crate) use command::{JoinCommand, SignInCommand, SignOutCommand, join, sign_in, sign_out};
pub(crate) use error::PersonError;
use kept_session::KeptSession;
pub(crate) use key_choice::KeyChoice;
pub(crate) use visitor::{Visitor, web_client};

/// What the gateway asks to be signed.
#[derive(Debug, Deserialize)]
struct Ceremony {
    statement: Base64Url,
    sentence: String,
    seal: Base64Url,
    public_key: Value,
    #[serde(default)]
    attachment: Option<Base64Url>,
}

#[derive(Deserialize)]
struct SignedIn {
    token: Zeroizing<String>,
    person: Value,
}

#[derive(Debug, Deserialize)]
struct Problem {
    code: String,
    detail: String,
}

/// The gateway's API, with a session or without.
pub(crate) struct Api {
    http: reqwest::Client,
    origin: String,
    token: Option<Zeroizing<String>>,
}

/// A person with a key at hand.
pub(crate) struct Person<C> {
    api: Api,
    key: Client<C>,
    pin: Box<dyn PinPrompt>,
    announce: fn(&str),
}

impl<C: Connection> Person<C> {
    /// A person who holds `key` and can give its PIN. `announce` is told what a touch is for before
    /// the key waits for it.
    pub(crate) fn new(api: Api, key: C, pin: impl PinPrompt + 'static, announce: fn(&str)) -> Self {
        Self {
            key: Client::new(key, &api.origin),
            api,
            pin: Box::new(pin),
            announce,
        }
    }

    /// The API, with the session once it is open.
    pub(crate) fn api(&self) -> &Api {
        &self.api
    }

    /// The key, to set it up.
    pub(crate) fn key(&mut self) -> &mut Client<C> {
        &mut self.key
    }

    /// Registers the key by a one-time link, the part of it behind the `#`.
    pub(crate) async fn join(
        &mut self,
        token: &str,
        name: Option<&str>,
        label: &str,
    ) -> Result<(), PersonError> {
        let mut wanted = json!({ "token": token, "label": label });
        if let Some(name) = name {
            wanted["name"] = name.into();
        }
        let ceremony: Ceremony = self.api.post("/api/keys/statement", &wanted).await?;
        (self.announce)(&ceremony.sentence);
        let options: CreationOptions = serde_json::from_value(ceremony.public_key)?;
        let rp_id = options.rp.id.unwrap_or_default();
        let algorithms: Vec<Algorithm> = options
            .pub_key_cred_params
            .iter()
            .filter_map(|parameter| Algorithm::from_id(parameter.alg))
            .collect();
        let created = self.key.make_credential(
            &MakeCredential {
                rp_id: &rp_id,
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
                exclude: &[],
                // A realm that demands certain models of keys asks what this one is.
                attestation: match options.attestation.as_deref() {
                    None | Some("none") => AttestationPreference::None,
                    Some(_) => AttestationPreference::Direct,
                },
            },
            &mut *self.pin,
        )?;
        let credential = RegistrationResponseJson {
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
        };
        let answer = json!({
            "statement": ceremony.statement,
            "seal": ceremony.seal,
            "credential": credential,
            "token": token,
        });
        let _: Value = self.api.post("/api/keys", &answer).await?;
        Ok(())
    }

    /// Signs in; what follows is done with the session. Says who that is.
    pub(crate) async fn sign_in(&mut self) -> Result<Value, PersonError> {
        let ceremony: Ceremony = self.api.post("/api/sign-in/statement", &json!({})).await?;
        let mut answer = self.sign(ceremony)?;
        answer["grant"] = "bearer".into();
        let signed_in: SignedIn = self.api.post("/api/sign-in", &answer).await?;
        self.api.token = Some(signed_in.token);
        Ok(signed_in.person)
    }

    /// Does an act; gives its sentence and its outcome.
    pub(crate) async fn act(&mut self, act: Value) -> Result<(String, Value), PersonError> {
        let ceremony: Ceremony = self
            .api
            .post("/api/acts/statement", &json!({ "act": act }))
            .await?;
        let sentence = ceremony.sentence.clone();
        let answer = self.sign(ceremony)?;
        Ok((sentence, self.api.post("/api/acts", &answer).await?))
    }

    fn sign(&mut self, ceremony: Ceremony) -> Result<Value, PersonError> {
        (self.announce)(&ceremony.sentence);
        let options: RequestOptions = serde_json::from_value(ceremony.public_key)?;
        let allow: Vec<Vec<u8>> = options
            .allow_credentials
            .into_iter()
            .map(|key| key.id.0)
            .collect();
        let asserted = self.key.get_assertion(
            &GetAssertion {
                rp_id: &options.rp_id.unwrap_or_default(),
                challenge: &options.challenge.0,
                allow: &allow,
                user_verification: UserVerification::Required,
                presence: Presence::Required,
            },
            &mut *self.pin,
        )?;
        let credential = AuthenticationResponseJson {
            id: Base64Url(asserted.credential_id.clone()),
            raw_id: Base64Url(asserted.credential_id),
            response: AssertionFields {
                client_data_json: Base64Url(asserted.client_data_json),
                authenticator_data: Base64Url(asserted.authenticator_data),
                signature: Base64Url(asserted.signature),
                user_handle: asserted.user_handle.map(Base64Url),
            },
            authenticator_attachment: None,
            client_extension_results: Map::new(),
            kind: CredentialType::PublicKey,
        };
        Ok(json!({
            "statement": ceremony.statement,
            "seal": ceremony.seal,
            "credential": credential,
            "attachment": ceremony.attachment,
        }))
    }
}

impl Api {
    /// At `origin`, without a session.
    pub(crate) fn new(http: reqwest::Client, origin: &str) -> Self {
        Self {
            http,
            origin: origin.to_owned(),
            token: None,
        }
    }

    /// Posts JSON.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, PersonError> {
        let request = self.request(Method::POST, path).json(body);
        Ok(read(request.send().await?).await?.json().await?)
    }

    /// Gets JSON.
    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, PersonError> {
        Ok(read(self.request(Method::GET, path).send().await?)
            .await?
            .json()
            .await?)
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.origin));
        match &self.token {
            Some(token) => request.bearer_auth(token.as_str()),
            None => request,
        }
    }
}

async fn read(response: Response) -> Result<Response, PersonError> {
    if response.status().is_success() {
        return Ok(response);
    }
    let status = response.status();
    let problem = match response.json::<Problem>().await {
        Ok(problem) => problem,
        Err(_) => Problem {
            code: status.to_string(),
            detail: "without a reason".to_owned(),
        },
    };
    Err(PersonError::Refused {
        status,
        code: problem.code,
        detail: problem.detail,
    })
}
