//! Only the caller that began a sequence of commands continues it, within half a minute, and while
//! the token that opened it lasts (CTAP 2.3, section 6): each stateful command is tested with other
//! channels, tokens and times.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

mod requests;
mod virtual_key;

use std::rc::Rc;

use aes::Aes256;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hallway_authenticator::{Caller, Gesture, SimulatedSensor, SmartCard};
use hallway_ctap::command::authorized::{self, Subcommand as _};
use hallway_ctap::command::client_pin::{Permissions, Request as PinRequest, Subcommand as Ask};
use hallway_ctap::command::{
    Command, Options, Response, bio_enrollment as bio, client_pin,
    credential_management as management, get_assertion, large_blobs,
};
use hallway_ctap::cose::KeyAgreementKey;
use hallway_ctap::ctaphid::Channel;
use hallway_ctap::status::Status;
use hmac::{Hmac, KeyInit, Mac};
use p256::SecretKey;
use requests::{RP, assertion, creation};
use sha2::{Digest, Sha256};
use virtual_key::{Hands, VirtualKey};

const PIN: &[u8] = b"27182818";
/// The next command may come this late.
const HALF_A_MINUTE_MS: u64 = 30_000;
/// A token that was used lives this long.
const TEN_MINUTES_MS: u64 = 600_000;

/// Two programs.
const ADA: Caller = Caller::on_channel(1, Channel(1));
const EVE: Caller = Caller::on_channel(1, Channel(2));

/// PIN/UV auth protocol one, from the platform's side.
struct Session {
    platform_key: KeyAgreementKey,
    secret: [u8; 32],
}

fn hmac(key: &[u8], message: &[u8]) -> Vec<u8> {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
    mac.update(message);
    mac.finalize().into_bytes()[..16].to_vec()
}

impl Session {
    fn encrypt(&self, plain: &[u8]) -> Vec<u8> {
        let mut out = plain.to_vec();
        cbc::Encryptor::<Aes256>::new_from_slices(&self.secret, &[0; 16])
            .unwrap()
            .encrypt_padded::<NoPadding>(&mut out, plain.len())
            .unwrap();
        out
    }

    fn decrypt(&self, sealed: &[u8]) -> Vec<u8> {
        let mut out = sealed.to_vec();
        cbc::Decryptor::<Aes256>::new_from_slices(&self.secret, &[0; 16])
            .unwrap()
            .decrypt_padded::<NoPadding>(&mut out)
            .unwrap();
        out
    }
}

struct World {
    hands: Rc<Hands>,
    key: VirtualKey,
}

impl World {
    /// A key with three passkeys at one relying party, one at each of two others, and a sensor at
    /// which there is always a finger.
    fn new() -> Self {
        let hands = Hands::new();
        *hands.sensor.borrow_mut() = Some(SimulatedSensor::new([Gesture::Finger(1)]));
        let key = VirtualKey::power_up(&hands);
        let mut world = Self { hands, key };
        for (rp_id, user) in [
            (RP, 1),
            (RP, 2),
            (RP, 3),
            ("a.example", 1),
            ("b.example", 1),
        ] {
            let user = [user];
            let mut request = creation();
            request.rp.id = rp_id;
            request.user.id = &user;
            world
                .ask(ADA, &Command::MakeCredential(Box::new(request)))
                .unwrap();
        }
        let session = world.agree(ADA);
        let mut padded = [0; 64];
        padded[..PIN.len()].copy_from_slice(PIN);
        let sealed = session.encrypt(&padded);
        let tag = hmac(&session.secret, &sealed);
        let request = PinRequest {
            protocol: Some(1),
            key_agreement: Some(session.platform_key),
            new_pin_enc: Some(&sealed),
            pin_uv_auth_param: Some(&tag),
            ..PinRequest::new(Ask::SetPin)
        };
        world.ask(ADA, &Command::ClientPin(request)).unwrap();
        world
    }

    fn ask(&mut self, caller: Caller, command: &Command<'_>) -> Result<Response, Status> {
        self.key.0.handle(caller, command)
    }

    fn wait(&self, ms: u64) {
        self.hands.now_ms.set(self.hands.now_ms.get() + ms);
    }

    fn pin(&mut self, caller: Caller, request: PinRequest<'_>) -> client_pin::Response {
        match self.ask(caller, &Command::ClientPin(request)).unwrap() {
            Response::ClientPin(response) => response,
            other => panic!("{other:?}"),
        }
    }

