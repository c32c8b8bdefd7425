use hallway_ctap::aaguid::Aaguid;

use super::device::Claim;
use super::*;
use crate::credential_id::CredentialId;
use crate::id::{DeviceId, PersonId};

fn line(text: &str) -> Line {
    Line::new(text).unwrap()
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
    for act in Act::samples() {
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
        let json = serde_json::to_value(&statement).unwrap();
        assert_eq!(json["act"], statement.act.name());
        assert!(json["terms"].is_object(), "{json}");
    }
}

#[test]
fn a_name_is_its_door_and_what_happens_and_there_is_one_of_each() {
    let mut names = std::collections::BTreeSet::new();
    for declared in Act::DECLARED {
        let (door, kind) = declared.name.split_once('.').unwrap();
        let word = |text: &str| {
            !text.is_empty()
                && text
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        assert!(word(door) && word(kind), "{}", declared.name);
        assert!(
            names.insert(declared.name),
            "{} is there twice",
            declared.name
        );
        let sampled = Act::samples().iter().any(|act| act.name() == declared.name);
        assert!(sampled, "{}", declared.name);
    }
}

#[test]
fn json_has_the_members_of_the_encoding() {
    let statement = statement(
        people::ChangeRole {
            person: PersonId::from_bytes([1; 16]),
            name: line("Emily"),
            role: people::Role::Operator,
        }
        .into(),
    );
    assert_eq!(
        serde_json::to_value(&statement).unwrap(),
        serde_json::json!({
            "realm": "gate.example",
            "issued": 1_790_000_000_000_u64,
            "nonce": "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            "act": "people.change_role",
            "terms": {
                "person": "01010101-0101-0101-0101-010101010101",
                "name": "Emily",
                "role": "operator",
            },
        })
    );
}

#[test]
fn the_encoding_is_the_one_that_was_published() {
    assert_eq!(
        hex::encode(statement(web::SignIn {}.into()).encode()),
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
    for act in Act::samples() {
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
fn the_error_names_a_member_that_does_not_belong() {
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
        Statement::decode(&vec![0; MAX_STATEMENT_BYTES + 1]),
        Err(DecodeError::TooLarge {
            limit: MAX_STATEMENT_BYTES,
            got: MAX_STATEMENT_BYTES + 1
        })
    );
}

#[test]
fn the_longest_possible_statement_fits() {
    let long = line(&"x".repeat(Line::MAX_BYTES));
    let mut statement = statement(
        Claim {
            device: DeviceId::from_bytes([2; 16]),
            serial: long.clone(),
            model: Aaguid([3; 16]),
            maker: long.clone(),
            credential: CredentialId::new(vec![7; 1023]).unwrap(),
            enrolment: [8; 32],
            owner: PersonId::from_bytes([1; 16]),
        }
        .into(),
    );
    statement.realm = long;
    assert!(statement.encode().len() < MAX_STATEMENT_BYTES);
    assert_eq!(Statement::decode(&statement.encode()), Ok(statement));
}

proptest::proptest! {
    #[test]
    fn a_changed_byte_changes_the_meaning_or_is_refused(
        which: proptest::sample::Index, at: proptest::sample::Index, bit in 0u8..8
    ) {
        let original = statement(which.get(&Act::samples()).clone());
        let mut bytes = original.encode();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(other) = Statement::decode(&bytes) {
            proptest::prop_assert_ne!(&other, &original);
            proptest::prop_assert_eq!(other.encode(), bytes);
        }
    }
}

/// `docs/statements.md`, as the declarations say it.
fn documentation() -> String {
    use std::fmt::Write as _;

    let mut text = include_str!("statements_head.md").to_owned();
    for declared in Act::DECLARED {
        let _ = write!(
            text,
            "\n## `{}`\n\n{}\n\n",
            declared.name,
            declared.doc.trim()
        );
        let signer = match declared.signer {
            Signer::NewKey => "the key that is registered by it".to_owned(),
            Signer::Device => "a device".to_owned(),
            Signer::Person(role) => format!("a person, {role} at least"),
        };
        let _ = writeln!(text, "Signed by {signer}.");
        if !declared.members.is_empty() {
            let _ = write!(text, "\n| member | value | meaning |\n|---|---|---|\n");
            rows(&mut text, "", declared.members);
        }
        let sample = Act::samples()
            .into_iter()
            .find(|act| act.name() == declared.name)
            .unwrap();
        let _ = write!(text, "\n> {}\n", sample.sentence());
    }
    text
}

fn rows(text: &mut String, of: &str, members: &[DeclaredMember]) {
    use std::fmt::Write as _;

    for member in members {
        let name = format!("{of}{}", member.name);
        let (shape, doc) = (member.shape.in_words(), member.doc.trim());
        let _ = writeln!(text, "| `{name}` | {shape} | {doc} |");
        rows(text, &format!("{name}."), member.shape.members());
    }
}

#[test]
fn the_documentation_agrees_with_the_declarations() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/statements.md");
    let declared = documentation();
    if std::env::var_os("HALLWAY_WRITE_DOCS").is_some() {
        std::fs::write(path, &declared).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        written == declared,
        "docs/statements.md is not what is declared; make it anew with \
         HALLWAY_WRITE_DOCS=1 cargo test --package hallway-evidence documentation"
    );
}
