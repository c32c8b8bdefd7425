//! The interface of an act: a person asks for it, gets a statement, signs it, and it is performed.

use std::future::Future;
use std::pin::Pin;

use async_trait::async_trait;
use hallway_evidence::DeviceId;
use hallway_evidence::statement::{Act, Declaration, Signer, Terms};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Actor, Outcome};
use crate::Gateway;
use crate::http::input::fitting;
use crate::http::problem::Problem;
use crate::http::session::{Caller, link_token_hash};
use crate::store::{TokenHash, Unit};

/// An act of a person who is signed in, implemented for the terms of its statement.
///
/// The role that the statement's declaration names is checked before either step. `D` is the door
/// that performs the act: a type of the door's own crate, so that the crate may implement this
/// trait for terms that `hallway-evidence` declares.
#[async_trait]
pub trait Perform<D>: Terms + Into<Act> + Send + Sync {
    /// The member that the outcome has besides the evidence.
    const GIVES: Option<Given> = None;

    /// The members of the caller's request, besides the act's name.
    type Request: DeserializeOwned + JsonSchema + Send + 'static;

    /// The terms of the statement, if the act is allowed now.
    ///
    /// # Errors
    /// The reason why the act is not allowed.
    async fn prepare(
        asking: &Asking<'_>,
        request: Self::Request,
    ) -> Result<Prepared<Self>, Problem>;

    /// Appends the evidence that has to be in the log before that of the act itself.
    ///
    /// # Errors
    /// The reason why the act is not allowed; nothing is changed then.
    async fn before(&self, _gateway: &Gateway, _unit: &Unit<'_>) -> Result<(), Problem> {
        Ok(())
    }

    /// The device under which the evidence is listed.
    fn device(&self) -> Option<DeviceId> {
        None
    }

    /// Performs the act, inside the unit that logged its evidence.
    ///
    /// # Errors
    /// The reason why the act is not allowed; nothing is changed then.
    async fn perform(&self, actor: &Actor<'_>) -> Result<Outcome, Problem>;
}

/// A caller who asks for an act.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The gateway that was asked.
    pub gateway: &'a Gateway,
    /// The person and their session.
    pub caller: &'a Caller,
    /// The 16 random bytes that will be the statement's nonce.
    pub nonce: &'a [u8; 16],
}

impl Asking<'_> {
    /// The hash of the secret of the link that the act would make.
    pub fn link(&self) -> TokenHash {
        link_token_hash(self.gateway, self.nonce)
    }
}

/// The request for an act that needs no members besides its name.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NameAlone {}

/// The terms of a statement that is to be signed.
#[derive(Debug)]
pub struct Prepared<T> {
    /// The terms of one act, or the act that has them.
    pub act: T,
    /// Bytes of which the statement has only the hash. The client sends them back with its answer.
    pub attachment: Option<Vec<u8>>,
}

impl<T> From<T> for Prepared<T> {
    fn from(act: T) -> Self {
        Self {
            act,
            attachment: None,
        }
    }
}

type Boxed<'a, T> = Pin<Box<dyn Future<Output = Result<T, Problem>> + Send + 'a>>;

/// A member of an outcome: its name, and its schema.
pub type Given = (&'static str, fn(&mut SchemaGenerator) -> Schema);

/// An act in the list of a door.
pub struct Registered {
    /// The declaration of the act's statement.
    pub declared: Declaration,
    /// The schema of [`Perform::Request`].
    pub request: fn(&mut SchemaGenerator) -> Schema,
    /// See [`Perform::GIVES`].
    pub gives: Option<Given>,
    prepare: for<'a> fn(&'a Asking<'a>, Map<String, Value>) -> Boxed<'a, Prepared<Act>>,
    before: for<'a> fn(&'a Act, &'a Gateway, &'a Unit<'_>) -> Boxed<'a, ()>,
    device: fn(&Act) -> Option<DeviceId>,
    perform: for<'a> fn(&'a Act, &'a Actor<'a>) -> Boxed<'a, Outcome>,
}

/// The entry of an act in its door's list.
#[must_use]
pub fn act<D, T: Perform<D>>() -> Registered {
    Registered {
        declared: T::DECLARED,
        request: T::Request::json_schema,
        gives: T::GIVES,
        prepare: |asking, request| {
            Box::pin(async move {
                let request = fitting("the request", Value::Object(request))?;
                let prepared = T::prepare(asking, request).await?;
                Ok(Prepared {
                    act: prepared.act.into(),
                    attachment: prepared.attachment,
                })
            })
        },
        before: |act, gateway, unit| {
            Box::pin(async move { terms::<T>(act)?.before(gateway, unit).await })
        },
        device: |act| T::of(act).and_then(T::device),
        perform: |act, actor| Box::pin(async move { terms::<T>(act)?.perform(actor).await }),
    }
}

fn terms<T: Terms>(act: &Act) -> Result<&T, Problem> {
    T::of(act).ok_or_else(|| Problem::malformed("this is the statement of another act"))
}

impl Registered {
    /// See [`Perform::prepare`]. Checks the caller's role and the request first.
    ///
    /// # Errors
    /// The caller's role is too low, the request lacks a member, or the act is not allowed.
    pub async fn prepare(
        &self,
        asking: &Asking<'_>,
        request: Map<String, Value>,
    ) -> Result<Prepared<Act>, Problem> {
        if let Signer::Person(least) = self.declared.signer
            && asking.caller.person.role < least
        {
            return Err(Problem::role_needed(least));
        }
        (self.prepare)(asking, request).await
    }

    /// See [`Perform::before`].
    ///
    /// # Errors
    /// The reason why the act is not allowed.
    pub async fn before(
        &self,
        gateway: &Gateway,
        unit: &Unit<'_>,
        act: &Act,
    ) -> Result<(), Problem> {
        (self.before)(act, gateway, unit).await
    }

    /// See [`Perform::device`].
    #[must_use]
    pub fn device(&self, act: &Act) -> Option<DeviceId> {
        (self.device)(act)
    }

    /// See [`Perform::perform`].
    ///
    /// # Errors
    /// The reason why the act is not allowed.
    pub async fn perform(&self, actor: &Actor<'_>, act: &Act) -> Result<Outcome, Problem> {
        (self.perform)(act, actor).await
    }
}
