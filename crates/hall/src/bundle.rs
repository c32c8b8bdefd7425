//! Trust bundles: the authorities of trust domains (SPIFFE Trust Domain and Bundle, section 4).

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use hallway_evidence::Count;
use rustls_pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_rustls::rustls::RootCertStore;

use crate::identity::TrustDomain;
use crate::svid::{self, SvidError};

/// The most authorities that a bundle may have.
pub const MOST_AUTHORITIES: usize = 16;
/// The longest bundle that is read, in bytes of JSON.
pub const LONGEST_BUNDLE_BYTES: usize = 256 * 1024;

/// Why a bundle can't be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// Not the JSON of a bundle.
    #[error("the trust bundle is not a JWKS document: {0}")]
    Json(#[from] serde_json::Error),
    /// None, or more than [`MOST_AUTHORITIES`], or a longer document than [`LONGEST_BUNDLE_BYTES`].
    #[error("the trust bundle has no authority, or too many")]
    Size,
    /// The certificate of a key is not base64, is not a certificate, or can't be a trust anchor.
    #[error("a key of the trust bundle has a certificate that cannot be used")]
    Certificate,
    /// No authority names the trust domain.
    #[error("no authority of the trust bundle names its trust domain")]
    NoDomain,
    /// Its sequence number is 2^63 or more.
    #[error("the sequence number of the trust bundle is too large")]
    Sequence,
    /// A certificate is not that of an authority.
    #[error("an authority of the trust bundle: {0}")]
    Svid(#[from] SvidError),
    /// A certificate is an authority of another trust domain.
    #[error("an authority of the trust bundle belongs to {0}, not to {1}")]
    Domain(TrustDomain, TrustDomain),
}

/// The authorities of one trust domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    trust_domain: TrustDomain,
    authorities: Vec<CertificateDer<'static>>,
}

/// A bundle as it is published: with its sequence number and refresh hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The authorities.
    pub bundle: Bundle,
    /// `spiffe_sequence`, which grows with each change (section 4.1.1).
    pub sequence: Option<u64>,
    /// `spiffe_refresh_hint`, seconds (section 4.1.2).
    pub refresh_seconds: Option<u64>,
}

/// A JWKS document (section 4.1), as it is written, with keys of ours, or read, with keys of any
/// kind.
#[derive(Serialize, Deserialize)]
struct Document<K> {
    keys: Vec<K>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spiffe_sequence: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spiffe_refresh_hint: Option<u64>,
}

#[derive(Serialize)]
struct Key {
    #[serde(rename = "use")]
    usage: String,
    kty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    x5c: Vec<String>,
}

/// The certificate of a key, in base64, if it is that of an authority for X.509-SVIDs. Other keys
/// are ignored, whatever they hold: other uses and types of keys (sections 4.2.1 and 4.2.2), and
/// keys without a certificate; of several certificates, the first counts (X.509-SVID, section 6.2).
fn certificate(key: &Value) -> Option<&str> {
    let is_for_svids =
        key["use"] == "x509-svid" && matches!(key["kty"].as_str(), Some("EC" | "RSA" | "OKP"));
    key["x5c"].get(0)?.as_str().filter(|_| is_for_svids)
}

