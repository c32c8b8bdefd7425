//! Authenticator data and the extension outputs in them.
#![no_main]

use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::cose::PublicKey;
use hallway_webauthn::AuthenticatorExtensions;
use hallway_webauthn::explain;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = AuthenticatorExtensions::parse(bytes);
    let _ = PublicKey::decode(bytes);
    let _ = explain::authenticator_data(bytes, None);
    let Ok(data) = AuthenticatorData::parse(bytes) else {
        return;
    };
    assert_eq!(data.encode().expect("it was parsed"), bytes);
    if let Some(extensions) = data.extensions {
        let _ = AuthenticatorExtensions::parse(extensions);
    }
});
