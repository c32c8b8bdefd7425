//! The extension previewSign, step by step (Web Authentication sign extension, version 4,
//! "Authenticator extension processing").

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod requests;
mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::{
    Attestation, Authenticator, Caller, Change, Enterprise, Everyday, PrivateKey, Settings,
};
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::{AuthenticatorData, Flags};
use hallway_ctap::cbor::{Form, Map, MapBuilder, Value};
use hallway_ctap::command::preview_sign::{GeneratedKey, KeyRequest, SignRequest};
use hallway_ctap::command::{
    Command, Descriptor, Response, config, get_assertion, make_credential,
};
use hallway_ctap::cose::{Algorithm, PublicKey};
use hallway_ctap::status::Status;
use p256::ecdsa::signature::Verifier;
use p256::ecdsa::{DerSignature, VerifyingKey};
use requests::{assertion, creation};
use sha2::{Digest, Sha256};
use virtual_key::{Hands, Virtual, VirtualKey};

const ES256: i64 = -7;
const ESP256: i64 = -9;
const SPLIT: i64 = -300;
const SPLIT_ARKG: i64 = -65539;
const SILENT: Option<u64> = Some(0b000);
const TOUCHED: Option<u64> = Some(0b001);
const VERIFIED: Option<u64> = Some(0b101);

fn key(hands: &Rc<Hands>) -> VirtualKey {
    let settings = Settings {
        preview_sign: true,
        ..Settings::default()
    };
    VirtualKey::power_up_with(hands, settings)
}

fn with_key(algorithms: &[i64], flags: Option<u64>) -> make_credential::Request<'static> {
    let mut request = creation();
    request.options.discoverable = None;
    request.extensions.preview_sign = Some(KeyRequest {
        algorithms: algorithms.to_vec(),
        flags,
    });
    request
}