    fn agree(&mut self, caller: Caller) -> Session {
        let ask = PinRequest {
            protocol: Some(1),
            ..PinRequest::new(Ask::GetKeyAgreement)
        };
        let theirs = self.pin(caller, ask).key_agreement.unwrap();
        let ours = SecretKey::from_slice(&[7; 32]).unwrap();
        let theirs = p256::PublicKey::from_sec1_bytes(&theirs.to_sec1()).unwrap();
        let shared = ours.diffie_hellman(&theirs);
        Session {
            platform_key: KeyAgreementKey::from_sec1(&ours.public_key().to_sec1_bytes()).unwrap(),
            secret: Sha256::digest(shared.raw_secret_bytes()).into(),
        }
    }

    fn token(&mut self, permissions: Permissions) -> Vec<u8> {
        let session = self.agree(ADA);
        let half_hash = session.encrypt(&Sha256::digest(PIN)[..16]);
        let request = PinRequest {
            protocol: Some(1),
            key_agreement: Some(session.platform_key),
            pin_hash_enc: Some(&half_hash),
            permissions: Some(permissions),
            ..PinRequest::new(Ask::GetTokenUsingPin)
        };
        let response = self.pin(ADA, request);
        session.decrypt(&response.token.unwrap())
    }
}

/// The commands that span several requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stateful {
    Assertions,
    RelyingParties,
    Credentials,
    LargeBlobs,
    Enrollment,
}

impl Stateful {
    const ALL: [Self; 5] = [
        Self::Assertions,
        Self::RelyingParties,
        Self::Credentials,
        Self::LargeBlobs,
        Self::Enrollment,
    ];

    const fn permission(self) -> Permissions {
        match self {
            Self::Assertions => Permissions::GET_ASSERTION,
            Self::RelyingParties | Self::Credentials => Permissions::CREDENTIAL_MANAGEMENT,
            Self::LargeBlobs => Permissions::LARGE_BLOB_WRITE,
            Self::Enrollment => Permissions::BIO_ENROLLMENT,
        }
    }

    /// The answer to a next command that finds no sequence to continue.
    const fn refusal(self) -> Status {
        match self {
            Self::Assertions | Self::RelyingParties | Self::Credentials => Status::NotAllowed,
            Self::LargeBlobs => Status::InvalidSequence,
            Self::Enrollment => Status::InvalidParameter,
        }
    }
}

fn manage(
    world: &mut World,
    caller: Caller,
    token: Option<&[u8]>,
    subcommand: management::Subcommand<'_>,
) -> Result<(), Status> {
    let parameters = subcommand.parameters();
    let message = [
        &[subcommand.code()],
        &parameters.clone().unwrap_or_default()[..],
    ]
    .concat();
    let tag = token.map(|token| hmac(token, &message));
    let request = authorized::Request {
        subcommand,
        raw_parameters: parameters.as_deref(),
        pin_uv_auth_protocol: tag.as_ref().map(|_| 1),
        pin_uv_auth_param: tag.as_deref(),
    };
    let command = Command::CredentialManagement(request);
    world.ask(caller, &command).map(|_| ())
}

fn enroll(
    world: &mut World,
    caller: Caller,
    token: &[u8],
    subcommand: bio::Subcommand<'_>,
) -> Result<Option<Vec<u8>>, Status> {
    let parameters = subcommand.parameters();
    let message = [
        &[1, subcommand.code()],
        &parameters.clone().unwrap_or_default()[..],
    ]
    .concat();
    let tag = hmac(token, &message);
    let request = authorized::Request {
        subcommand,
        raw_parameters: parameters.as_deref(),
        pin_uv_auth_protocol: Some(1),
        pin_uv_auth_param: Some(&tag),
    };
    let command = Command::BioEnrollment(bio::Request::Fingerprint(request));
    match world.ask(caller, &command)? {
        Response::BioEnrollment(response) => Ok(response.template_id),
        other => panic!("{other:?}"),
    }
}

fn write(
    world: &mut World,
    caller: Caller,
    token: &[u8],
    offset: u32,
    length: Option<u64>,
) -> Result<(), Status> {
    let part = [offset as u8; 20];
    let message = [
        &[0xff; 32][..],
        &[0x0c, 0],
        &offset.to_le_bytes(),
        &Sha256::digest(part)[..],
    ]
    .concat();
    let tag = hmac(token, &message);
    let request = large_blobs::Request {
        set: Some(&part),
        offset: Some(u64::from(offset)),
        length,
        pin_uv_auth_param: Some(&tag),
        pin_uv_auth_protocol: Some(1),
        ..large_blobs::Request::default()
    };
    world.ask(caller, &Command::LargeBlobs(request)).map(|_| ())
}

/// A sequence that began and has two more steps.
struct Begun {
    stateful: Stateful,
    token: Vec<u8>,
    template: Vec<u8>,
    written: u32,
}

