//! The JSON forms that browsers speak (WebAuthn Level 3, 5.1): options to send, responses to read.
//!
//! `PublicKeyCredential.parseCreationOptionsFromJSON()` and `parseRequestOptionsFromJSON()` take
//! [`CreationOptions`] and [`RequestOptions`]; a credential's `toJSON()` gives
//! [`RegistrationResponseJson`] and [`AuthenticationResponseJson`].

mod base64url;
mod extensions;
mod options;
mod response;
mod signal;

pub use base64url::{Base64Url, Base64UrlError};
pub use extensions::{ClientExtensions, CredentialProperties, LargeBlob, Prf, PrfValues};
pub use options::{
    AuthenticatorSelection, CreationOptions, CredentialDescriptor, CredentialParameter,
    CredentialType, Entity, RequestOptions, Requirement, UserEntity,
};
pub use response::{
    AssertionFields, AttestationFields, AuthenticationResponseJson, RegistrationResponseJson,
    WireError,
};
pub use signal::{AllAcceptedCredentials, CurrentUserDetails, UnknownCredential};