fn make(
    key: &mut VirtualKey,
    request: make_credential::Request<'_>,
) -> Result<make_credential::Response, Status> {
    // As a platform would send it.
    let bytes = request.encode();
    match key.0.handle(Caller::ONLY, &Command::parse(&bytes)?)? {
        Response::MakeCredential(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

fn assert(
    key: &mut VirtualKey,
    request: get_assertion::Request<'_>,
) -> Result<get_assertion::Response, Status> {
    let bytes = request.encode();
    match key.0.handle(Caller::ONLY, &Command::parse(&bytes)?)? {
        Response::GetAssertion(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

/// A credential and its signing key, as a relying party keeps them.
struct Made {
    id: Vec<u8>,
    /// The algorithm that was chosen for the signing key.
    algorithm: i64,
    handle: Vec<u8>,
    public_key: Vec<u8>,
    outer: Vec<u8>,
    object: GeneratedKey,
}

fn made(key: &mut VirtualKey, request: make_credential::Request<'_>) -> Made {
    let response = make(key, request).unwrap();
    let object = response.preview_sign.unwrap();
    let outer = AuthenticatorData::parse(&response.auth_data).unwrap();
    let outputs = Map::parse(outer.extensions.unwrap(), Form::Canonical).unwrap();
    let output = outputs.get("previewSign").unwrap().map().unwrap();
    assert_eq!(output.len(), 1);
    let inner = AuthenticatorData::parse(&object.auth_data).unwrap();
    let inner = inner.attested_credential.unwrap();
    Made {
        id: outer.attested_credential.unwrap().credential_id.to_vec(),
        algorithm: output.get(3).unwrap().integer().unwrap(),
        handle: inner.credential_id.to_vec(),
        public_key: inner.public_key.to_vec(),
        outer: response.auth_data.clone(),
        object: object.clone(),
    }
}

/// A request to a signing key; each test changes the part that it is about.
#[derive(Clone, Copy)]
struct Asked<'a> {
    handle: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
    args: Option<&'a [u8]>,
    presence: Option<bool>,
}

impl<'a> Asked<'a> {
    fn of(made: &'a Made, data: &'a [u8]) -> Self {
        Self {
            handle: Some(&made.handle),
            data: Some(data),
            args: None,
            presence: None,
        }
    }
}

fn sign_request<'a>(id: &'a [u8], asked: Asked<'a>) -> get_assertion::Request<'a> {
    let mut request = assertion();
    request.allow = Some(vec![Descriptor { id }]);
    request.options.presence = asked.presence;
    request.extensions.preview_sign = Some(SignRequest {
        key_handle: asked.handle,
        to_be_signed: asked.data,
        args: asked.args,
    });
    request
}

fn sign(key: &mut VirtualKey, id: &[u8], asked: Asked<'_>) -> Result<Vec<u8>, Status> {
    let response = assert(key, sign_request(id, asked))?;
    let data = AuthenticatorData::parse(&response.auth_data).unwrap();
    let outputs = Map::parse(data.extensions.unwrap(), Form::Canonical).unwrap();
    let output = outputs.get("previewSign").unwrap().map().unwrap();
    assert_eq!(output.len(), 1);
    Ok(output.get(6).unwrap().bytes().unwrap().to_vec())
}

fn verifies(public_key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let PublicKey::Ec2 { x, y, .. } = PublicKey::decode(public_key).unwrap() else {
        panic!("not on a curve");
    };
    let key = VerifyingKey::from_sec1_bytes(&[&[4], x, y].concat()).unwrap();
    let signature = DerSignature::from_bytes(signature).unwrap();
    key.verify(message, &signature).is_ok()
}

fn digest(message: &[u8]) -> [u8; 32] {
    Sha256::digest(message).into()
}

#[test]
fn whole_and_split_keys_sign_what_their_public_keys_verify() {
    let hands = Hands::new();
    let mut key = key(&hands);
    for (algorithm, verification) in [(ES256, -7), (ESP256, -9), (SPLIT, -9)] {
        let made = made(&mut key, with_key(&[-18, algorithm, ES256], TOUCHED));
        assert_eq!(made.algorithm, algorithm);
        let cose = Map::parse(&made.public_key, Form::Canonical).unwrap();
        assert_eq!(cose.get(3), Some(Value::Integer(verification)));
        let split = algorithm == SPLIT;
        let data = match split {
            true => digest(b"message").to_vec(),
            false => b"message".to_vec(),
        };
        let signature = sign(&mut key, &made.id, Asked::of(&made, &data)).unwrap();
        assert!(verifies(&made.public_key, b"message", &signature));
        assert!(!verifies(&made.public_key, b"massage", &signature));
        // A power cycle later it is the same key.
        let mut again = self::key(&hands);
        let signature = sign(&mut again, &made.id, Asked::of(&made, &data)).unwrap();
        assert!(verifies(&made.public_key, b"message", &signature));
    }
}

#[test]
fn a_digest_has_32_bytes() {
    let mut key = key(&Hands::new());
    let made = made(&mut key, with_key(&[SPLIT], TOUCHED));
    for length in [0, 31, 33, 64] {
        let data = vec![1; length];
        assert_eq!(
            sign(&mut key, &made.id, Asked::of(&made, &data)),
            Err(Status::InvalidLength)
        );
    }
}

#[test]
fn every_curve_that_the_key_has_is_one_for_signing() {
    let mut key = key(&Hands::new());
    for algorithm in [-8, -19, -35, -51, -36, -52, -47] {
        let Ok(response) = make(&mut key, with_key(&[algorithm], None)) else {
            // Without the feature of its curve.
            assert!(![-8, -19].contains(&algorithm));
            continue;
        };
        assert!(response.preview_sign.is_some());
    }
}

/// Registration, from "Let chosenAlg be null" on.
#[test]
fn a_key_that_cannot_be_made_refuses_the_registration() {
    let hands = Hands::new();
    let mut key = key(&hands);
    for (algorithms, flags, status) in [
        (&[-18][..], None, Status::UnsupportedAlgorithm),
        (&[], None, Status::UnsupportedAlgorithm),
        // Post-quantum and RSA signatures would not fit.
        (&[-48, -49, -50, -257], None, Status::UnsupportedAlgorithm),
        (&[-18], Some(2), Status::UnsupportedAlgorithm),
        (&[ES256], Some(2), Status::InvalidOption),
        (&[ES256], Some(4), Status::InvalidOption),
        (&[ES256], Some(256), Status::InvalidOption),
        (
            &[ES256],
            Some(u64::from(u32::MAX) + 6),
            Status::InvalidOption,
        ),
    ] {
        assert_eq!(make(&mut key, with_key(algorithms, flags)), Err(status));
    }
    assert_eq!(hands.touches.get(), 0, "the owner was asked for nothing");
}

#[test]
fn the_attestation_of_a_signing_key_says_what_it_is() {
    let mut key = key(&Hands::new());
    for (flags, said) in [(SILENT, 0), (TOUCHED, 1), (VERIFIED, 5), (None, 1)] {
        let made = made(&mut key, with_key(&[ESP256], flags));
        let outer = AuthenticatorData::parse(&made.outer).unwrap();
        let inner = AuthenticatorData::parse(&made.object.auth_data).unwrap();
        assert_eq!(inner.rp_id_hash, outer.rp_id_hash);
        assert_eq!(inner.flags, outer.flags);
        assert_eq!(inner.sign_count, 0);
        let (outer, attested) = (
            outer.attested_credential.unwrap(),
            inner.attested_credential.unwrap(),
        );
        assert_eq!(attested.aaguid, outer.aaguid);
        assert_ne!(attested.credential_id, outer.credential_id);
        assert_ne!(attested.public_key, outer.public_key);
        let outputs = Map::parse(inner.extensions.unwrap(), Form::Canonical).unwrap();
        let output = outputs.get("previewSign").unwrap().map().unwrap();
        assert_eq!(
            (output.len(), output.get(4)),
            (1, Some(Value::Integer(said)))
        );

        assert_eq!(made.object.format, "packed");
        let statement = &made.object.attestation_statement;
        let statement = Map::parse(statement, Form::Canonical).unwrap();
        assert_eq!(statement.get("alg"), Some(Value::Integer(ESP256)));
        let signature = statement.get("sig").unwrap().bytes().unwrap();
        let signed = [&made.object.auth_data[..], &[1; 32]].concat();
        assert!(verifies(&made.public_key, &signed, signature));
    }
}

/// A new key that its maker certified for an enterprise, which its owner enabled.
fn enterprise_key(hands: &Rc<Hands>) -> VirtualKey {
    let attestation = Attestation::Enterprise(Box::new(Enterprise {
        everyday: Everyday::SelfSigned,
        chain: vec![vec![0x30, 0]],
        key: PrivateKey::new(Algorithm::Es256, &[5; 32]).unwrap(),
        aaguid: Aaguid([6; 16]),
        rp_ids: Vec::new(),
    }));
    let record = Authenticator::<Virtual>::attestation_record(&attestation);
    let Change::Put(name, bytes) = record.as_change() else {
        panic!("a record is put");
    };
    hands.records.borrow_mut().insert(name, bytes.to_vec());
    let mut key = key(hands);
    let enable = config::Request {
        subcommand: config::Subcommand::EnableEnterpriseAttestation,
        raw_parameters: None,
        pin_uv_auth_protocol: None,
        pin_uv_auth_param: None,
    };
    key.0
        .handle(Caller::ONLY, &Command::Config(enable))
        .unwrap();
    key
}

/// A seed cannot sign for itself; a certificate can sign for it.
#[test]
fn a_seed_is_attested_by_a_certificate_or_not_at_all() {
    let empty = MapBuilder::new().finish();
    let mut plain = key(&Hands::new());
    let seed = made(&mut plain, with_key(&[SPLIT_ARKG], TOUCHED));
    assert_eq!(seed.object.format, "none");
    assert_eq!(seed.object.attestation_statement, empty);

    let mut certified = enterprise_key(&Hands::new());
    let mut request = with_key(&[SPLIT_ARKG], TOUCHED);
    request.enterprise_attestation = Some(2);
    let seed = made(&mut certified, request);
    assert_eq!(seed.object.format, "packed");
    let statement = &seed.object.attestation_statement;
    let statement = Map::parse(statement, Form::Canonical).unwrap();
    assert!(statement.get("x5c").is_some());

    // A platform that wants none still gets a whole attestation object for the signing key.
    let mut request = with_key(&[ESP256], TOUCHED);
    request.attestation_formats = vec!["none"];
    let made = made(&mut certified, request);
    assert_eq!(made.object.format, "none");
    assert_eq!(made.object.attestation_statement, empty);
}

/// Authentication, the first two steps.
#[test]
fn handle_data_and_a_named_credential_may_not_be_missing() {
    let hands = Hands::new();
    let mut key = key(&hands);
    let mut request = with_key(&[ES256], TOUCHED);
    request.options.discoverable = Some(true);
    let made = made(&mut key, request);
    let whole = Asked::of(&made, b"data");
    assert!(sign(&mut key, &made.id, whole).is_ok());
    let touches = hands.touches.get();
    for asked in [
        Asked {
            handle: None,
            ..whole
        },
        Asked {
            data: None,
            ..whole
        },
    ] {
        assert_eq!(sign(&mut key, &made.id, asked), Err(Status::InvalidOption));
    }
    for allow in [None, Some(Vec::new())] {
        let mut request = sign_request(&made.id, whole);
        request.allow = allow;
        assert_eq!(assert(&mut key, request), Err(Status::InvalidOption));
    }
    assert_eq!(hands.touches.get(), touches);
}

#[test]
fn a_handle_opens_nothing_elsewhere() {
    let mut key = key(&Hands::new());
    let ada = made(&mut key, with_key(&[ES256], SILENT));
    let bob = made(&mut key, with_key(&[ES256], SILENT));
    let refused = Err(Status::InvalidCredential);
    assert_eq!(sign(&mut key, &bob.id, Asked::of(&ada, b"data")), refused);
    let mut stronger = ada.handle.clone();
    *stronger.last_mut().unwrap() ^= 1;
    let asked = Asked {
        handle: Some(&stronger),
        ..Asked::of(&ada, b"data")
    };
    assert_eq!(sign(&mut key, &ada.id, asked), refused);
    // Another relying party has no such credential.
    let mut request = sign_request(&ada.id, Asked::of(&ada, b"data"));
    request.rp_id = "elsewhere.example";
    assert_eq!(assert(&mut key, request), Err(Status::NoCredentials));
}

/// A new passkey of the account takes the place of the old one, and of its signing key.
#[test]
fn a_signing_key_goes_with_its_credential() {
    let mut key = key(&Hands::new());
    let passkey = || {
        let mut request = with_key(&[ES256], SILENT);
        request.options.discoverable = Some(true);
        request
    };
    let old = made(&mut key, passkey());
    let new = made(&mut key, passkey());
    assert_eq!(
        sign(&mut key, &old.id, Asked::of(&old, b"data")),
        Err(Status::NoCredentials)
    );
    assert_eq!(
        sign(&mut key, &new.id, Asked::of(&old, b"data")),
        Err(Status::InvalidCredential)
    );
    assert!(sign(&mut key, &new.id, Asked::of(&new, b"data")).is_ok());
}

/// Authentication, from "If args is not null" on.
#[test]
fn arguments_belong_to_the_algorithm() {
    let mut key = key(&Hands::new());
    let data = digest(b"message");
    let seed = made(&mut key, with_key(&[SPLIT_ARKG], TOUCHED));
    let whole = made(&mut key, with_key(&[ESP256], TOUCHED));
    let args = |id: Option<i64>, handle: &[u8], context: &[u8]| {
        MapBuilder::new()
            .put_some(3, id)
            .put(-1, handle)
            .put(-2, context)
            .finish()
    };
    let alone = MapBuilder::new().put(3, SPLIT_ARKG).finish();
    for (args, status) in [
        (None, Status::MissingParameter),
        (Some(alone), Status::MissingParameter),
        (Some(args(None, b"", b"")), Status::InvalidCredential),
        (Some(args(Some(SPLIT), b"", b"")), Status::InvalidCredential),
        (
            Some(args(Some(SPLIT_ARKG), b"", b"")),
            Status::InvalidCredential,
        ),
        (
            Some(args(Some(SPLIT_ARKG), &[4; 81], b"")),
            Status::InvalidCredential,
        ),
        (
            Some(args(Some(SPLIT_ARKG), &[4; 81], &[1; 65])),
            Status::InvalidLength,
        ),
        (Some(b"\x80".to_vec()), Status::CborUnexpectedType),
        (Some(b"\xa1\x03".to_vec()), Status::InvalidCbor),
    ] {
        let asked = Asked {
            args: args.as_deref(),
            ..Asked::of(&seed, &data)
        };
        assert_eq!(sign(&mut key, &seed.id, asked), Err(status), "{args:?}");
    }
    // Where the algorithm takes none, they only have to name it.
    for (id, outcome) in [
        (ESP256, Ok(())),
        (ES256, Err(Status::InvalidCredential)),
        (SPLIT_ARKG, Err(Status::InvalidCredential)),
    ] {
        let args = args(Some(id), b"", b"");
        let asked = Asked {
            args: Some(&args),
            ..Asked::of(&whole, b"data")
        };
        assert_eq!(sign(&mut key, &whole.id, asked).map(|_| ()), outcome);
    }
}

/// Authentication, the steps about UP and UV.
#[test]
fn a_signing_key_signs_only_as_its_policy_says() {
    let hands = Hands::new();
    let mut key = key(&hands);
    for (flags, silently, touched) in [
        (SILENT, Ok(()), Ok(())),
        (TOUCHED, Err(Status::UpRequired), Ok(())),
        (VERIFIED, Err(Status::UpRequired), Err(Status::PuatRequired)),
    ] {
        let made = made(&mut key, with_key(&[ES256], flags));
        for (presence, outcome) in [(Some(false), silently), (None, touched)] {
            let asked = Asked {
                presence,
                ..Asked::of(&made, b"data")
            };
            let touches = hands.touches.get();
            let signed = sign(&mut key, &made.id, asked);
            assert_eq!(signed.map(|_| ()), outcome, "{flags:?} {presence:?}");
            let expected = touches + usize::from(presence.is_none());
            assert_eq!(hands.touches.get(), expected);
        }
    }
}

#[test]
fn always_uv_overrides_the_choice_of_the_relying_party() {
    let mut key = key(&Hands::new());
    let made = made(&mut key, with_key(&[ES256], SILENT));
    let asked = Asked {
        presence: Some(false),
        ..Asked::of(&made, b"data")
    };
    assert!(sign(&mut key, &made.id, asked).is_ok());
    let toggle = config::Request {
        subcommand: config::Subcommand::ToggleAlwaysUv,
        raw_parameters: None,
        pin_uv_auth_protocol: None,
        pin_uv_auth_param: None,
    };
    key.0
        .handle(Caller::ONLY, &Command::Config(toggle))
        .unwrap();
    assert_eq!(sign(&mut key, &made.id, asked), Err(Status::UpRequired));
    let mut silent = assertion();
    silent.allow = Some(vec![Descriptor { id: &made.id }]);
    silent.options.presence = Some(false);
    let response = assert(&mut key, silent).unwrap();
    let data = AuthenticatorData::parse(&response.auth_data).unwrap();
    assert!(!data.flags.contains(Flags::EXTENSIONS));
}

#[test]
fn a_key_that_does_not_offer_the_extension_passes_over_it() {
    let hands = Hands::new();
    let mut plain = VirtualKey::power_up(&hands);
    let offers = |key: &mut VirtualKey| match key.0.handle(Caller::ONLY, &Command::GetInfo) {
        Ok(Response::GetInfo(info)) => info.has_extension("previewSign"),
        other => panic!("{other:?}"),
    };
    assert!(!offers(&mut plain));
    let response = make(&mut plain, with_key(&[-18], Some(7))).unwrap();
    assert_eq!(response.preview_sign, None);
    let data = AuthenticatorData::parse(&response.auth_data).unwrap();
    assert_eq!(data.extensions, None);
    let id = data.attested_credential.unwrap().credential_id;
    let nothing = Asked {
        handle: None,
        data: None,
        args: None,
        presence: None,
    };
    assert!(assert(&mut plain, sign_request(id, nothing)).is_ok());
    assert!(offers(&mut key(&hands)));
}

/// Nothing that the key answers is longer than CTAPHID carries.
#[cfg(feature = "ml-dsa")]
#[test]
fn answers_with_a_signing_key_fit_ctaphid() {
    let mut key = key(&Hands::new());
    for (credential, fits) in [(-48, true), (-49, true), (-50, false)] {
        let mut request = with_key(&[-52, -51, ESP256], TOUCHED);
        request.algorithms = vec![credential];
        match make(&mut key, request) {
            Ok(response) => {
                assert!(fits);
                let length = Response::MakeCredential(response).encode().len();
                assert!(length <= hallway_ctap::ctaphid::MAX_MESSAGE, "{length}");
            }
            Err(status) => {
                assert!(!fits);
                assert_eq!(status, Status::UnsupportedAlgorithm);
            }
        }
    }
}