impl Begun {
    fn begin(world: &mut World, stateful: Stateful, token: &[u8]) -> Self {
        let mut begun = Self {
            stateful,
            token: token.to_vec(),
            template: Vec::new(),
            written: 20,
        };
        match stateful {
            Stateful::Assertions => {
                let tag = hmac(token, &[2; 32]);
                let request = get_assertion::Request {
                    options: Options {
                        // The token keeps its permissions, so that it serves more than once.
                        presence: Some(false),
                        ..Options::default()
                    },
                    pin_uv_auth_param: Some(&tag),
                    pin_uv_auth_protocol: Some(1),
                    ..assertion()
                };
                let command = Command::GetAssertion(Box::new(request));
                world.ask(ADA, &command).unwrap();
            }
            Stateful::RelyingParties => {
                let begin = management::Subcommand::EnumerateRpsBegin;
                manage(world, ADA, Some(token), begin).unwrap();
            }
            Stateful::Credentials => {
                let rp_id_hash: [u8; 32] = Sha256::digest(RP).into();
                let begin = management::Subcommand::EnumerateCredentialsBegin {
                    rp_id_hash: &rp_id_hash,
                };
                manage(world, ADA, Some(token), begin).unwrap();
            }
            Stateful::LargeBlobs => write(world, ADA, token, 0, Some(100)).unwrap(),
            Stateful::Enrollment => {
                let begin = bio::Subcommand::EnrollBegin { timeout_ms: None };
                begun.template = enroll(world, ADA, token, begin).unwrap().unwrap();
            }
        }
        begun
    }

    fn next(&mut self, world: &mut World, caller: Caller) -> Result<(), Status> {
        match self.stateful {
            Stateful::Assertions => world.ask(caller, &Command::GetNextAssertion).map(|_| ()),
            Stateful::RelyingParties => manage(
                world,
                caller,
                None,
                management::Subcommand::EnumerateRpsNext,
            ),
            Stateful::Credentials => manage(
                world,
                caller,
                None,
                management::Subcommand::EnumerateCredentialsNext,
            ),
            Stateful::LargeBlobs => {
                write(world, caller, &self.token, self.written, None)?;
                self.written += 20;
                Ok(())
            }
            Stateful::Enrollment => {
                let next = bio::Subcommand::EnrollCaptureNext {
                    template_id: &self.template,
                    timeout_ms: None,
                };
                enroll(world, caller, &self.token, next).map(|_| ())
            }
        }
    }
}

fn begun(stateful: Stateful) -> (World, Begun) {
    let mut world = World::new();
    let token = world.token(stateful.permission());
    let begun = Begun::begin(&mut world, stateful, &token);
    (world, begun)
}

#[test]
fn only_the_caller_that_began_gets_the_next_answer() {
    for stateful in Stateful::ALL {
        let (mut world, mut begun) = begun(stateful);
        let others = [
            EVE,
            // The same number in another connection is another channel.
            Caller::on_channel(2, Channel(1)),
            Caller::ONLY,
        ];
        for other in others {
            let refused = begun.next(&mut world, other);
            assert_eq!(refused, Err(stateful.refusal()), "{stateful:?}");
        }
        // A stranger who asks in between takes nothing away.
        assert_eq!(begun.next(&mut world, ADA), Ok(()), "{stateful:?}");
        world.ask(EVE, &Command::GetInfo).unwrap();
        assert_eq!(begun.next(&mut world, ADA), Ok(()), "{stateful:?}");
    }
}

#[test]
fn half_a_minute_is_the_longest_pause() {
    for stateful in Stateful::ALL {
        let (mut world, mut begun) = begun(stateful);
        world.wait(HALF_A_MINUTE_MS);
        assert_eq!(begun.next(&mut world, ADA), Ok(()), "{stateful:?}");
        // It counts from the answer before, not from the beginning.
        world.wait(HALF_A_MINUTE_MS + 1);
        let late = begun.next(&mut world, ADA);
        assert_eq!(late, Err(stateful.refusal()), "{stateful:?}");
        // What is over is over.
        let again = begun.next(&mut world, ADA);
        assert_eq!(again, Err(stateful.refusal()), "{stateful:?}");
    }
}

#[test]
fn a_sequence_ends_with_the_token_that_opened_it() {
    for stateful in Stateful::ALL {
        let mut world = World::new();
        let token = world.token(stateful.permission());
        // Used once, it lives for ten minutes from its issue.
        Begun::begin(&mut world, stateful, &token);
        world.wait(TEN_MINUTES_MS - 10_000);
        let mut begun = Begun::begin(&mut world, stateful, &token);
        world.wait(10_000);
        assert_eq!(begun.next(&mut world, ADA), Ok(()), "{stateful:?}");
        world.wait(1);
        let late = begun.next(&mut world, ADA).unwrap_err();
        let refusals = match stateful {
            // These prove to know the token each time.
            Stateful::LargeBlobs => [Status::PinAuthInvalid, Status::InvalidSequence],
            Stateful::Enrollment => [Status::PinAuthInvalid, Status::InvalidParameter],
            _ => [Status::NotAllowed; 2],
        };
        assert!(refusals.contains(&late), "{stateful:?}: {late:?}");
    }
}

