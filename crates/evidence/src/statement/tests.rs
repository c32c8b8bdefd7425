use super::authority::Certificate;
use super::device::{Change, ChangeTerms, Claim, Delivery, Payload, Transaction};
use super::hall;
use super::people::{ChangeRole, Invite, Named, Recover, Role};
use super::web::{LinkUse, OwnLink, Reason, RegisterKey, RemoveKey, WithdrawLink};
use super::*;
use crate::credential_id::CredentialId;
use crate::id::{DeviceId, PersonId};
use hallway_ctap::aaguid::Aaguid;

fn line(text: &str) -> Line {
    Line::new(text).unwrap()
}

/// One of every act that there is, optional members both present and missing.
fn every_act() -> Vec<Act> {
    let person = PersonId::from_bytes([1; 16]);
    let device = DeviceId::from_bytes([2; 16]);
    let name = line("Emily");
    let credential = CredentialId::new(vec![7; 20]).unwrap();
    let register = |authorised_by| {
        Web::RegisterKey(RegisterKey {
            person,
            name: line("Emily"),
            role: Role::Owner,
            label: line("Desk"),
            reason: Reason::Setup,
            link: [10; 32],
            authorised_by,
        })
    };
    let certificate = Certificate {
        name: line("Lens & Co"),
        certificate: [4; 32],
    };
    let transaction = |challenge| {
        Device::Transaction(Transaction {
            sequence: 7,
            taken: Timestamp::from_ms(1_790_000_000_000),
            delivery: Delivery::Queued,
            payload: Payload::of(b"bytes", line("image/jpeg"), line("a.jpg")),
            challenge,
        })
    };
    let own_link = || OwnLink {
        person,
        name: line("Emily"),
        link: [6; 32],
    };
    let mut acts: Vec<Act> = vec![
        register(None).into(),
        register(Some([5; 32])).into(),
        Web::SignIn.into(),
        Web::RemoveKey(RemoveKey {
            credential: credential.clone(),
            label: line("Desk"),
        })
        .into(),
        Web::AddKey(own_link()).into(),
        Web::SignInLink(own_link()).into(),
        Web::WithdrawLink(WithdrawLink {
            link: [6; 32],
            opens: LinkUse::Additional,
            name: name.clone(),
        })
        .into(),
        People::Invite(Invite {
            name: name.clone(),
            role: Role::Member,
            link: [6; 32],
        })
        .into(),
        People::Recover(Recover {
            person,
            name: name.clone(),
            role: Role::Member,
            link: [6; 32],
        })
        .into(),
        People::ChangeRole(ChangeRole {
            person,
            name: name.clone(),
            role: Role::Operator,
        })
        .into(),
        People::Suspend(Named {
            person,
            name: name.clone(),
        })
        .into(),
        People::Reinstate(Named {
            person,
            name: name.clone(),
        })
        .into(),
        People::SignOut(Named {
            person,
            name: name.clone(),
        })
        .into(),
        Device::Enrol.into(),
        Device::Status.into(),
        Device::Claim(Claim {
            device,
            serial: line("C-1"),
            model: Aaguid([3; 16]),
            authority: line("Lens & Co"),
            credential,
            enrolment: [8; 32],
            owner: person,
        })
        .into(),
        transaction(None).into(),
        transaction(Some([9; 32])).into(),
        Authority::Add(certificate.clone()).into(),
        Authority::Remove(certificate).into(),
    ];
    acts.extend(every_hall_act());
    for change in [
        Change::Suspend,
        Change::Resume,
        Change::ReportStolen,
        Change::Release,
        Change::Retire,
        Change::Transfer { to: person, name },
    ] {
        acts.push(
            Device::Change(ChangeTerms {
                device,
                serial: line("C-1"),
                change,
            })
            .into(),
        );
    }
    acts
}

fn names<N: Ord + std::str::FromStr<Err: std::fmt::Debug>>(names: &[&str]) -> hall::Names<N> {
    let names = names.iter().map(|name| name.parse().unwrap());
    names
        .collect::<std::collections::BTreeSet<N>>()
        .try_into()
        .unwrap()
}

