//! The JSON forms that browsers speak (WebAuthn Level 3, 5.1): options to send, responses to read.
//!
//! `PublicKeyCredential.parseCreationOptionsFromJSON()` and `parseRequestOptionsFromJSON()` take
//! [`CreationOptions`] and [`RequestOptions`]; a credential's `toJSON()` gives
//! [`RegistrationResponseJson`] and [`AuthenticationResponseJson`].

mod base64url;
mod options;
mod response;

pub use base64url::{Base64Url, Base64UrlError};
pub use options::{
    AuthenticatorSelection, CreationOptions, CredentialDescriptor, CredentialParameter,
    CredentialType, Entity, RequestOptions, Requirement, UserEntity,
};
pub use response::{
    AssertionFields, AttestationFields, AuthenticationResponseJson, RegistrationResponseJson,
    WireError,
};
