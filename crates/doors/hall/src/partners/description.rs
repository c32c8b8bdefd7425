//! A realm's description of itself, for realms that want to be partners.

use hallway_evidence::log::VerifierKey;
use hallway_evidence::{Origin, RealmName};
use hallway_hall::{Address, Bundle, BundleError, Party, Published, SpiffeId};
use hallway_spine::http::problem::Problem;
use hallway_spine::{Gateway, sha256};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::HallsOf;
use crate::store::PartnerWitness;

/// Seconds after which others should look at the bundle again.
const REFRESH_SECONDS: u64 = 300;
/// The longest key of a witness that is kept, in bytes.
const MAX_WITNESS_BYTES: usize = 1024;

/// A realm, as its gateway describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Description {
    /// The realm: its relying party id and its SPIFFE trust domain.
    #[schemars(with = "String")]
    pub realm: RealmName,
    /// Where its gateway is reached.
    #[schemars(with = "String")]
    pub origin: Origin,
    /// Where its SPIFFE trust bundle is (SPIFFE Federation, profile https_web).
    pub bundle_endpoint: String,
    /// The key of its log, `NAME+ID+KEY` (C2SP signed-note).
    #[schemars(with = "String")]
    pub log: VerifierKey,
    /// Its witness, which cosigns other logs; null without one.
    pub witness: Option<Witness>,
    /// Its hall listener; null without one.
    pub hall: Option<HallListener>,
}

/// A realm's witness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Witness {
    /// The key, `NAME+ID+KEY` (C2SP tlog-cosignature).
    pub vkey: String,
    /// The address to which checkpoints are sent (C2SP tlog-witness).
    pub url: String,
}

/// A realm's hall listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HallListener {
    /// `HOST:PORT`.
    #[schemars(with = "String")]
    pub address: Address,
    /// The SPIFFE ID that its gateway shows there.
    pub gateway: String,
}

/// Why a realm can't be a partner.
#[derive(Debug, thiserror::Error)]
pub enum Unfit {
    /// It names another address than the one that was asked.
    #[error("it says that its address is {0}; use that one")]
    Origin(Origin),
    /// Its name is neither its host's nor a parent of that.
    #[error("it calls itself {realm}, which is not the host {host} or a parent of it")]
    Realm {
        /// Its name for itself.
        realm: RealmName,
        /// The host of its address.
        host: String,
    },
    /// It is this realm.
    #[error("it is this realm itself")]
    Ourselves,
    /// The name of its log's key is not `REALM/log`.
    #[error("the name of its log's key is {0}, and not its realm followed by /log")]
    LogName(String),
    /// It has no hall listener.
    #[error("it has no hall listener, so nobody could visit it; its operator sets [hall]")]
    NoHall,
    /// Its hall listener or its bundle would be at another host.
    #[error("it says that {what} is at {place}, which is not of the realm {realm}")]
    Elsewhere {
        /// The hall listener, the bundle or the witness.
        what: &'static str,
        /// The address.
        place: String,
        /// The realm.
        realm: RealmName,
    },
    /// The SPIFFE ID of its gateway is not that of a gateway.
    #[error("its gateway calls itself {0}")]
    Gateway(String),
    /// Its trust bundle.
    #[error("its trust bundle: {0}")]
    Bundle(#[from] BundleError),
    /// Its bundle is of another trust domain.
    #[error("its trust bundle is of {0}")]
    TrustDomain(String),
}

/// A checked description of a realm.
#[derive(Debug, Clone)]
pub struct Described {
    /// The realm.
    pub realm: RealmName,
    /// The address of its gateway.
    pub origin: Origin,
    /// The key of its log.
    pub log: VerifierKey,
    /// Its hall listener.
    pub hall: Address,
    /// Its witness.
    pub witness: Option<PartnerWitness>,
    /// Its authorities.
    pub published: Published,
    /// The bundle's bytes as they came.
    pub document: Vec<u8>,
}

impl Description {
    /// The description of this realm.
    ///
    /// # Errors
    /// The realm or the address of the configuration can't be written in a description.
    pub fn own(gateway: &Gateway) -> Result<Self, Problem> {
        let origin: Origin = gateway
            .origin
            .parse()
            .map_err(|error| Problem::internal(&error))?;
        let internal = |error: &dyn std::fmt::Display| {
            Problem::internal(&std::io::Error::other(error.to_string()))
        };
        let own = gateway.halls().authorities.in_use();
        let hall = match &gateway.halls().address {
            None => None,
            Some(address) => Some(HallListener {
                address: address.parse().map_err(|error| internal(&error))?,
                gateway: gateway_id(own.bundle.trust_domain().as_str())
                    .map_err(|error| internal(&error))?
                    .to_string(),
            }),
        };
        Ok(Self {
            realm: own_realm(gateway)?,
            bundle_endpoint: format!("{origin}/api/hall/bundle"),
            origin,
            log: gateway.ledger.verifier(),
            witness: Some(Witness {
                vkey: gateway.witness.key().to_string(),
                url: gateway.witness_url(),
            }),
            hall,
        })
    }