impl Bundle {
    /// From the authorities' certificates, DER: 1 to [`MOST_AUTHORITIES`]. At least one names a
    /// trust domain, and all that name one name the same.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn new(authorities: Vec<CertificateDer<'static>>) -> Result<Self, BundleError> {
        if !(1..=MOST_AUTHORITIES).contains(&authorities.len()) {
            return Err(BundleError::Size);
        }
        let mut trust_domain: Option<TrustDomain> = None;
        for authority in &authorities {
            // A certificate that can't be a trust anchor is refused here, where it fails this
            // bundle only: in [`Bundles::new`] it would fail all of them.
            RootCertStore::empty()
                .add(authority.clone())
                .map_err(|_| BundleError::Certificate)?;
            let Some(named) = svid::authority_domain(authority)? else {
                continue;
            };
            match &trust_domain {
                Some(one) if *one != named => {
                    return Err(BundleError::Domain(named, one.clone()));
                }
                _ => trust_domain = Some(named),
            }
        }
        Ok(Self {
            trust_domain: trust_domain.ok_or(BundleError::NoDomain)?,
            authorities,
        })
    }

    /// Reads the JSON of a SPIFFE bundle (section 4): keys of use `x509-svid`.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        Published::from_json(json).map(|published| published.bundle)
    }

    /// The JSON of the SPIFFE bundle. `sequence` grows with each change; `refresh_seconds` is how
    /// often others should fetch it.
    ///
    /// # Errors
    /// The key of an authority is not a P-256 key, the only kind for which a JWK is made here.
    pub fn to_json(&self, sequence: u64, refresh_seconds: u64) -> Result<String, BundleError> {
        let keys = self.authorities.iter().map(jwk).collect::<Result<_, _>>()?;
        Ok(serde_json::to_string(&Document {
            keys,
            spiffe_sequence: Some(sequence),
            spiffe_refresh_hint: Some(refresh_seconds),
        })?)
    }

    /// The trust domain.
    #[must_use]
    pub fn trust_domain(&self) -> &TrustDomain {
        &self.trust_domain
    }

    /// The authorities' certificates.
    #[must_use]
    pub fn authorities(&self) -> &[CertificateDer<'static>] {
        &self.authorities
    }
}

impl Published {
    /// Reads the JSON of a SPIFFE bundle (section 4): keys of use `x509-svid`.
    ///
    /// # Errors
    /// [`BundleError`].
    pub fn from_json(json: &[u8]) -> Result<Self, BundleError> {
        if json.len() > LONGEST_BUNDLE_BYTES {
            return Err(BundleError::Size);
        }
        let document: Document<Value> = serde_json::from_slice(json)?;
        let mut authorities = Vec::new();
        for certificate in document.keys.iter().filter_map(certificate) {
            let der = STANDARD
                .decode(certificate)
                .map_err(|_| BundleError::Certificate)?;
            authorities.push(CertificateDer::from(der));
        }
        Ok(Self {
            bundle: Bundle::new(authorities)?,
            sequence: match document.spiffe_sequence {
                Some(number) => Some(Count::new(number).map_err(|_| BundleError::Sequence)?.get()),
                None => None,
            },
            refresh_seconds: document.spiffe_refresh_hint,
        })
    }
}

fn jwk(certificate: &CertificateDer<'static>) -> Result<Key, BundleError> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(certificate).map_err(|_| BundleError::Certificate)?;
    let point = &parsed.public_key().subject_public_key.data;
    let [0x04, coordinates @ ..] = point.as_ref() else {
        return Err(BundleError::Certificate);
    };
    if coordinates.len() != 64 {
        return Err(BundleError::Certificate);
    }
    let (x, y) = coordinates.split_at(32);
    Ok(Key {
        usage: "x509-svid".to_owned(),
        kty: "EC".to_owned(),
        crv: Some("P-256".to_owned()),
        x: Some(URL_SAFE_NO_PAD.encode(x)),
        y: Some(URL_SAFE_NO_PAD.encode(y)),
        x5c: vec![STANDARD.encode(certificate)],
    })
}

/// The bundles of all trust domains that are trusted: the realm's own, and those of others.
///
/// A certificate is checked against the bundle of the trust domain that it names and no other
/// (X.509-SVID, section 5.2), so a realm can't vouch for people of another.
#[derive(Debug, Clone, Default)]
pub struct Bundles(BTreeMap<TrustDomain, Arc<RootCertStore>>);