fn every_hall_act() -> Vec<Act> {
    let name = || "backups".parse::<hall::HallName>().unwrap();
    let person = PersonId::from_bytes([1; 16]);
    let emily = || hall::Guest::Person {
        id: person,
        name: line("Emily"),
    };
    let rights = || hall::Rights::try_from(vec!["read:data".parse().unwrap()]).unwrap();
    let open = |host: &str, role, public_key| {
        Hall::Open(hall::Open {
            host: host.parse().unwrap(),
            hall: name(),
            person,
            name: line("Emily"),
            role,
            rights: rights(),
            duration_ms: 3_600_000,
            public_key,
        })
    };
    let key = rcgen::KeyPair::generate().unwrap();
    let key = rcgen::PublicKeyData::subject_public_key_info(&key);
    let key = hall::P256PublicKey::from_der(&key).unwrap();
    let demanding = |guest, needs: &str| {
        Hall::Admit(hall::Admit {
            hall: name(),
            guest,
            rights: rights(),
            needs: serde_json::from_str(needs).unwrap(),
        })
    };
    let realm = || "beta.example".parse::<crate::RealmName>().unwrap();
    let pins = || hall::Pins {
        realm: realm(),
        origin: "https://gate.beta.example".parse().unwrap(),
        log: [7; 32],
        authorities: vec![[8; 32]].try_into().unwrap(),
        seen: None,
    };
    let seen = || hall::SeenLog {
        key: [7; 32],
        size: 12,
        root: [5; 32],
        rewritten: Some(Timestamp::from_ms(1_790_000_000_000)),
    };
    let admit = |guest| demanding(guest, "{}");
    let invite_agent = |beside: Option<&str>, stores: &[&str], services: &[&str]| {
        Hall::InviteAgent(hall::InviteAgent {
            hall: name(),
            agent: "lab".parse().unwrap(),
            beside: beside.map(|other| other.parse().unwrap()),
            stores: names(stores),
            services: names(services),
            token: [6; 32],
            expires: Timestamp::from_ms(1_790_000_600_000),
        })
    };
    let acts = [
        Hall::Create(hall::Create {
            hall: name(),
            title: line("Backups"),
        }),
        Hall::Remove(hall::Named { hall: name() }),
        admit(emily()),
        admit(hall::Guest::Role(Role::Operator)),
        admit(hall::Guest::Role(Role::Member)),
        admit(hall::Guest::Visitor {
            realm: realm(),
            whom: hall::Whom::Role(Role::Member),
        }),
        admit(hall::Guest::Visitor {
            realm: realm(),
            whom: hall::Whom::Person {
                id: person,
                name: line("Bea"),
            },
        }),
        Hall::InvitePartner(hall::InvitePartner {
            pins: pins(),
            token: [6; 32],
            expires: Timestamp::from_ms(1_790_000_600_000),
        }),
        Hall::AcceptPartner(hall::AcceptPartner {
            pins: pins(),
            token: [6; 32],
        }),
        Hall::LeavePartner(hall::LeavePartner { realm: realm() }),
        Hall::AcceptPartner(hall::AcceptPartner {
            pins: hall::Pins {
                seen: Some(seen()),
                ..pins()
            },
            token: [6; 32],
        }),
        Hall::ReplaceAuthority(hall::Turn {
            from: [8; 32],
            to: [9; 32],
        }),
        Hall::WithdrawAuthority(hall::Turn {
            from: [8; 32],
            to: [9; 32],
        }),
        Hall::BeginLogAnew(hall::BeginLogAnew {
            origin: line("beta.example/log"),
            seen: seen(),
            key: [9; 32],
        }),
        demanding(emily(), r#"{"approval": "owner"}"#),
        demanding(
            emily(),
            r#"{"key": "L2", "approval": "operator", "hours": "mon-fri 08:00-18:00 Europe/Berlin"}"#,
        ),
        Hall::Dismiss(hall::Dismiss {
            hall: name(),
            guest: emily(),
        }),
        invite_agent(None, &["data", "scans"], &["db"]),
        invite_agent(None, &[], &["db", "ssh"]),
        invite_agent(Some("annex"), &["data"], &[]),
        Hall::DismissAgent(hall::Agent {
            hall: name(),
            agent: "lab".parse().unwrap(),
        }),
        open("gate.example", None, None),
        open("gate.example", None, Some(key)),
        open("alpha.example", Some(Role::Member), Some(key)),
        Hall::Approve(hall::Approve {
            grant: crate::id::GrantId::from_bytes([3; 16]),
            opened: [4; 32],
            hall: name(),
            name: line("Emily"),
            rights: rights(),
        }),
        Hall::End(hall::End {
            grant: crate::id::GrantId::from_bytes([3; 16]),
            opened: [4; 32],
            hall: name(),
            name: line("Emily"),
        }),
    ];
    acts.map(Act::from).into()
}

fn statement(act: Act) -> Statement {
    Statement {
        realm: line("gate.example"),
        issued: Timestamp::from_ms(1_790_000_000_000),
        nonce: [0xaa; 16],
        act,
    }
}

#[test]
fn every_act_is_read_back_and_reads_well() {
    let mut sentences = std::collections::BTreeSet::new();
    for act in every_act() {
        let statement = statement(act);
        let bytes = statement.encode();
        assert_eq!(Statement::decode(&bytes).as_ref(), Ok(&statement));
        assert_eq!(statement.hash(), sha256(&bytes));
        let sentence = statement.sentence();
        assert!(sentence.starts_with("At gate.example, on 2026-09-21 14:13:20 UTC: "));
        assert!(
            sentence.ends_with('.') && !sentence.contains(".."),
            "{sentence}"
        );
        sentences.insert(sentence);
        serde_json::to_string(&statement).unwrap();
    }
    // Optional evidence hashes and challenges are not in the sentence.
    assert_eq!(sentences.len(), every_act().len() - 2);
}

#[test]
fn the_encoding_is_the_one_that_was_published() {
    assert_eq!(
        hex::encode(statement(Web::SignIn.into()).encode()),
        "a6\
         63616374\
         6b7765622e7369676e5f696e\
         656e6f6e636550aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\
         657265616c6d6c676174652e6578616d706c65\
         657465726d73a0\
         66697373756564\
         1b000001a0c4506c00\
         6768616c6c77617901"
    );
}

#[test]
fn every_cut_and_every_appended_byte_is_refused() {
    for act in every_act() {
        let mut bytes = statement(act).encode();
        for end in 0..bytes.len() {
            assert!(Statement::decode(&bytes[..end]).is_err());
        }
        bytes.push(0);
        assert_eq!(
            Statement::decode(&bytes),
            Err(DecodeError::Malformed(
                hallway_ctap::cbor::Malformed::Trailing(1)
            ))
        );
    }
}

#[test]
fn what_does_not_belong_is_named() {
    let nonce = [0u8; 16];
    let realm = line("gate.example");
    let base = || {
        Fields::default()
            .with("realm", &realm)
            .with("issued", &0u64)
            .with("nonce", &nonce)
    };
    let read = |fields: Fields<'_>| Statement::decode(&fields.encode()).unwrap_err();
    let one = 1u64;
    let two = 2u64;
    let terms = Fields::default;
    assert_eq!(
        read(
            base()
                .with("hallway", &two)
                .with("act", "web.sign_in")
                .with("terms", terms())
        ),
        DecodeError::Version(2)
    );
    assert_eq!(
        read(
            base()
                .with("hallway", &one)
                .with("act", "ssh.log_in")
                .with("terms", terms())
        ),
        DecodeError::UnknownAct("ssh.log_in".into())
    );
    assert_eq!(
        read(
            base()
                .with("hallway", &one)
                .with("act", "web.sign_out")
                .with("terms", terms())
        ),
        DecodeError::UnknownAct("web.sign_out".into())
    );
    assert_eq!(
        read(
            base()
                .with("hallway", &one)
                .with("act", "web.sign_in")
                .with("terms", terms().with("who", "me"))
        ),
        DecodeError::Unknown("who".into())
    );
    assert_eq!(
        read(
            base()
                .with("hallway", &one)
                .with("act", "web.sign_in")
                .with("terms", terms())
                .with("also", &one)
        ),
        DecodeError::Unknown("also".into())
    );
    assert_eq!(
        read(
            base()
                .with("hallway", &one)
                .with("act", "device.claim")
                .with("terms", terms())
        ),
        DecodeError::Missing("device")
    );
    assert_eq!(
        Statement::decode(&vec![0; MAX_STATEMENT + 1]),
        Err(DecodeError::TooLarge {
            limit: MAX_STATEMENT,
            got: MAX_STATEMENT + 1
        })
    );
}

#[test]
fn the_longest_possible_statement_fits() {
    let long = line(&"x".repeat(Line::MAX_BYTES));
    let mut statement = statement(
        Device::Claim(Claim {
            device: DeviceId::from_bytes([2; 16]),
            serial: long.clone(),
            model: Aaguid([3; 16]),
            authority: long.clone(),
            credential: CredentialId::new(vec![7; 1023]).unwrap(),
            enrolment: [8; 32],
            owner: PersonId::from_bytes([1; 16]),
        })
        .into(),
    );
    statement.realm = long;
    assert!(statement.encode().len() < MAX_STATEMENT);
    assert_eq!(Statement::decode(&statement.encode()), Ok(statement));
}

proptest::proptest! {
    #[test]
    fn a_changed_byte_changes_the_meaning_or_is_refused(
        which in 0usize..33, at: proptest::sample::Index, bit in 0u8..8
    ) {
        let original = statement(every_act().swap_remove(which));
        let mut bytes = original.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = Statement::decode(&bytes) {
            proptest::prop_assert_ne!(&other, &original);
            proptest::prop_assert_eq!(other.encode(), bytes);
        }
    }
}