/// A sequence that began without a token does not end with one.
#[test]
fn a_sequence_without_a_token_does_not_end_with_one() {
    let mut world = World::new();
    let token = world.token(Permissions::PERSISTENT_READ_ONLY);
    let mut begun = Begun::begin(&mut world, Stateful::RelyingParties, &token);
    for _ in 0..2 {
        world.wait(HALF_A_MINUTE_MS);
        assert_eq!(begun.next(&mut world, ADA), Ok(()));
    }
    // A sequence that the owner's touch opened continues while an earlier token expires.
    let mut world = World::new();
    let token = world.token(Permissions::CREDENTIAL_MANAGEMENT);
    Begun::begin(&mut world, Stateful::RelyingParties, &token);
    world.wait(TEN_MINUTES_MS - 1);
    let request = assertion();
    let command = Command::GetAssertion(Box::new(request));
    world.ask(ADA, &command).unwrap();
    world.wait(2);
    world.ask(ADA, &Command::GetNextAssertion).unwrap();
}

#[test]
fn a_caller_that_starts_afresh_has_no_sequence() {
    for stateful in Stateful::ALL {
        let (mut world, mut begun) = begun(stateful);
        world.key.0.forget(EVE);
        assert_eq!(begun.next(&mut world, ADA), Ok(()), "{stateful:?}");
        world.key.0.forget(ADA);
        let refused = begun.next(&mut world, ADA);
        assert_eq!(refused, Err(stateful.refusal()), "{stateful:?}");
    }
}

#[test]
fn any_other_command_of_any_caller_ends_the_sequence() {
    for stateful in Stateful::ALL {
        for caller in [ADA, EVE] {
            let (mut world, mut begun) = begun(stateful);
            world.ask(caller, &Command::Selection).unwrap();
            let refused = begun.next(&mut world, ADA);
            assert_eq!(refused, Err(stateful.refusal()), "{stateful:?}");
        }
        // And so does an APDU of U2F.
        let (mut world, mut begun) = begun(stateful);
        world.key.0.process_apdu(&[0, 3, 0, 0, 0, 0, 0]);
        let refused = begun.next(&mut world, ADA);
        assert_eq!(refused, Err(stateful.refusal()), "{stateful:?}");
    }
}

/// A stranger's cancellation has nothing to cancel.
#[test]
fn only_the_caller_that_began_an_enrolment_cancels_it() {
    let (mut world, mut begun) = begun(Stateful::Enrollment);
    let cancel = || {
        let request = authorized::Request {
            subcommand: bio::Subcommand::CancelEnrollment,
            raw_parameters: None,
            pin_uv_auth_protocol: None,
            pin_uv_auth_param: None,
        };
        Command::BioEnrollment(bio::Request::Fingerprint(request))
    };
    world.ask(EVE, &cancel()).unwrap();
    assert_eq!(begun.next(&mut world, ADA), Ok(()));
    world.ask(ADA, &cancel()).unwrap();
    assert_eq!(begun.next(&mut world, ADA), Err(Status::InvalidParameter));
}

/// 11.3: a terminal that selects the applet anew, or says that it is done, starts afresh.
#[test]
fn a_terminal_that_selects_again_has_no_sequence() {
    const SELECT: [u8; 13] = [0, 0xa4, 4, 0, 8, 0xa0, 0, 0, 6, 0x47, 0x2f, 0, 1];
    const NEXT: [u8; 7] = [0x80, 0x10, 0, 0, 1, 8, 0];
    let mut select_another = SELECT;
    select_another[12] = 9;
    for between in [
        None,
        Some(&[0x80, 0x12, 1, 0][..]),
        Some(&select_another[..]),
        Some(&SELECT[..]),
    ] {
        let mut world = World::new();
        let mut card = SmartCard::default();
        world.key.0.process_card(&mut card, &SELECT);
        let request = assertion();
        let bytes = request.encode();
        let length = u8::try_from(bytes.len()).unwrap();
        let apdu = [&[0x80, 0x10, 0, 0, length], &bytes[..], &[0]].concat();
        let answer = world.key.0.process_card(&mut card, &apdu);
        assert_eq!(answer[0], 0);
        if let Some(between) = between {
            world.key.0.process_card(&mut card, between);
            world.key.0.process_card(&mut card, &SELECT);
        }
        let answer = world.key.0.process_card(&mut card, &NEXT);
        let expected = match between {
            None => 0,
            Some(_) => Status::NotAllowed.code(),
        };
        assert_eq!(answer[0], expected, "{between:?}");
    }
}
