//! The certificates that a relying party trusts because it lists them.

use crate::certificate::{Certificate, CertificateError};

/// A certificate that vouches for others, or for itself.
///
/// It is trusted because it is listed: neither its own signature nor its dates are judged
/// (RFC 5280, 6.1.1). A version 1 root serves too, and so does a leaf certificate, which is then
/// accepted by exact match.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TrustAnchor {
    name: String,
    certificate: Vec<u8>,
    subject: Vec<u8>,
}

impl TrustAnchor {
    /// `name` is shown to people; `certificate` is DER.
    ///
    /// # Errors
    /// [`CertificateError::Malformed`], [`CertificateError::TooLong`] or
    /// [`CertificateError::DuplicateExtension`].
    pub fn new(
        name: impl Into<String>,
        certificate: impl Into<Vec<u8>>,
    ) -> Result<Self, CertificateError> {
        let certificate = certificate.into();
        let subject = Certificate::parse(&certificate)?
            .x509()
            .subject()
            .as_raw()
            .to_vec();
        Ok(Self {
            name: name.into(),
            certificate,
            subject,
        })
    }

    /// The name that people see.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The certificate, DER.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The subject, a DER Name.
    pub(crate) fn subject(&self) -> &[u8] {
        &self.subject
    }
}

/// The anchors of one policy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct TrustAnchors(Vec<TrustAnchor>);

impl TrustAnchors {
    /// No anchors: no chain leads to one.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Adds an anchor.
    pub fn add(&mut self, anchor: TrustAnchor) {
        self.0.push(anchor);
    }

    /// The anchors, in the order in which they were added.
    pub fn iter(&self) -> std::slice::Iter<'_, TrustAnchor> {
        self.0.iter()
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<TrustAnchor> for TrustAnchors {
    fn from_iter<I: IntoIterator<Item = TrustAnchor>>(anchors: I) -> Self {
        Self(anchors.into_iter().collect())
    }
}

impl<'a> IntoIterator for &'a TrustAnchors {
    type Item = &'a TrustAnchor;
    type IntoIter = std::slice::Iter<'a, TrustAnchor>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}
