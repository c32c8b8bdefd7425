//! Somebody at a terminal: the session is kept, and the key is opened only while it is needed.

use std::sync::Arc;

use hallway_client::Connection;
use hallway_gateway::partners::fetch::LocalNames;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::{Api, Person, PersonArguments, PersonError, Settings};

/// A person who came by a command.
pub(crate) struct Visitor {
    arguments: PersonArguments,
    settings: Settings,
    api: Api,
}

impl Visitor {
    /// With the session of an earlier command, if there is one.
    ///
    /// # Errors
    /// [`PersonError`] where the arguments name no gateway, or a file can't be read.
    pub(crate) fn new(arguments: &PersonArguments) -> Result<Self, PersonError> {
        Self::at(arguments, arguments.settings()?)
    }

    /// At another gateway than the arguments name.
    pub(super) fn at(arguments: &PersonArguments, settings: Settings) -> Result<Self, PersonError> {
        let http = web_client(settings.authority.as_deref())?;
        let mut api = Api::new(http, &settings.gateway);
        api.token = settings.session().read();
        Ok(Self {
            arguments: arguments.clone(),
            settings,
            api,
        })
    }

    /// Where this person goes.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Opens the key for what `person` says.
    fn person(&self) -> Result<Person<Box<dyn Connection>>, PersonError> {
        let key = self.settings.key.open(self.arguments.protection())?;
        let api = Api {
            token: self.api.token.clone(),
            ..Api::new(self.api.http.clone(), &self.settings.gateway)
        };
        Ok(Person::new(api, key, self.arguments.pin()?, announce))
    }

    /// Registers the key by a one-time link's token, signs in with it and keeps the session.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(super) async fn join(
        &mut self,
        token: &str,
        name: Option<&str>,
        label: &str,
    ) -> Result<Value, PersonError> {
        let mut person = self.person()?;
        person.join(token, name, label).await?;
        let who = person.sign_in().await?;
        self.keep(person.api)?;
        Ok(who)
    }

    /// Signs in with a touch and keeps the session. Says who that is.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(crate) async fn sign_in(&mut self) -> Result<Value, PersonError> {
        let mut person = self.person()?;
        let who = person.sign_in().await?;
        self.keep(person.api)?;
        Ok(who)
    }

    fn keep(&mut self, api: Api) -> Result<(), PersonError> {
        if let Some(token) = &api.token {
            self.settings.session().keep(token)?;
        }
        self.api = api;
        Ok(())
    }

    /// Gets JSON; signs in first where there is no session any more.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(crate) async fn get<T: DeserializeOwned>(&mut self, path: &str) -> Result<T, PersonError> {
        match self.api.get(path).await {
            Err(error) if error.is_signed_out() => {
                self.sign_in().await?;
                self.api.get(path).await
            }
            other => other,
        }
    }

    /// Posts JSON; signs in first where there is no session any more.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(crate) async fn post<T: DeserializeOwned>(
        &mut self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, PersonError> {
        match self.api.post(path, body).await {
            Err(error) if error.is_signed_out() => {
                self.sign_in().await?;
                self.api.post(path, body).await
            }
            other => other,
        }
    }

    /// Does an act with a touch, and gives its outcome.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(crate) async fn act(&mut self, act: Value) -> Result<Value, PersonError> {
        let mut person = self.person()?;
        let done = match person.act(act.clone()).await {
            Err(error) if error.is_signed_out() => {
                person.sign_in().await?;
                person.act(act).await
            }
            other => other,
        };
        self.keep(person.api)?;
        done.map(|(_, outcome)| outcome)
    }

    /// Ends the session, here and at the gateway.
    ///
    /// # Errors
    /// [`PersonError`] of the gateway; a session that it does not know any more is no error.
    pub(super) async fn sign_out(&mut self) -> Result<(), PersonError> {
        let known = self.api.token.is_some();
        self.settings.session().forget()?;
        if known {
            match self
                .api
                .post::<Value>("/api/sign-out", &serde_json::json!({}))
                .await
            {
                Err(error) if !error.is_signed_out() => return Err(error),
                _ => self.api.token = None,
            }
        }
        Ok(())
    }
}

/// An HTTP client that trusts one more authority than the system does, where there is one (PEM).
pub(crate) fn web_client(authority: Option<&[u8]>) -> Result<reqwest::Client, PersonError> {
    let mut http = reqwest::Client::builder().dns_resolver(Arc::new(LocalNames));
    if let Some(pem) = authority {
        for certificate in reqwest::Certificate::from_pem_bundle(pem)? {
            http = http.add_root_certificate(certificate);
        }
    }
    Ok(http.build()?)
}

/// Says what a touch is for. The sentence is the gateway's, so nothing in it may steer a terminal.
fn announce(sentence: &str) {
    let plain: String = sentence
        .chars()
        .filter(|letter| !letter.is_control())
        .collect();
    eprintln!("Touch your security key: {plain}");
}
