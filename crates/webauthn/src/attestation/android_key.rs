//! The Android Key attestation statement format (WebAuthn Level 3, 8.4).

use std::fmt;

use x509_parser::oid_registry::{Oid, asn1_rs::oid};

use super::{AttestationError, Context, DEVICE, Details, Verified, step};
use crate::certificate::Certificate;
use crate::der::{self, Reader, Tag};
use crate::observer::{Hex, Observer, Outcome, Step, check, conclude, part};
use crate::policy::AndroidKeyLists;
use crate::signature;

const OID_KEY_DESCRIPTION: Oid<'static> = oid!(1.3.6.1.4.1.11129.2.1.17);

const SYNTAX: Step = step("8.4/1", "The statement has its members");
const SIGNATURE: Step = step("8.4/2", "The certificate's key signed");
const PUBLIC_KEY: Step = step("8.4/3", "The certificate is for the credential's key");
const CHALLENGE: Step = step(
    "8.4/4",
    "The key was made for this registration (challenge)",
);
const APPLICATIONS: Step = step("8.4/5.1", "The key is for one application");
const ORIGIN: Step = step("8.4/5.2.1", "The key was generated where it is");
const PURPOSE: Step = step("8.4/5.2.2", "The key is for signing");

/// KM_ORIGIN_GENERATED.
const GENERATED: u64 = 0;
/// KM_PURPOSE_SIGN.
const SIGN: u64 = 2;
/// KM_PURPOSE_VERIFY: what anybody can do with the public key, so it restricts nothing.
const VERIFY: u64 = 3;

/// Where an Android key, or the software that speaks for it, lives (SecurityLevel).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum AndroidSecurityLevel {
    /// In Android itself.
    Software,
    /// In a trusted execution environment.
    TrustedEnvironment,
    /// In a separate security chip.
    StrongBox,
}

/// 8.4: Android's keystore issues a certificate for the credential's own key and describes the key
/// in it.
pub(super) fn verify<'a, O: Observer>(
    context: &Context<'a>,
    observer: &mut O,
) -> Result<Verified<'a>, AttestationError> {
    let statement = context.statement;
    let algorithm = part(observer, SYNTAX, statement.algorithm())?;
    let signature = part(observer, SYNTAX, statement.bytes("sig"))?;
    let chain = conclude(
        observer,
        SYNTAX,
        statement.certificates(),
        format_args!("alg, sig and x5c"),
    )?;
    let Some(leaf) = chain.first() else {
        return Err(AttestationError::Missing("x5c"));
    };
    let key = leaf.key()?;
    conclude(
        observer,
        SIGNATURE,
        signature::verify_named(algorithm, &key, context.message().bytes(), signature),
        format_args!("{algorithm} over the authenticator data and the hash"),
    )?;
    match context.public_key() {
        Some(credential) => check(
            observer,
            PUBLIC_KEY,
            key.is(&credential),
            format_args!("{}", leaf.subject()),
            || AttestationError::PublicKeyDiffers,
        )?,
        None => observer.step(PUBLIC_KEY, Outcome::Skipped, format_args!("{DEVICE}")),
    }
    let description = leaf
        .extension(&OID_KEY_DESCRIPTION)
        .and_then(|(value, _)| KeyDescription::parse(value));
    let description = description.ok_or(AttestationError::KeyDescription);
    let description = part(observer, CHALLENGE, description)?;
    check(
        observer,
        CHALLENGE,
        description.challenge == context.challenge(),
        format_args!(
            "{}, expected {}",
            Hex(description.challenge),
            Hex(context.challenge())
        ),
        || AttestationError::Nonce,
    )?;
    verify_lists(&description, context.android_key, observer)?;
    let details = Details::AndroidKey {
        attestation: description.attestation_level,
        key: description.key_level,
    };
    Ok(Verified::certified(chain, details))
}

/// Bullet 5.
fn verify_lists<O: Observer>(
    description: &KeyDescription<'_>,
    policy: AndroidKeyLists,
    observer: &mut O,
) -> Result<(), AttestationError> {
    let (software, hardware) = (&description.software, &description.hardware);
    let requirement = |what| AttestationError::Requirement {
        section: "8.4",
        what,
    };
    check(
        observer,
        APPLICATIONS,
        !software.all_applications && !hardware.all_applications,
        format_args!("allApplications is on neither list"),
        || requirement("the key is for all applications"),
    )?;
    let lists: &[&AuthorizationList<'_>] = match policy {
        AndroidKeyLists::Hardware => &[hardware],
        AndroidKeyLists::Either | AndroidKeyLists::MayBeSilent => &[hardware, software],
    };
    let silent = policy == AndroidKeyLists::MayBeSilent;
    // In a union every value that is given counts: one list cannot excuse the other.
    let mut origins = lists.iter().filter_map(|list| list.origin).peekable();
    let generated = match origins.peek() {
        None => silent,
        Some(_) => origins.all(|origin| origin == GENERATED),
    };
    check(
        observer,
        ORIGIN,
        generated,
        format_args!("{hardware} in hardware, {software} in software; {policy}"),
        || requirement("its origin is not KM_ORIGIN_GENERATED on the lists that count"),
    )?;
    let mut purposes = lists.iter().filter_map(|list| list.purpose).peekable();
    let for_signing = match purposes.peek() {
        None => silent,
        Some(_) => purposes.all(|purpose| purpose == Purpose::Sign),
    };
    check(
        observer,
        PURPOSE,
        for_signing,
        format_args!("{hardware} in hardware, {software} in software; {policy}"),
        || requirement("its purpose is not KM_PURPOSE_SIGN on the lists that count"),
    )
}