    /// Checks that the parts fit together, and fit the address that was asked. A partner may run
    /// any program, so no part may lead to a host that is not the partner's own.
    ///
    /// # Errors
    /// [`Unfit`] says which part does not.
    pub fn check(self, asked: &Origin, document: Vec<u8>) -> Result<Described, Unfit> {
        let Self {
            realm,
            origin,
            log,
            witness,
            hall,
            ..
        } = self;
        if origin != *asked {
            return Err(Unfit::Origin(origin));
        }
        if !realm.covers(origin.host()) {
            let host = origin.host().to_owned();
            return Err(Unfit::Realm { realm, host });
        }
        if log.name() != format!("{realm}/log") {
            return Err(Unfit::LogName(log.name().to_owned()));
        }
        let hall = hall.ok_or(Unfit::NoHall)?;
        if !is_of(&realm, &origin, &hall.address) {
            return Err(Unfit::Elsewhere {
                what: "its hall listener",
                place: String::from(hall.address),
                realm,
            });
        }
        if gateway_id(realm.as_str())
            .map(|id| id.to_string())
            .ok()
            .as_ref()
            != Some(&hall.gateway)
        {
            return Err(Unfit::Gateway(hall.gateway));
        }
        if let Some(witness) = &witness
            && (!below(&origin, &witness.url) || witness.vkey.len() > MAX_WITNESS_BYTES)
        {
            return Err(Unfit::Elsewhere {
                what: "its witness",
                place: witness.url.clone(),
                realm,
            });
        }
        let published = Published::from_json(&document)?;
        let domain = published.bundle.trust_domain().as_str();
        if domain != realm.as_str() {
            return Err(Unfit::TrustDomain(domain.to_owned()));
        }
        Ok(Described {
            realm,
            origin,
            log,
            hall: hall.address,
            witness: witness.map(|Witness { vkey, url }| PartnerWitness { key: vkey, url }),
            published,
            document,
        })
    }

    /// The path of the bundle endpoint, if it is at the same origin: no other is asked.
    ///
    /// # Errors
    /// [`Unfit::Elsewhere`].
    pub fn bundle_path(&self, asked: &Origin) -> Result<&str, Unfit> {
        self.bundle_endpoint
            .strip_prefix(asked.as_str())
            .filter(|path| path.starts_with('/'))
            .ok_or_else(|| Unfit::Elsewhere {
                what: "its trust bundle",
                place: self.bundle_endpoint.clone(),
                realm: self.realm.clone(),
            })
    }
}

impl Described {
    /// The description with only those authorities whose SHA-256 is in `known`. Its bundle has no
    /// sequence number, so that the whole bundle can be believed after it.
    ///
    /// # Errors
    /// It has none of them.
    pub fn only(self, known: &[[u8; 32]]) -> Result<Self, BundleError> {
        let all = self.published.bundle.authorities().iter();
        let kept = all.filter(|certificate| known.contains(&sha256(certificate)));
        let bundle = Bundle::new(kept.cloned().collect())?;
        Ok(Self {
            document: bundle.to_json(0, REFRESH_SECONDS)?.into_bytes(),
            published: Published {
                bundle,
                sequence: None,
                ..self.published
            },
            ..self
        })
    }

