//! The names of a device in its certificate.

use std::fmt;

use x509_parser::extensions::GeneralName;
use x509_parser::oid_registry::{OID_X509_SERIALNUMBER, Oid, asn1_rs::oid};

use crate::certificate::Certificate;
use crate::der::{self, Reader, Tag};
use crate::observer::Hex;

const OID_PERMANENT_IDENTIFIER: Oid<'static> = oid!(1.3.6.1.5.5.7.8.3);
const OID_HARDWARE_MODULE: Oid<'static> = oid!(1.3.6.1.5.5.7.8.4);
const OID_APPLE_SERIAL: Oid<'static> = oid!(1.2.840.113635.100.8.9.1);
const OID_APPLE_UDID: Oid<'static> = oid!(1.2.840.113635.100.8.9.2);

/// A name that a device's maker gave it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DeviceIdentifier {
    /// `permanent-identifier`: a PermanentIdentifier (RFC 4043), a serial number in the subject, or
    /// an Apple device's serial number or UDID.
    Permanent {
        /// The identifier, such as a serial number.
        value: String,
        /// Who assigned it, an object identifier, where the certificate says so.
        assigner: Option<String>,
    },
    /// `hardware-module`: a HardwareModuleName (RFC 4108).
    HardwareModule {
        /// The serial number, bytes.
        serial: Vec<u8>,
        /// The kind of module, an object identifier.
        kind: String,
    },
}

impl DeviceIdentifier {
    /// A serial number without an assigner.
    pub(super) fn serial(value: &str) -> Self {
        Self::Permanent {
            value: value.to_owned(),
            assigner: None,
        }
    }
}

impl fmt::Display for DeviceIdentifier {
    /// As in an ACME order; serial numbers that are not UTF-8 are hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Permanent { value, assigner } => {
                f.write_str(value)?;
                assigner
                    .as_ref()
                    .map_or(Ok(()), |assigner| write!(f, "/{assigner}"))
            }
            Self::HardwareModule { serial, kind } => match std::str::from_utf8(serial) {
                Ok(serial) => write!(f, "{serial}/{kind}"),
                Err(_) => write!(f, "{}/{kind}", Hex(serial)),
            },
        }
    }
}

/// Identifiers with commas between them.
pub(super) struct Listed<'a>(pub(super) &'a [DeviceIdentifier]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut names = self.0.iter();
        if let Some(first) = names.next() {
            write!(f, "{first}")?;
        }
        names.try_for_each(|name| write!(f, ", {name}"))
    }
}

/// The identifiers in a certificate, as far as they can be read.
pub(super) fn of(leaf: &Certificate<'_>) -> Vec<DeviceIdentifier> {
    let mut found = Vec::new();
    if let Ok(Some(names)) = leaf.x509().subject_alternative_name() {
        for name in &names.value.general_names {
            if let GeneralName::OtherName(oid, value) = name {
                found.extend(other_name(oid, value));
            }
        }
    }
    for oid in [OID_APPLE_SERIAL, OID_APPLE_UDID] {
        let value = leaf.extension(&oid).map(|(value, _)| value);
        let value = value.and_then(|value| std::str::from_utf8(value).ok());
        found.extend(
            value
                .filter(|value| !value.is_empty())
                .map(DeviceIdentifier::serial),
        );
    }
    let serial = leaf.subject_attribute(&OID_X509_SERIALNUMBER);
    found.extend(serial.map(DeviceIdentifier::serial));
    found
}

fn other_name(oid: &Oid<'_>, value: &[u8]) -> Option<DeviceIdentifier> {
    const UTF8_STRING: Tag = Tag::universal(12);
    let mut fields = Reader::new(der::only(
        der::only(value, Tag::context(0))?,
        Tag::SEQUENCE,
    )?);
    if *oid == OID_PERMANENT_IDENTIFIER {
        let value = std::str::from_utf8(fields.optional(UTF8_STRING)?).ok()?;
        let assigner = fields.optional(Tag::OID).map(dotted);
        return (fields.is_empty() && !value.is_empty()).then(|| DeviceIdentifier::Permanent {
            value: value.to_owned(),
            assigner,
        });
    }
    if *oid == OID_HARDWARE_MODULE {
        let kind = dotted(fields.expect(Tag::OID)?);
        let serial = fields.expect(Tag::OCTET_STRING)?.to_vec();
        return (fields.is_empty() && !serial.is_empty())
            .then_some(DeviceIdentifier::HardwareModule { serial, kind });
    }
    None
}

fn dotted(content: &[u8]) -> String {
    Oid::new(content.into()).to_id_string()
}