impl Bundles {
    /// Collects bundles. A later bundle of a domain replaces an earlier one.
    ///
    /// # Errors
    /// A certificate can't be a trust anchor.
    pub fn new<'a>(bundles: impl IntoIterator<Item = &'a Bundle>) -> Result<Self, BundleError> {
        let mut all = BTreeMap::new();
        for bundle in bundles {
            let mut roots = RootCertStore::empty();
            for authority in bundle.authorities() {
                roots
                    .add(authority.clone())
                    .map_err(|_| BundleError::Certificate)?;
            }
            all.insert(bundle.trust_domain.clone(), Arc::new(roots));
        }
        Ok(Self(all))
    }

    pub(crate) fn roots(&self, domain: &TrustDomain) -> Option<&Arc<RootCertStore>> {
        self.0.get(domain)
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = (&TrustDomain, &Arc<RootCertStore>)> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::authority::sample;

    #[test]
    fn a_bundle_reads_back_as_it_was_written() {
        let bundle = sample::realm("bank.example").bundle();
        let json = bundle.to_json(7, 300).unwrap();
        let published = Published::from_json(json.as_bytes()).unwrap();
        assert_eq!(
            (published.sequence, published.refresh_seconds),
            (Some(7), Some(300))
        );
        assert_eq!(published.bundle, bundle);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["spiffe_sequence"], 7);
        assert_eq!(value["keys"][0]["use"], "x509-svid");
        assert_eq!(value["keys"][0]["crv"], "P-256");
    }

    #[test]
    fn keys_for_jwt_are_ignored_and_a_bundle_of_none_is_refused() {
        for json in [
            br#"{"keys":[{"use":"jwt-svid","kty":"EC","kid":"a"}]}"#.as_slice(),
            br#"{"keys":[{"use":"x509-svid","kty":"of the future"}]}"#,
        ] {
            assert!(matches!(Bundle::from_json(json), Err(BundleError::Size)));
        }
    }

    #[test]
    fn keys_that_are_no_authorities_may_have_any_form() {
        let bank = sample::realm("bank.example").bundle();
        let json = bank.to_json(7, 300).unwrap();
        let mut document: Value = serde_json::from_str(&json).unwrap();
        let keys = document["keys"].as_array_mut().unwrap();
        // X.509-SVID, section 6.2: all but the first certificate MUST be ignored, and so must a key
        // without any.
        let more = keys[0]["x5c"][0].clone();
        keys[0]["x5c"]
            .as_array_mut()
            .unwrap()
            .extend([more, Value::Null, "?".into()]);
        for other in [
            serde_json::json!({ "use": "jwt-svid", "kty": "EC", "kid": 7, "x5c": "none", "x": null }),
            serde_json::json!({ "use": null, "kty": ["EC"] }),
            serde_json::json!({ "kty": "oct", "k": "AAAA" }),
            serde_json::json!({ "use": "x509-svid", "kty": "EC" }),
            serde_json::json!({ "use": "x509-svid", "kty": "EC", "x5c": [] }),
            Value::Null,
        ] {
            keys.insert(0, other);
        }
        document["spiffe_sequence"] = Value::Null;
        document["of the future"] = true.into();
        let read = Published::from_json(document.to_string().as_bytes()).unwrap();
        assert_eq!((read.bundle, read.sequence), (bank, None));
    }

    #[test]
    fn an_authority_need_not_name_its_domain_beside_one_that_does() {
        let bank = sample::realm("bank.example")
            .authority
            .certificate()
            .clone();
        let key = rcgen::KeyPair::generate().unwrap();
        let mut nameless = rcgen::CertificateParams::default();
        nameless.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let nameless = nameless.self_signed(&key).unwrap().der().clone();
        for authorities in [
            vec![bank.clone(), nameless.clone()],
            vec![nameless.clone(), bank],
        ] {
            let bundle = Bundle::new(authorities.clone()).unwrap();
            assert_eq!(bundle.trust_domain().as_str(), "bank.example");
            assert_eq!(bundle.authorities(), authorities);
        }
        assert!(matches!(
            Bundle::new(vec![nameless]),
            Err(BundleError::NoDomain)
        ));
    }

    #[test]
    fn a_bundle_is_of_one_trust_domain_and_of_authorities_only() {
        let (bank, shop) = (sample::realm("bank.example"), sample::realm("shop.example"));
        let both = [&bank, &shop].map(|realm| realm.authority.certificate().clone());
        assert!(matches!(
            Bundle::new(both.to_vec()),
            Err(BundleError::Domain(..))
        ));
        let leaf = bank.person("ada").chain.remove(0);
        assert!(matches!(Bundle::new(vec![leaf]), Err(BundleError::Svid(_))));
    }
}
