//! A realm for tests: an authority, and the parties that it names.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, KeyUsagePurpose, SanType};
use rustls_pki_types::CertificateDer;

use super::{Authority, Leaf, Usage};
use crate::bundle::{Bundle, Bundles};
use crate::identity::{Party, SpiffeId};
use crate::key::HallKey;
use crate::tls::Identity;

pub(crate) const QUARTER_HOUR_MS: u64 = 15 * 60 * 1000;

pub(crate) fn now_ms() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    u64::try_from(elapsed.as_millis()).unwrap()
}

pub(crate) struct Realm {
    pub(crate) authority: Authority,
    pub(crate) key: Vec<u8>,
}

/// A chain and its key.
pub(crate) struct Holder {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: HallKey,
}

impl Holder {
    pub(crate) fn identity(&self) -> Arc<Identity> {
        Identity::new(self.chain.clone(), &self.key).unwrap()
    }
}

/// The authority that a gateway makes for its realm.
pub(crate) fn realm(domain: &str) -> Realm {
    let key = KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.subject_alt_names = vec![SanType::URI(
        format!("spiffe://{domain}").try_into().unwrap(),
    )];
    let certificate = params.self_signed(&key).unwrap();
    let key = key.serialize_der();
    Realm {
        authority: Authority::new(certificate.der(), &key).unwrap(),
        key,
    }
}

impl Realm {
    /// A second instance of the same authority.
    pub(crate) fn again(&self) -> Self {
        Self {
            authority: Authority::new(self.authority.certificate(), &self.key).unwrap(),
            key: self.key.clone(),
        }
    }

    pub(crate) fn bundle(&self) -> Bundle {
        Bundle::new(vec![self.authority.certificate().clone()]).unwrap()
    }

    pub(crate) fn bundles(&self) -> Bundles {
        Bundles::new([&self.bundle()]).unwrap()
    }

    pub(crate) fn id(&self, party: &Party) -> SpiffeId {
        SpiffeId::new(self.authority.trust_domain().clone(), party).unwrap()
    }

    pub(crate) fn person(&self, id: &str) -> Holder {
        let now = now_ms();
        self.issue(
            Party::Person(id.to_owned()),
            Usage::Client,
            now,
            now + QUARTER_HOUR_MS,
        )
    }

    pub(crate) fn gateway(&self) -> Holder {
        let now = now_ms();
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        self.issue(
            Party::Gateway,
            Usage::Server { names },
            now,
            now + QUARTER_HOUR_MS,
        )
    }

    pub(crate) fn issue(&self, party: Party, usage: Usage, from_ms: u64, to_ms: u64) -> Holder {
        let key = HallKey::generate().unwrap();
        let leaf = self
            .authority
            .issue(&Leaf {
                party,
                public_key: key.public(),
                not_before_ms: from_ms,
                not_after_ms: to_ms,
                usage,
                provenance: None,
            })
            .unwrap();
        Holder {
            chain: vec![leaf],
            key,
        }
    }
}
