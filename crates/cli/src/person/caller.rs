//! Somebody at a terminal: the session is kept, and the key is opened only while it is needed.

use hallway_api::{Nothing, session};
use hallway_client::Connection;
use hallway_evidence::{Printable, RealmName};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::session::Session;
use super::{
    ActRequest, Api, Done, KeyChoice, KeyToRegister, Person, PersonArguments, PersonError,
    Redirections, Settings, web_client,
};

/// A person who runs a command.
pub(crate) struct Caller {
    arguments: PersonArguments,
    settings: Settings,
    api: Api,
    realm: Option<RealmName>,
    is_on_record: bool,
}

impl Caller {
    /// With the session of an earlier command, if there is one.
    ///
    /// # Errors
    /// [`PersonError`] where the arguments name no gateway, or a file can't be read.
    pub(crate) fn new(arguments: &PersonArguments) -> Result<Self, PersonError> {
        let settings = arguments.settings()?;
        let session = settings.session().read()?;
        Self::with(arguments, settings, session)
    }

    /// To sign in, even if the session of an earlier command can't be read. `settings` may be for
    /// another gateway than the arguments name.
    ///
    /// # Errors
    /// [`PersonError`] where a file can't be read.
    pub(crate) fn anew(
        arguments: &PersonArguments,
        settings: Settings,
    ) -> Result<Self, PersonError> {
        // Signing in ends the earlier session.
        let session = match settings.session().read() {
            Err(PersonError::SpoiledSession(_)) => None,
            other => other?,
        };
        Self::with(arguments, settings, session)
    }

    /// To sign out.
    ///
    /// # Errors
    /// As [`Caller::new`]; a session that can't be read is forgotten here.
    pub(crate) fn leaving(arguments: &PersonArguments) -> Result<Self, PersonError> {
        let settings = arguments.settings()?;
        let session = match settings.session().read() {
            Err(PersonError::SpoiledSession(path)) => {
                settings.session().forget()?;
                return Err(PersonError::LostSession(path));
            }
            other => other?,
        };
        Self::with(arguments, settings, session)
    }

    fn with(
        arguments: &PersonArguments,
        settings: Settings,
        session: Option<Session>,
    ) -> Result<Self, PersonError> {
        let (authority, secure) = (settings.authority.as_deref(), settings.gateway.secure_url());
        let http = web_client(authority, secure, Redirections::Refused)?;
        let api = Api::new(http, settings.gateway.clone());
        let recorded = settings
            .known_realm()
            .read()
            .map_err(|error| PersonError::File {
                path: settings.known_realm().path().to_owned(),
                error,
            })?;
        Ok(Self {
            arguments: arguments.clone(),
            api: api.with_session(session),
            is_on_record: recorded.is_some(),
            // What the person configured takes precedence over what the gateway said.
            realm: settings.realm.clone().or(recorded),
            settings,
        })
    }

    /// The person's gateway, key and folders.
    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The gateway's realm; `None` before the first touch there.
    pub(crate) fn realm(&self) -> Option<&RealmName> {
        self.realm.as_ref()
    }

    /// Opens the key, for the person with this session.
    fn person(&self) -> Result<Person<Box<dyn Connection>>, PersonError> {
        let key = self.settings.key.open(self.arguments.protection())?;
        let (api, realm) = (self.api.clone(), self.realm.clone());
        Ok(Person::new(
            api,
            realm,
            key,
            self.arguments.pin()?,
            announcing(&self.settings.key),
        ))
    }

    /// Registers the key by a one-time link, signs in with it and keeps the session.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(crate) async fn join(
        &mut self,
        new: &KeyToRegister,
    ) -> Result<session::Person, PersonError> {
        let mut person = self.person()?;
        let joined = person.join(new).await?;
        let signed_in = person.sign_in().await?;
        if person
            .api()
            .session()
            .is_none_or(|session| session.who.id != joined.id)
        {
            return Err(PersonError::Contradiction(
                "the key became one person's, and signed in another",
            ));
        }
        self.keep(&person)?;
        Ok(signed_in)
    }

    /// Signs in with a touch and keeps the session. Returns who that is.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(crate) async fn sign_in(&mut self) -> Result<session::Person, PersonError> {
        let mut person = self.person()?;
        let who = person.sign_in().await?;
        self.keep(&person)?;
        Ok(who)
    }

    fn keep<C: Connection>(&mut self, person: &Person<C>) -> Result<(), PersonError> {
        if let Some(session) = person.api().session() {
            self.settings.session().keep(session)?;
        }
        if let (Some(realm), false) = (person.realm(), self.is_on_record) {
            self.settings.known_realm().record(realm)?;
            self.is_on_record = true;
        }
        self.realm = person.realm().cloned();
        self.api = person.api().clone();
        Ok(())
    }

    /// Gets JSON; signs in first if there is no session any more.
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

    /// Posts JSON; signs in first if there is no session any more.
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

    /// Does an act with a touch.
    ///
    /// # Errors
    /// [`PersonError`] of the key or the gateway.
    pub(crate) async fn act(&mut self, request: &ActRequest) -> Result<Done, PersonError> {
        let mut person = self.person()?;
        let done = match person.act(request).await {
            Err(error) if error.is_signed_out() => {
                person.sign_in().await?;
                person.act(request).await
            }
            other => other,
        };
        self.keep(&person)?;
        done
    }

    /// Ends the session, here and at the gateway.
    ///
    /// # Errors
    /// [`PersonError`] of the gateway; a session that it does not know any more is no error.
    pub(crate) async fn sign_out(&mut self) -> Result<(), PersonError> {
        self.settings.session().forget()?;
        if self.api.session().is_some() {
            match self.api.post::<Value>("/api/sign-out", &Nothing {}).await {
                Err(error) if !error.is_signed_out() => return Err(error),
                _ => self.api.set_session(None),
            }
        }
        Ok(())
    }
}

/// Prints what a touch is for, or what a key file signs, which nobody touches.
fn announcing(key: &KeyChoice) -> impl Fn(&str) + use<> {
    let who = match key {
        KeyChoice::File(path) => {
            let name = path.file_name().unwrap_or(path.as_os_str());
            format!("Signing with {}", Printable(&name.to_string_lossy()))
        }
        _ => "Touch your security key".to_owned(),
    };
    move |sentence: &str| eprintln!("{who}: {}", Printable(sentence))
}