/// The device's serial number, where secure hardware attests it (ID attestation, for devices that
/// an organisation manages).
pub(crate) fn attested_serial<'a>(leaf: &Certificate<'a>) -> Option<&'a str> {
    let (value, _) = leaf.extension(&OID_KEY_DESCRIPTION)?;
    let serial = KeyDescription::parse(value)?.hardware.serial?;
    let serial = std::str::from_utf8(serial).ok()?;
    (!serial.is_empty()).then_some(serial)
}

/// The certificate's key description (8.4.1).
#[derive(Debug)]
struct KeyDescription<'a> {
    attestation_level: AndroidSecurityLevel,
    key_level: AndroidSecurityLevel,
    challenge: &'a [u8],
    software: AuthorizationList<'a>,
    hardware: AuthorizationList<'a>,
}

/// The members of an AuthorizationList that 8.4 asks for, and the device's serial number.
#[derive(Debug, Default)]
struct AuthorizationList<'a> {
    purpose: Option<Purpose>,
    all_applications: bool,
    origin: Option<u64>,
    serial: Option<&'a [u8]>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Purpose {
    Sign,
    Other,
}

impl<'a> KeyDescription<'a> {
    fn parse(extension: &'a [u8]) -> Option<Self> {
        let mut fields = Reader::new(der::only(extension, Tag::SEQUENCE)?);
        fields.expect(Tag::INTEGER)?;
        let attestation_level = level(fields.expect(Tag::ENUMERATED)?)?;
        fields.expect(Tag::INTEGER)?;
        let key_level = level(fields.expect(Tag::ENUMERATED)?)?;
        let challenge = fields.expect(Tag::OCTET_STRING)?;
        fields.expect(Tag::OCTET_STRING)?;
        let software = AuthorizationList::parse(fields.expect(Tag::SEQUENCE)?)?;
        let hardware = AuthorizationList::parse(fields.expect(Tag::SEQUENCE)?)?;
        Some(Self {
            attestation_level,
            key_level,
            challenge,
            software,
            hardware,
        })
    }
}

impl fmt::Display for AuthorizationList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let purpose = match self.purpose {
            None => "no purpose",
            Some(Purpose::Sign) => "for signing",
            Some(Purpose::Other) => "for something else",
        };
        match self.origin {
            None => write!(f, "{purpose} and no origin"),
            Some(GENERATED) => write!(f, "{purpose} and generated"),
            Some(origin) => write!(f, "{purpose} and of origin {origin}"),
        }
    }
}

impl<'a> AuthorizationList<'a> {
    fn parse(content: &'a [u8]) -> Option<Self> {
        let mut list = Self::default();
        let mut reader = Reader::new(content);
        while !reader.is_empty() {
            let element = reader.next()?;
            match element.tag.context_number() {
                Some(1) if list.purpose.is_none() => {
                    list.purpose = Some(purpose(der::only(element.content, Tag::SET)?)?);
                }
                Some(600) => list.all_applications = true,
                Some(702) if list.origin.is_none() => {
                    let origin = der::only(element.content, Tag::INTEGER)?;
                    list.origin = Some(der::unsigned(origin)?);
                }
                Some(713) if list.serial.is_none() => {
                    list.serial = Some(der::only(element.content, Tag::OCTET_STRING)?);
                }
                Some(1 | 702 | 713) => return None,
                _ => {}
            }
        }
        Some(list)
    }
}

fn purpose(set: &[u8]) -> Option<Purpose> {
    let mut reader = Reader::new(set);
    let mut signs = false;
    let mut other = false;
    while !reader.is_empty() {
        match der::unsigned(reader.expect(Tag::INTEGER)?)? {
            SIGN => signs = true,
            VERIFY => {}
            _ => other = true,
        }
    }
    Some(if signs && !other {
        Purpose::Sign
    } else {
        Purpose::Other
    })
}

fn level(content: &[u8]) -> Option<AndroidSecurityLevel> {
    Some(match der::unsigned(content)? {
        0 => AndroidSecurityLevel::Software,
        1 => AndroidSecurityLevel::TrustedEnvironment,
        2 => AndroidSecurityLevel::StrongBox,
        _ => return None,
    })
}
