//! Reading the members of an attestation statement.

use hallway_ctap::cose::Algorithm;

use super::AttestationError;
use crate::cbor_map::{self, CborMap};
use crate::certificate::MAX_CHAIN;
use crate::certificate::{Certificate, CertificateError};

/// An attestation statement: one CBOR item, walked before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Statement<'a>(pub(crate) &'a [u8]);

impl<'a> Statement<'a> {
    pub(crate) fn map(self) -> Result<CborMap<'a>, AttestationError> {
        CborMap::new(self.0).ok_or(AttestationError::WrongType("attStmt"))
    }

    pub(crate) fn has(self, name: &str) -> Result<bool, AttestationError> {
        Ok(self.map()?.get(name).is_some())
    }

    fn member(self, name: &'static str) -> Result<&'a [u8], AttestationError> {
        self.map()?.get(name).ok_or(AttestationError::Missing(name))
    }

    pub(crate) fn bytes(self, name: &'static str) -> Result<&'a [u8], AttestationError> {
        cbor_map::bytes(self.member(name)?).ok_or(AttestationError::WrongType(name))
    }

    pub(crate) fn text(self, name: &'static str) -> Result<&'a str, AttestationError> {
        cbor_map::text(self.member(name)?).ok_or(AttestationError::WrongType(name))
    }

    /// The COSE algorithm at `alg`.
    pub(crate) fn algorithm(self) -> Result<Algorithm, AttestationError> {
        let id =
            cbor_map::integer(self.member("alg")?).ok_or(AttestationError::WrongType("alg"))?;
        Algorithm::from_id(id).ok_or(AttestationError::UnknownAlgorithm(id))
    }

    /// The certificates at `x5c`, 1 to [`MAX_CHAIN`] of them, leaf first.
    pub(crate) fn certificates(self) -> Result<Vec<Certificate<'a>>, AttestationError> {
        let items =
            cbor_map::array(self.member("x5c")?).ok_or(AttestationError::WrongType("x5c"))?;
        let mut chain = Vec::new();
        for item in items {
            if chain.len() == MAX_CHAIN {
                return Err(CertificateError::ChainLength(MAX_CHAIN + 1).into());
            }
            let der = cbor_map::bytes(item).ok_or(AttestationError::WrongType("x5c"))?;
            chain.push(Certificate::parse(der)?);
        }
        if chain.is_empty() {
            return Err(CertificateError::ChainLength(0).into());
        }
        Ok(chain)
    }
}
