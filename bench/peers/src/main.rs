//! Hallway's relying party beside webauthn-rs-core and passkey-types, in one run and in turns. It
//! also times the specification's vectors, which the scripts in this folder time for py_webauthn and
//! SimpleWebAuthn.

mod blob;
mod ceremony;
mod signer;
mod vector;

use hallway_bench_peers::{compare, usual_cost};
use hallway_ctap::authenticator_data::AuthenticatorData;
use passkey_types::ctap2::AuthenticatorData as PasskeyData;

use crate::blob::{Blob, SOMEBODY};
use crate::ceremony::Ceremony;
use crate::signer::{Attester, Signer};
use crate::vector::Vector;

const CORE: &str = "webauthn-rs-core";

fn main() {
    let plain = Ceremony::new(Signer::es256(), None);
    for (name, ceremony) in [
        ("ES256", &plain),
        ("RS256", &Ceremony::new(Signer::rs256(), None)),
    ] {
        compare(
            &format!("{name} assertion"),
            CORE,
            || ceremony.assert_here(),
            || ceremony.assert_there(),
        );
        compare(
            "  its bare signature check",
            CORE,
            || ceremony.bare_check(),
            || ceremony.assert_there(),
        );
    }
    let attested = Ceremony::new(Signer::es256(), Some(Attester::new()));
    for (what, ceremony) in [
        ("registration, packed x5c and root", &attested),
        ("registration, none", &plain),
    ] {
        compare(
            what,
            CORE,
            || ceremony.register_here(),
            || ceremony.register_there(),
        );
    }
    let data = plain.registration_data();
    compare(
        "parsing authenticator data",
        "passkey-types",
        || AuthenticatorData::parse(data).expect("ours"),
        || PasskeyData::from_slice(data).expect("theirs"),
    );
    let blob = Blob::new();
    compare(
        &format!("metadata BLOB, {} kB", blob.length() / 1000),
        "its JSON alone",
        || blob.read(),
        || blob.payload(),
    );
    let found = usual_cost(|| blob.metadata.by_aaguid(SOMEBODY).expect("a model"));
    println!("finding a model in it              {found:9.3} us");
    for section in ["none-es256", "packed-es256", "packed-rs256", "packed-eddsa"] {
        let vector = Vector::new(section);
        println!(
            "vector {section:<14} registration {:9.2} us   assertion {:9.2} us   bare check {:9.2} us",
            usual_cost(|| vector.register()),
            usual_cost(|| vector.assert()),
            usual_cost(|| vector.bare_check()),
        );
    }
}
