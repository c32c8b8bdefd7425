//! Answers of makeCredential and getAssertion where the specification leaves one answer only.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod requests;
mod virtual_key;

use std::rc::Rc;

use hallway_authenticator::{
    Answer, Attestation, Authenticator, Caller, Change, Enterprise, Everyday, LargeBlobs,
    PrivateKey, Settings, SmartCard,
};
use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::AuthenticatorData;
use hallway_ctap::cbor::{Form, Map};
use hallway_ctap::command::large_blob_extension::{Access, Output, Support};
use hallway_ctap::command::{
    Command, Descriptor, Response, config, get_assertion, make_credential,
};
use hallway_ctap::cose::Algorithm;
use hallway_ctap::status::Status;
use requests::{assertion, creation};
use virtual_key::{Hands, Virtual, VirtualKey};

fn make(
    key: &mut VirtualKey,
    request: make_credential::Request<'_>,
) -> Result<make_credential::Response, Status> {
    match key
        .0
        .handle(Caller::ONLY, &Command::MakeCredential(Box::new(request)))?
    {
        Response::MakeCredential(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

fn sign(
    key: &mut VirtualKey,
    request: get_assertion::Request<'_>,
) -> Result<get_assertion::Response, Status> {
    match key
        .0
        .handle(Caller::ONLY, &Command::GetAssertion(Box::new(request)))?
    {
        Response::GetAssertion(response) => Ok(response),
        other => panic!("{other:?}"),
    }
}

fn id_of(made: &make_credential::Response) -> Vec<u8> {
    let data = AuthenticatorData::parse(&made.auth_data).unwrap();
    data.attested_credential.unwrap().credential_id.to_vec()
}

fn configure(key: &mut VirtualKey, subcommand: config::Subcommand<'_>) -> Result<(), Status> {
    let request = config::Request {
        subcommand,
        raw_parameters: None,
        pin_uv_auth_protocol: None,
        pin_uv_auth_param: None,
    };
    key.0
        .handle(Caller::ONLY, &Command::Config(request))
        .map(|_| ())
}

/// A new key with this attestation.
fn attesting(attestation: &Attestation) -> VirtualKey {
    let hands = Hands::new();
    let record = Authenticator::<Virtual>::attestation_record(attestation);
    let Change::Put(key, bytes) = record.as_change() else {
        panic!("a record is put");
    };
    hands.records.borrow_mut().insert(key, bytes.to_vec());
    VirtualKey::power_up(&hands)
}

/// 6.1.2, step 12: the answer is the same if the owner is absent or says no.
#[test]
fn an_excluded_credential_is_told_only_after_the_owner_was_asked() {
    let hands = Hands::new();
    let mut key = VirtualKey::power_up(&hands);
    let id = id_of(&make(&mut key, creation()).unwrap());
    for (answer, status) in [
        (Answer::Granted, Status::CredentialExcluded),
        (Answer::Denied, Status::CredentialExcluded),
        (Answer::TimedOut, Status::CredentialExcluded),
        (Answer::Cancelled, Status::KeepaliveCancel),
    ] {
        hands.answer.set(answer);
        let touches = hands.touches.get();
        let mut request = creation();
        request.exclude = vec![Descriptor { id: &id }];
        assert_eq!(make(&mut key, request), Err(status));
        assert_eq!(hands.touches.get(), touches + 1);
    }
}

/// 6.1.2, step 17.
#[test]
fn a_platform_that_wants_no_attestation_gets_none() {
    let mut key = VirtualKey::power_up(&Hands::new());
    let mut request = creation();
    request.attestation_formats = vec!["none"];
    let made = make(&mut key, request).unwrap();
    assert_eq!(
        (made.format.as_str(), &made.attestation_statement),
        ("none", &None)
    );
    // The relying party gets a whole attestation object all the same.
    let object = made.attestation_object();
    let object = Map::parse(&object, Form::Canonical).unwrap();
    assert!(object.get("attStmt").unwrap().map().unwrap().is_empty());
}

/// 7.1 and 6.1.2, step 9.
#[test]
fn enterprise_attestation_is_for_the_agreed_relying_parties() {
    let attestation = Attestation::Enterprise(Box::new(Enterprise {
        everyday: Everyday::SelfSigned,
        chain: vec![vec![0x30, 0]],
        key: PrivateKey::new(Algorithm::Es256, &[5; 32]).unwrap(),
        aaguid: Aaguid([6; 16]),
        rp_ids: vec!["work.example".into()],
    }));
    let mut key = attesting(&attestation);
    let asked = |rp_id: &'static str, kind| {
        let mut request = creation();
        request.rp.id = rp_id;
        request.enterprise_attestation = Some(kind);
        request
    };
    assert_eq!(
        make(&mut key, asked("work.example", 1)),
        Err(Status::InvalidParameter),
        "the owner did not enable it"
    );
    configure(&mut key, config::Subcommand::EnableEnterpriseAttestation).unwrap();
    for (rp_id, kind, granted) in [
        ("work.example", 1, Some(true)),
        ("gate.example", 1, None),
        ("gate.example", 2, Some(true)),
    ] {
        let made = make(&mut key, asked(rp_id, kind)).unwrap();
        assert_eq!(made.enterprise_attestation, granted, "{rp_id} {kind}");
        let statement = made.attestation_statement.unwrap();
        let statement = Map::parse(&statement, Form::Canonical).unwrap();
        assert_eq!(statement.get("x5c").is_some(), granted.is_some());
    }
    assert_eq!(
        make(&mut key, asked("work.example", 3)),
        Err(Status::InvalidOption)
    );
    let mut silent = asked("gate.example", 2);
    silent.attestation_formats = vec!["none"];
    assert_eq!(make(&mut key, silent).unwrap().enterprise_attestation, None);
}

#[test]
fn a_key_without_an_enterprise_certificate_does_not_offer_one() {
    let mut key = VirtualKey::power_up(&Hands::new());
    let Ok(Response::GetInfo(info)) = key.0.handle(Caller::ONLY, &Command::GetInfo) else {
        panic!("no info");
    };
    assert_eq!(info.option("ep"), None);
    assert_eq!(info.config_commands, [2, 3, 4]);
    assert_eq!(
        info.attestation_formats,
        ["packed"],
        "none goes without saying"
    );
    assert_eq!(
        configure(&mut key, config::Subcommand::EnableEnterpriseAttestation),
        Err(Status::InvalidSubcommand)
    );
}

/// 12.8.
#[test]
fn hmac_secret_mc_comes_with_hmac_secret() {
    let mut key = VirtualKey::power_up(&Hands::new());
    let agreement = hallway_ctap::cose::KeyAgreementKey {
        x: [1; 32],
        y: [1; 32],
    };
    for hmac_secret in [None, Some(false)] {
        let mut request = creation();
        request.extensions.hmac_secret = hmac_secret;
        request.extensions.hmac_secret_mc = Some(hallway_ctap::command::hmac_secret::Input {
            key_agreement: agreement,
            salt_enc: &[0; 32],
            salt_auth: &[0; 16],
            protocol: None,
        });
        assert_eq!(make(&mut key, request), Err(Status::MissingParameter));
    }
}

/// 11.3: a terminal selects the applet, fetches a long answer in parts, and registers by U2F with
/// a chained command.
#[test]
fn a_terminal_reaches_ctap2_and_ctap1() {
    let mut key = VirtualKey::power_up(&Hands::new());
    let mut card = SmartCard::default();
    let mut send = |apdu: &[u8]| {
        let mut answer = key.0.process_card(&mut card, apdu);
        let word = answer.split_off(answer.len() - 2);
        (answer, u16::from_be_bytes(word.try_into().unwrap()))
    };
    let select = [0, 0xa4, 4, 0, 8, 0xa0, 0, 0, 6, 0x47, 0x2f, 0, 1, 0];
    assert_eq!(send(&select), (b"U2F_V2".to_vec(), 0x9000));
    let (mut info, mut word) = send(&[0x80, 0x10, 0, 0, 1, 4, 0]);
    while word >> 8 == 0x61 {
        let (part, next) = send(&[0, 0xc0, 0, 0, 0]);
        info.extend(part);
        word = next;
    }
    assert_eq!(word, 0x9000);
    assert!(Map::parse(&info[1..], Form::Canonical).unwrap().len() > 10);

    assert_eq!(
        send(&[&[0x10, 1, 0, 0, 32][..], &[1; 32]].concat()).1,
        0x9000
    );
    let register = [&[0, 1, 0, 0, 32][..], &[2; 32], &[0]].concat();
    let (mut made, word) = send(&register);
    assert_eq!(word >> 8, 0x61);
    made.extend(send(&[0, 0xc0, 0, 0, 0]).0);
    assert_eq!(made[0], 5);
    assert_eq!(send(&[0, 3, 0, 0, 0]), (b"U2F_V2".to_vec(), 0x9000));
}

mod large_blob {
    use super::*;

    fn key(hands: &Rc<Hands>) -> VirtualKey {
        let settings = Settings {
            large_blobs: LargeBlobs::WithCredentials { max_length: 100 },
            ..Settings::default()
        };
        VirtualKey::power_up_with(hands, settings)
    }

    fn with_support(support: Option<Support>) -> make_credential::Request<'static> {
        let mut request = creation();
        request.extensions.large_blob = support;
        request
    }

    fn access(
        key: &mut VirtualKey,
        id: Option<&[u8]>,
        access: Access<'_>,
        presence: Option<bool>,
    ) -> Option<Output> {
        let mut request = assertion();
        request.allow = id.map(|id| vec![Descriptor { id }]);
        request.extensions.large_blob = Some(access);
        request.options.presence = presence;
        sign(key, request).unwrap().large_blob
    }

    const BLOB: Access<'_> = Access::Write {
        blob: &[7; 40],
        original_size: 90,
    };

    fn kept() -> Output {
        Output::Blob {
            blob: vec![7; 40],
            original_size: 90,
        }
    }

    #[test]
    fn blobs_are_kept_beside_their_credential() {
        let hands = Hands::new();
        let mut key_ = key(&hands);
        let made = make(&mut key_, with_support(Some(Support::Required))).unwrap();
        assert_eq!(made.large_blob, Some(Output::Supported));
        let id = id_of(&made);
        assert_eq!(access(&mut key_, Some(&id), Access::Read, None), None);
        let written = access(&mut key_, Some(&id), BLOB, None);
        assert_eq!(written, Some(Output::Written(true)));
        // Another start of the key, and a read by discovery.
        let mut again = key(&hands);
        let read = access(&mut again, None, Access::Read, Some(false));
        assert_eq!(read, Some(kept()));
        // A new credential of the same account takes the place of both.
        let id = id_of(&make(&mut again, with_support(Some(Support::Preferred))).unwrap());
        assert_eq!(access(&mut again, Some(&id), Access::Read, None), None);
    }

    #[test]
    fn nothing_is_written_unnamed_in_silence_or_beyond_the_limit() {
        let mut key = key(&Hands::new());
        let id = id_of(&make(&mut key, with_support(Some(Support::Required))).unwrap());
        let long = Access::Write {
            blob: &[7; 101],
            original_size: 101,
        };
        let refused = Some(Output::Written(false));
        assert_eq!(access(&mut key, None, BLOB, None), refused);
        assert_eq!(access(&mut key, Some(&id), BLOB, Some(false)), refused);
        assert_eq!(access(&mut key, Some(&id), long, None), refused);
        assert_eq!(access(&mut key, Some(&id), Access::Read, None), None);
    }

    #[test]
    fn only_credentials_that_were_made_for_it_have_blobs() {
        let mut key = key(&Hands::new());
        let made = make(&mut key, with_support(None)).unwrap();
        assert_eq!(made.large_blob, None);
        let written = access(&mut key, Some(&id_of(&made)), BLOB, None);
        assert_eq!(written, Some(Output::Written(false)));
        let mut sealed = with_support(Some(Support::Required));
        sealed.options.discoverable = None;
        assert_eq!(make(&mut key, sealed.clone()), Err(Status::InvalidOption));
        sealed.extensions.large_blob = Some(Support::Preferred);
        assert_eq!(make(&mut key, sealed).unwrap().large_blob, None);
    }

    /// 12.4: never both.
    #[test]
    fn a_key_offers_the_array_or_the_extension() {
        let info = |key: &mut VirtualKey| match key.0.handle(Caller::ONLY, &Command::GetInfo) {
            Ok(Response::GetInfo(info)) => info,
            other => panic!("{other:?}"),
        };
        let mut with_credentials = key(&Hands::new());
        let said = info(&mut with_credentials);
        assert!(said.has_extension("largeBlob") && !said.has_extension("largeBlobKey"));
        assert_eq!(said.option("largeBlobs"), None);
        assert_eq!(said.max_serialized_large_blob_array, None);
        let read = [0x0c, 0xa2, 1, 17, 3, 0];
        let refused = with_credentials.0.process(Caller::ONLY, &read);
        assert_eq!(refused, [Status::InvalidCommand.code()]);

        let mut with_array = VirtualKey::power_up(&Hands::new());
        let said = info(&mut with_array);
        assert!(said.has_extension("largeBlobKey") && !said.has_extension("largeBlob"));
        let made = make(&mut with_array, with_support(Some(Support::Required))).unwrap();
        assert_eq!(made.large_blob, None, "an extension that it does not know");
    }
}
