//! Verifying registrations and assertions, against the bare signature checks inside them.
//!
//! `cargo bench -p hallway-bench --bench webauthn` measures each by criterion, then prints ratios
//! taken pairwise in one run: end to end and bare alternate, so that other work of the machine slows
//! both.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "webauthn/made.rs"]
mod made;
#[path = "webauthn/ratio.rs"]
mod ratio;

use criterion::Criterion;
use made::{Assertion, Registration};

fn main() {
    let assertions = Assertion::one_of_each();
    let registration = Registration::packed();
    let mut criterion = Criterion::default().configure_from_args();
    for made in &assertions {
        let mut group = criterion.benchmark_group(format!("assertion/{}", made.name));
        group.bench_function("end to end", |b| b.iter(|| made.verify()));
        group.bench_function("bare", |b| b.iter(|| made.bare()));
        group.finish();
    }
    let mut group = criterion.benchmark_group("registration/packed x5c, ES256");
    group.bench_function("end to end", |b| b.iter(|| registration.verify()));
    group.bench_function("bare", |b| b.iter(|| registration.bare()));
    group.finish();
    criterion.final_summary();

    println!("\nend to end against the bare signature checks, medians of pairs:");
    for made in &assertions {
        ratio::print(made.name, 1.10, || made.verify(), || made.bare());
    }
    ratio::print(
        "registration, packed x5c",
        2.0,
        || registration.verify(),
        || registration.bare(),
    );
}
