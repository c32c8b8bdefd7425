//! Chains are checked by rustls against one trust domain's authorities, and leaves by
//! [`Svid::read`] (SPIFFE X.509-SVID, section 5).

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::danger::{
    HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier,
};
use tokio_rustls::rustls::client::verify_server_cert_signed_by_trust_anchor;
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature,
};
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, OtherError, SignatureScheme,
};

use super::TlsError;
use crate::bundle::Bundles;
use crate::identity::{SpiffeId, TrustDomain};
use crate::svid::Svid;

/// Reads the leaf, so that what it claims decides against which authorities it is checked.
fn leaf(certificate: &CertificateDer<'_>) -> Result<Svid, Error> {
    Svid::read(certificate).map_err(|error| {
        tracing::debug!(%error, "a certificate is no X.509-SVID");
        CertificateError::Other(OtherError(Arc::new(error))).into()
    })
}

/// Checks clients: one verifier for each trust domain.
#[derive(Debug)]
pub(super) struct Clients {
    domains: BTreeMap<TrustDomain, Arc<dyn ClientCertVerifier>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Clients {
    pub(super) fn new(bundles: Bundles, provider: Arc<CryptoProvider>) -> Result<Self, TlsError> {
        let algorithms = provider.signature_verification_algorithms;
        let mut domains: BTreeMap<TrustDomain, Arc<dyn ClientCertVerifier>> = BTreeMap::new();
        for (domain, roots) in bundles.all() {
            let verifier = WebPkiClientVerifier::builder_with_provider(
                Arc::clone(roots),
                Arc::clone(&provider),
            )
            .build()
            .map_err(|error| TlsError::Verifier(error.to_string()))?;
            domains.insert(domain.clone(), verifier);
        }
        Ok(Self {
            domains,
            algorithms,
        })
    }
}

impl ClientCertVerifier for Clients {
    /// None: they would tell every stranger who the realm's partners are.
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let svid = leaf(end_entity)?;
        self.domains
            .get(svid.id.trust_domain())
            .ok_or(CertificateError::UnknownIssuer)?
            .verify_client_cert(end_entity, intermediates, now)
            .map_err(|error| match error {
                // Made by an authority that took the name of ours: not a broken message, as the
                // alert for a bad signature would say.
                Error::InvalidCertificate(CertificateError::BadSignature) => {
                    CertificateError::UnknownIssuer.into()
                }
                other => other,
            })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// Checks that the other end is the expected gateway, by its SPIFFE ID.
#[derive(Debug)]
pub(super) struct Gateway {
    bundles: Bundles,
    expected: SpiffeId,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Gateway {
    pub(super) fn new(bundles: Bundles, expected: SpiffeId, provider: &CryptoProvider) -> Self {
        Self {
            bundles,
            expected,
            algorithms: provider.signature_verification_algorithms,
        }
    }
}

impl ServerCertVerifier for Gateway {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let svid = leaf(end_entity)?;
        let roots = self
            .bundles
            .roots(svid.id.trust_domain())
            .ok_or(CertificateError::UnknownIssuer)?;
        verify_server_cert_signed_by_trust_anchor(
            &ParsedCertificate::try_from(end_entity)?,
            roots,
            intermediates,
            now,
            self.algorithms.all,
        )?;
        if svid.id != self.expected {
            return Err(CertificateError::ApplicationVerificationFailure.into());
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
