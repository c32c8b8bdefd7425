//! One route: its name, its access rule, its input and its output.
//!
//! The router, the OpenAPI description and the test that proves every authorisation rule are all
//! made from the same list of these, so none of them can know a route that the others do not.

use axum::extract::DefaultBodyLimit;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

use super::bounds::Bounds;
use crate::Gateway;
use crate::store::Role;

/// The access rule of a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody: what it gives is public.
    Public,
    /// Anybody whose request itself proves its right: a one-time link, a key's or a device's
    /// signature. The handler checks that proof before anything else.
    Proof,
    /// A person who is signed in and has at least this role.
    Person(Role),
}

/// The form of a route's errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Problem details.
    Api,
    /// A page of the console; a visitor who is not signed in is sent to the sign-in page.
    Page,
}

/// Describes JSON for the API's description.
pub type Described = Box<dyn Fn(&mut SchemaGenerator) -> Schema + Send + Sync>;

/// One route of the gateway.
pub struct Route {
    /// The method.
    pub method: Method,
    /// The path, parameters in braces.
    pub path: &'static str,
    /// The authorisation rule.
    pub access: Access,
    /// Page or API.
    pub kind: Kind,
    /// The bounds of a request.
    pub bounds: Bounds,
    /// One line for the API's description.
    pub summary: &'static str,
    /// The JSON of a request.
    pub request: Option<Described>,
    /// The JSON of an answer.
    pub response: Option<Described>,
    pub(crate) handler: MethodRouter<Gateway>,
}

impl Route {
    fn new<H, T>(
        method: Method,
        filter: MethodFilter,
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self
    where
        H: Handler<T, Gateway>,
        T: 'static,
    {
        // The bounds of the route apply instead.
        let handler = on(filter, handler).layer(DefaultBodyLimit::disable());
        let bounds = if filter == MethodFilter::GET || filter == MethodFilter::DELETE {
            Bounds::READ
        } else {
            Bounds::CHANGE
        };
        Self {
            method,
            path,
            access,
            kind: Kind::Api,
            bounds,
            summary: "",
            request: None,
            response: None,
            handler,
        }
    }

    /// A GET route of the API.
    pub fn get<H: Handler<T, Gateway>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::GET, MethodFilter::GET, path, access, handler)
    }

    /// A POST route of the API.
    pub fn post<H: Handler<T, Gateway>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::POST, MethodFilter::POST, path, access, handler)
    }

    /// A PUT route of the API.
    pub fn put<H: Handler<T, Gateway>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::PUT, MethodFilter::PUT, path, access, handler)
    }

    /// A PATCH route of the API.
    pub fn patch<H: Handler<T, Gateway>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::PATCH, MethodFilter::PATCH, path, access, handler)
    }

    /// A DELETE route of the API.
    pub fn delete<H: Handler<T, Gateway>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self::new(Method::DELETE, MethodFilter::DELETE, path, access, handler)
    }

    /// A page of the console.
    pub fn page<H: Handler<T, Gateway>, T: 'static>(
        path: &'static str,
        access: Access,
        handler: H,
    ) -> Self {
        Self {
            kind: Kind::Page,
            ..Self::get(path, access, handler)
        }
    }

    /// Summarises the route in a line.
    #[must_use]
    pub fn summary(self, summary: &'static str) -> Self {
        Self { summary, ..self }
    }

    /// Describes the JSON of a request.
    #[must_use]
    pub fn takes<T: JsonSchema + 'static>(self) -> Self {
        self.takes_as(|schemas| schemas.subschema_for::<T>())
    }

    /// The same, if no single type describes it.
    #[must_use]
    pub fn takes_as(
        self,
        described: impl Fn(&mut SchemaGenerator) -> Schema + Send + Sync + 'static,
    ) -> Self {
        Self {
            request: Some(Box::new(described)),
            bounds: Bounds {
                body: Bounds::JSON.body,
                ..self.bounds
            },
            ..self
        }
    }

    /// Sets bounds of its own. Bounds wider than [`Bounds::READ`] and [`Bounds::JSON`] give a reason.
    #[must_use]
    pub fn within(self, bounds: Bounds) -> Self {
        Self { bounds, ..self }
    }

    /// Describes the JSON of an answer.
    #[must_use]
    pub fn gives<T: JsonSchema + 'static>(self) -> Self {
        self.gives_as(|schemas| schemas.subschema_for::<T>())
    }

    /// The same, if no single type describes it.
    #[must_use]
    pub fn gives_as(
        self,
        described: impl Fn(&mut SchemaGenerator) -> Schema + Send + Sync + 'static,
    ) -> Self {
        Self {
            response: Some(Box::new(described)),
            ..self
        }
    }
}
