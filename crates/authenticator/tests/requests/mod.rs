//! The plainest requests of the two ceremonies, for tests to change.

use hallway_ctap::command::{Options, RelyingParty, User, get_assertion, make_credential};

pub(crate) const RP: &str = "gate.example";

/// Ada asks for a passkey.
pub(crate) fn creation<'a>() -> make_credential::Request<'a> {
    make_credential::Request {
        client_data_hash: &[1; 32],
        rp: RelyingParty { id: RP, name: None },
        user: User {
            id: b"ada",
            name: Some("ada"),
            display_name: None,
        },
        algorithms: vec![-8],
        exclude: Vec::new(),
        extensions: make_credential::Extensions::default(),
        options: Options {
            discoverable: Some(true),
            ..Options::default()
        },
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
        enterprise_attestation: None,
        attestation_formats: Vec::new(),
    }
}

/// Somebody signs in, with any passkey.
pub(crate) fn assertion<'a>() -> get_assertion::Request<'a> {
    get_assertion::Request {
        rp_id: RP,
        client_data_hash: &[2; 32],
        allow: None,
        extensions: get_assertion::Extensions::default(),
        options: Options::default(),
        pin_uv_auth_param: None,
        pin_uv_auth_protocol: None,
    }
}