    /// The authorities by the SHA-256 of their certificates, in order.
    #[must_use]
    pub fn authorities(&self) -> Vec<[u8; 32]> {
        authorities(&self.published.bundle)
    }
}

/// Authorities by the SHA-256 of their certificates, in order, each once.
#[must_use]
pub fn authorities(bundle: &Bundle) -> Vec<[u8; 32]> {
    let mut hashes: Vec<[u8; 32]> = bundle
        .authorities()
        .iter()
        .map(|certificate| sha256(certificate))
        .collect();
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// This realm's trust bundle (SPIFFE Trust Domain and Bundle, 4), as JSON.
///
/// # Errors
/// A certificate of an authority can't be read.
pub fn own_bundle_json(gateway: &Gateway) -> Result<String, BundleError> {
    let own = gateway.halls().authorities.in_use();
    own.bundle.to_json(own.sequence, REFRESH_SECONDS)
}

/// This realm's name.
///
/// # Errors
/// The name of the configuration can't be written in a description.
pub fn own_realm(gateway: &Gateway) -> Result<RealmName, Problem> {
    let realm = gateway.rp.id.parse();
    realm.map_err(|error: hallway_evidence::RealmNameError| Problem::internal(&error))
}

/// The SPIFFE ID of a realm's gateways.
///
/// # Errors
/// The realm is no trust domain.
pub fn gateway_id(realm: &str) -> Result<SpiffeId, hallway_hall::IdentityError> {
    SpiffeId::new(realm.parse()?, &Party::Gateway)
}

/// Whether a hall listener is a realm's own: its host is the realm's or below it, or this machine
/// where the whole realm is on it.
fn is_of(realm: &RealmName, origin: &Origin, address: &Address) -> bool {
    let host = address
        .as_str()
        .rsplit_once(':')
        .map_or("", |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let here = host
        .parse()
        .is_ok_and(|address: std::net::IpAddr| address.is_loopback());
    realm.covers(host) || here && hallway_hall::is_local(origin.host())
}

fn below(origin: &Origin, url: &str) -> bool {
    url.strip_prefix(origin.as_str())
        .is_some_and(|path| path.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use hallway_evidence::Timestamp;
    use hallway_spine::realm_authority::RealmAuthority;

    use super::*;

    fn beta() -> (Description, Vec<u8>) {
        let authority =
            RealmAuthority::generate("beta.example", Timestamp::from_ms(1_800_000_000_000))
                .unwrap();
        let bundle = Bundle::new(vec![authority.certificate.into()]).unwrap();
        let description = Description {
            realm: "beta.example".parse().unwrap(),
            origin: "https://gate.beta.example".parse().unwrap(),
            bundle_endpoint: "https://gate.beta.example/api/hall/bundle".to_owned(),
            log: VerifierKey::new("beta.example/log", [1; 32]).unwrap(),
            witness: None,
            hall: Some(HallListener {
                address: "gate.beta.example:8443".parse().unwrap(),
                gateway: "spiffe://beta.example/gateway".to_owned(),
            }),
        };
        (description, bundle.to_json(1, 300).unwrap().into_bytes())
    }

    fn refused(change: impl FnOnce(&mut Description)) -> Unfit {
        let (mut description, document) = beta();
        change(&mut description);
        let asked = "https://gate.beta.example".parse().unwrap();
        description.check(&asked, document).unwrap_err()
    }

    #[test]
    fn authorities_that_nobody_signed_for_are_left_out() {
        let (description, document) = beta();
        let asked: Origin = "https://gate.beta.example/".parse().unwrap();
        let signed = description.clone().check(&asked, document).unwrap();
        let known = signed.authorities();
        let another = beta().1;
        let another = Published::from_json(&another).unwrap().bundle;
        let both = [&signed.published.bundle, &another];
        let both = both.iter().flat_map(|bundle| bundle.authorities().to_vec());
        let both = Bundle::new(both.collect()).unwrap();
        let document = both.to_json(2, 300).unwrap().into_bytes();
        let offered = description.check(&asked, document).unwrap();
        assert_eq!(offered.authorities().len(), 2);
        let kept = offered.clone().only(&known).unwrap();
        assert_eq!((kept.authorities(), kept.published.sequence), (known, None));
        let read = Published::from_json(&kept.document).unwrap();
        assert_eq!(read.bundle, signed.published.bundle);
        assert!(offered.only(&[[0; 32]]).is_err());
    }

    #[test]
    fn a_realm_that_says_what_fits_is_taken() {
        let (description, document) = beta();
        let asked: Origin = "https://gate.beta.example/".parse().unwrap();
        assert_eq!(description.bundle_path(&asked).unwrap(), "/api/hall/bundle");
        let described = description.check(&asked, document).unwrap();
        assert_eq!(described.authorities().len(), 1);
        assert_eq!(described.published.sequence, Some(1));
    }

    #[test]
    fn nobody_takes_anothers_name() {
        let unfit = refused(|it| it.realm = "alpha.example".parse().unwrap());
        assert!(matches!(unfit, Unfit::Realm { .. }), "{unfit}");
        let unfit = refused(|it| it.origin = "https://gate.alpha.example".parse().unwrap());
        assert!(matches!(unfit, Unfit::Origin(_)), "{unfit}");
        let unfit = refused(|it| it.log = VerifierKey::new("alpha.example/log", [1; 32]).unwrap());
        assert!(matches!(unfit, Unfit::LogName(_)), "{unfit}");
        let unfit = refused(|it| {
            it.hall.as_mut().unwrap().gateway = "spiffe://alpha.example/gateway".to_owned();
        });
        assert!(matches!(unfit, Unfit::Gateway(_)), "{unfit}");
    }

    #[test]
    fn a_bundle_of_another_trust_domain_is_refused() {
        let (description, _) = beta();
        let authority =
            RealmAuthority::generate("alpha.example", Timestamp::from_ms(1_800_000_000_000))
                .unwrap();
        let bundle = Bundle::new(vec![authority.certificate.into()]).unwrap();
        let document = bundle.to_json(1, 300).unwrap().into_bytes();
        let asked = "https://gate.beta.example".parse().unwrap();
        let unfit = description.check(&asked, document).unwrap_err();
        assert!(matches!(unfit, Unfit::TrustDomain(_)), "{unfit}");
    }

    #[test]
    fn nothing_leads_to_another_host() {
        for address in [
            "127.0.0.1:22",
            "[::1]:22",
            "169.254.169.254:80",
            "10.0.0.1:443",
            "localhost:22",
            "gate.alpha.example:443",
            "notbeta.example:443",
        ] {
            let unfit = refused(|it| it.hall.as_mut().unwrap().address = address.parse().unwrap());
            assert!(
                matches!(unfit, Unfit::Elsewhere { .. }),
                "{address}: {unfit}"
            );
        }
        let witness = |url: &str| Witness {
            vkey: "beta.example/witness+1+x".to_owned(),
            url: url.to_owned(),
        };
        for url in ["http://127.0.0.1/w", "https://gate.beta.example.evil/w"] {
            let unfit = refused(|it| it.witness = Some(witness(url)));
            assert!(matches!(unfit, Unfit::Elsewhere { .. }), "{url}: {unfit}");
        }
        let (mut description, _) = beta();
        for endpoint in [
            "https://elsewhere.example/bundle",
            "https://gate.beta.example.evil/bundle",
            "https://gate.beta.example:81/bundle",
        ] {
            description.bundle_endpoint = endpoint.to_owned();
            let asked = "https://gate.beta.example".parse().unwrap();
            assert!(description.bundle_path(&asked).is_err(), "{endpoint}");
        }
    }
}
