//! Client data: accepted only if an independent JSON parser reads the same values.
#![no_main]

use hallway_webauthn::{
    ClientDataError, RegistrationError, RegistrationPolicy, RegistrationResponse, RelyingParty,
    UnixSeconds, verify_registration,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let rp = RelyingParty::new("example.org", "https://example.org");
    let policy = RegistrationPolicy::person();
    let response = RegistrationResponse::new(bytes, &[]);
    let result = verify_registration(&rp, &[0; 3], &policy, UnixSeconds(0), &response);
    let refused = matches!(
        result,
        Err(RegistrationError::ClientData(
            ClientDataError::Json(_)
                | ClientDataError::Missing(_)
                | ClientDataError::WrongType(_)
                | ClientDataError::Duplicate(_)
                | ClientDataError::TooLong
                | ClientDataError::Type { .. }
                | ClientDataError::Challenge
                | ClientDataError::Origin(_)
                | ClientDataError::CrossOrigin
                | ClientDataError::TopOrigin(_)
        ))
    );
    if !refused {
        // The check has reached the empty attestation object, so it has accepted the client data.
        let plain = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let _: serde::de::IgnoredAny = serde_json::from_slice(plain).expect("it is JSON");
        // A number beyond f64 and a lone surrogate are valid JSON, but serde_json has no value for them.
        let Ok(json) = serde_json::from_slice::<serde_json::Value>(plain) else {
            return;
        };
        assert_eq!(json["type"], "webauthn.create");
        assert_eq!(json["challenge"], "AAAA");
        assert_eq!(json["origin"], "https://example.org");
        assert_ne!(json["crossOrigin"], true);
    }
});
