//! Hallway's relying party beside webauthn-rs-core and passkey-types, in one run and in turns; and
//! the time that it takes for the specification's vectors, which the scripts next to this measure
//! for py_webauthn and SimpleWebAuthn.

mod ceremony;

use std::hint::black_box;
use std::time::{Duration, Instant};

use hallway_ctap::authenticator_data::AuthenticatorData;
use passkey_types::ctap2::AuthenticatorData as PasskeyData;

use crate::ceremony::{Ceremony, Vector};

/// Turns, and how long each lasts.
const TURNS: usize = 41;
const TURN: Duration = Duration::from_millis(40);

fn microseconds<T>(work: &impl Fn() -> T) -> f64 {
    let start = Instant::now();
    let mut calls = 0u32;
    while start.elapsed() < TURN {
        for _ in 0..8 {
            black_box(work());
        }
        calls += 8;
    }
    start.elapsed().as_secs_f64() * 1e6 / f64::from(calls)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn compare<T, U>(what: &str, peer: &str, ours: impl Fn() -> T, theirs: impl Fn() -> U) {
    let turns: Vec<(f64, f64)> = (0..TURNS)
        .map(|_| (microseconds(&ours), microseconds(&theirs)))
        .collect();
    let ratio = median(turns.iter().map(|(a, b)| b / a).collect());
    let ours = median(turns.iter().map(|turn| turn.0).collect());
    let theirs = median(turns.iter().map(|turn| turn.1).collect());
    println!("{what:<34} {ours:9.2} us   {peer:<18} {theirs:9.2} us   {ratio:6.2} times");
}

fn main() {
    let ceremony = Ceremony::new();
    compare(
        "ES256 assertion",
        "webauthn-rs-core",
        || ceremony.assert_here(),
        || ceremony.assert_there(),
    );
    compare(
        "ES256 registration, none",
        "webauthn-rs-core",
        || ceremony.register_here(),
        || ceremony.register_there(),
    );
    let data = ceremony.registration_data();
    compare(
        "parsing authenticator data",
        "passkey-types",
        || AuthenticatorData::parse(data).expect("ours"),
        || PasskeyData::from_slice(data).expect("theirs"),
    );
    for section in ["none-es256", "packed-es256", "packed-rs256", "packed-eddsa"] {
        let vector = Vector::new(section);
        let register = median((0..TURNS).map(|_| microseconds(&|| vector.register())).collect());
        let assert = median((0..TURNS).map(|_| microseconds(&|| vector.assert())).collect());
        println!("vector {section:<14} registration {register:9.2} us   assertion {assert:9.2} us");
    }
}
