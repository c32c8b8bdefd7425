//! Who allowed a key: stories of a realm in which somebody was let in, lawfully or by a row in its
//! database.

use hallway_ctap::aaguid::Aaguid;
use hallway_ctap::authenticator_data::Flags;

use super::PAYLOAD;
use super::realm::{Key, Story, line, log, play, statement};
use crate::bundle::Bundle;
use crate::hash::Hash;
use crate::id::PersonId;
use crate::receipt::Receipt;
use crate::signed_statement::SignedStatement;
use crate::statement::people::{ChangeRole, Invite, Recover, Role};
use crate::statement::web::{AddKey, Reason, RegisterKey};
use crate::statement::{Act, web};
use crate::trust::TrustFile;
use crate::verify::{self, Chain, Happened, Report};

/// A person with a key.
struct Person {
    id: PersonId,
    name: &'static str,
    key: Key,
}

fn person(name: &'static str) -> Person {
    Person {
        id: PersonId::from_bytes([name.len() as u8; 16]),
        name,
        key: key(name),
    }
}

fn key(id: &str) -> Key {
    let flags = Flags::USER_PRESENT | Flags::USER_VERIFIED;
    Key::new(id.as_bytes(), flags, Aaguid::ZERO)
}

/// The hash of a link.
const fn link(number: u8) -> Hash {
    [number; 32]
}

impl Person {
    fn registers(&self, key: &Key, role: Role, reason: Reason, link: Hash) -> SignedStatement {
        let terms = RegisterKey {
            person: self.id,
            name: line(self.name),
            role,
            label: line("Desk"),
            reason,
            link,
            authorised_by: None,
        };
        key.register(&statement("gate.example", terms), None)
    }

    fn sets_up(&self) -> SignedStatement {
        self.registers(&self.key, Role::Owner, Reason::Setup, link(1))
    }

    fn joins(&self, role: Role, by: u8) -> SignedStatement {
        self.registers(&self.key, role, Reason::Invitation, link(by))
    }

    fn signs(&self, act: impl Into<Act>) -> SignedStatement {
        self.key.assert(&statement("gate.example", act))
    }

    fn invites(&self, name: &str, role: Role, by: u8) -> SignedStatement {
        self.signs(Invite {
            name: line(name),
            role,
            link: link(by),
        })
    }

    fn promotes(&self, other: &Self, role: Role) -> SignedStatement {
        self.signs(ChangeRole {
            person: other.id,
            name: line(other.name),
            role,
        })
    }

    fn recovers(&self, other: &Self, role: Role, by: u8) -> SignedStatement {
        self.signs(Recover {
            person: other.id,
            name: line(other.name),
            role,
            link: link(by),
        })
    }

    fn adds_key(&self, by: u8) -> SignedStatement {
        self.signs(AddKey {
            person: self.id,
            name: line(self.name),
            link: link(by),
        })
    }
}

fn trust() -> TrustFile {
    play(&Story::default(), PAYLOAD).1
}

fn judge(receipts: &[Receipt], chain: Chain) -> Report {
    let (subject, rests_on) = receipts.split_last().unwrap();
    let bundle = Bundle::of(subject.clone(), rests_on.iter().cloned()).unwrap();
    verify::bundle(&bundle, None, &trust(), chain)
}

/// Judges what happened, the last of it with all that came before.
fn told(happened: Vec<SignedStatement>) -> Report {
    judge(&log(happened), Chain::ToSetUp)
}

/// Asserts that it fails at `step`, for a reason that has `words` in it.
fn fails(happened: Vec<SignedStatement>, step: &str, words: &str) {
    refused(&told(happened), step, words);
}

fn refused(report: &Report, step: &str, words: &str) {
    let failure = report.failure.clone().unwrap();
    assert!(!report.holds);
    assert_eq!(failure.step, step, "{}", failure.what);
    assert!(failure.what.contains(words), "{}", failure.what);
    if step.starts_with("people") {
        assert!(report.missing.contains(&failure.what));
    }
}

fn holds(happened: Vec<SignedStatement>) -> (Vec<String>, Vec<Happened>) {
    let report = told(happened);
    assert_eq!(report.failure, None);
    assert_eq!(report.missing, Vec::<String>::new());
    let conclusion = report.conclusion.unwrap();
    let happened = conclusion.chain.iter().map(|step| step.happened).collect();
    (conclusion.sentences, happened)
}

#[test]
fn a_chain_is_walked_down_to_the_set_up_and_told() {
    let (otto, emily, ida) = (person("Otto"), person("Emily"), person("Ida"));
    let (said, happened) = holds(vec![
        otto.sets_up(),
        otto.invites("Emily", Role::Owner, 2),
        emily.joins(Role::Owner, 2),
        emily.invites("Ida", Role::Member, 3),
        ida.joins(Role::Member, 3),
        ida.signs(web::SignIn {}),
    ]);
    assert_eq!(
        happened,
        [Happened::Invited, Happened::Invited, Happened::SetUp]
    );
    assert!(
        said[0].starts_with("Signed by Ida (member): "),
        "{}",
        said[0]
    );
    let said = said.join("\n");
    for part in [
        "Emily invited Ida as member on ",
        "(entry 3).",
        "Otto invited Emily as owner on ",
        "Otto set up the realm, as its owner, on ",
        "(entry 0).",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
}

#[test]
fn a_registration_is_followed_too() {
    let (otto, emily) = (person("Otto"), person("Emily"));
    let (said, _) = holds(vec![
        otto.sets_up(),
        otto.invites("Emily", Role::Member, 2),
        emily.joins(Role::Member, 2),
    ]);
    assert!(
        said[0].starts_with("Signed by Emily (member): "),
        "{}",
        said[0]
    );
    let (said, happened) = holds(vec![otto.sets_up()]);
    assert!(
        said[0].starts_with("Signed by Otto (owner): "),
        "{}",
        said[0]
    );
    assert_eq!(happened, [Happened::SetUp]);
}

#[test]
fn further_and_recovered_keys_lead_to_the_same_person() {
    let (otto, emily) = (person("Otto"), person("Emily"));
    let (second, third) = (key("second"), key("third"));
    let signs = |key: &Key| key.assert(&statement("gate.example", web::SignIn {}));
    let (_, happened) = holds(vec![
        otto.sets_up(),
        otto.adds_key(2),
        otto.registers(&second, Role::Owner, Reason::Additional, link(2)),
        signs(&second),
    ]);
    assert_eq!(happened, [Happened::Added, Happened::SetUp]);
    let (_, happened) = holds(vec![
        otto.sets_up(),
        otto.recovers(&emily, Role::Operator, 3),
        emily.registers(&third, Role::Operator, Reason::Recovery, link(3)),
        signs(&third),
    ]);
    assert_eq!(happened, [Happened::Recovered, Happened::SetUp]);
}

#[test]
fn a_role_that_was_given_later_has_to_be_shown() {
    let (otto, emily) = (person("Otto"), person("Emily"));
    let ida = person("Ida");
    let story = |between: Vec<SignedStatement>| {
        let mut all = vec![
            otto.sets_up(),
            otto.invites("Emily", Role::Member, 2),
            emily.joins(Role::Member, 2),
        ];
        all.extend(between);
        all.extend([
            emily.invites("Ida", Role::Member, 3),
            ida.joins(Role::Member, 3),
        ]);
        all.push(ida.signs(web::SignIn {}));
        all
    };
    let needed = "Emily needed the role owner for the invitation of Ida";
    fails(story(vec![]), "people.4", needed);
    let (said, happened) = holds(story(vec![otto.promotes(&emily, Role::Owner)]));
    assert!(happened.contains(&Happened::Promoted));
    assert!(
        said.iter()
            .any(|said| said.starts_with("Otto made Emily owner on "))
    );
    // By herself, while she was no owner; and by an owner, but to a lesser role.
    fails(
        story(vec![emily.promotes(&emily, Role::Owner)]),
        "people.4",
        needed,
    );
    fails(
        story(vec![otto.promotes(&emily, Role::Operator)]),
        "people.4",
        needed,
    );
    // The same id under another name.
    let other = Person {
        name: "Emilia",
        ..person("Emily")
    };
    fails(
        story(vec![otto.promotes(&other, Role::Owner)]),
        "people.4",
        needed,
    );
    // The subject itself needs a role.
    let short = vec![
        otto.sets_up(),
        otto.invites("Emily", Role::Member, 2),
        emily.joins(Role::Member, 2),
        emily.promotes(&emily, Role::Owner),
    ];
    fails(short, "people.4", "Emily needed the role owner for this");
}

#[test]
fn a_key_that_a_row_invited_is_nobodys() {
    let (otto, emily) = (person("Otto"), person("Emily"));
    // Nobody signed the invitation, the recovery, the further key.
    for (reason, words) in [
        (Reason::Invitation, "the invitation of Emily"),
        (Reason::Recovery, "the recovery of Emily"),
        (Reason::Additional, "Emily’s permission for a further key"),
    ] {
        let registered = emily.registers(&emily.key, Role::Owner, reason, link(9));
        let all = log(vec![
            otto.sets_up(),
            registered,
            emily.signs(web::SignIn {}),
        ]);
        let report = judge(&all[1..], Chain::ToSetUp);
        refused(&report, "people.1", words);
        refused(&report, "people.1", &hex::encode(link(9)));
        let report = judge(&all[1..], Chain::KeyOnly);
        assert!(report.holds, "{:?}", report.failure);
        let said = report.conclusion.unwrap().sentences.join("\n");
        assert!(
            said.contains("that nobody is shown to have allowed: "),
            "{said}"
        );
        assert!(
            said.contains("Not shown: nothing here shows that"),
            "{said}"
        );
        assert_eq!(report.missing.len(), 1);
    }
    // A set-up that was not the first thing that happened.
    fails(
        vec![
            otto.sets_up(),
            emily.registers(&emily.key, Role::Owner, Reason::Setup, link(9)),
            emily.signs(web::SignIn {}),
        ],
        "people.5",
        "it is entry 1 of the log",
    );
    // Or that is no owner's.
    fails(
        vec![otto.registers(&otto.key, Role::Member, Reason::Setup, link(1))],
        "people.5",
        "no owner’s",
    );
}

#[test]
fn the_act_that_allowed_a_key_names_its_person() {
    let (otto, emily, ida) = (person("Otto"), person("Emily"), person("Ida"));
    let story = |allowed: SignedStatement, registered: SignedStatement| {
        vec![otto.sets_up(), allowed, registered]
    };
    use Reason::{Additional, Invitation, Recovery};
    for (allowed, role, reason, step, words) in [
        // A role that was written into the row, another name, another person.
        (
            otto.invites("Emily", Role::Member, 2),
            Role::Owner,
            Invitation,
            "people.3",
            "the role",
        ),
        (
            otto.invites("Emil", Role::Owner, 2),
            Role::Owner,
            Invitation,
            "people.3",
            "the name",
        ),
        (
            otto.recovers(&ida, Role::Owner, 2),
            Role::Owner,
            Recovery,
            "people.3",
            "the person",
        ),
        (
            otto.recovers(&emily, Role::Member, 2),
            Role::Owner,
            Recovery,
            "people.3",
            "the role",
        ),
        (
            otto.adds_key(2),
            Role::Owner,
            Additional,
            "people.3",
            "the person",
        ),
        // An act of another kind that names the link.
        (
            otto.invites("Emily", Role::Owner, 2),
            Role::Owner,
            Recovery,
            "people.1",
            "the recovery",
        ),
    ] {
        let registered = emily.registers(&emily.key, role, reason, link(2));
        fails(story(allowed, registered), step, words);
    }
    // A person adds a further key only for themselves.
    let for_emily = otto.signs(AddKey {
        person: emily.id,
        name: line("Emily"),
        link: link(2),
    });
    let registered = emily.registers(&emily.key, Role::Owner, Additional, link(2));
    fails(story(for_emily, registered), "people.4", "and not Emily");
    // The registration names other evidence than the act that the link is in.
    let terms = RegisterKey {
        person: emily.id,
        name: line("Emily"),
        role: Role::Member,
        label: line("Desk"),
        reason: Invitation,
        link: link(2),
        authorised_by: Some([7; 32]),
    };
    let registered = emily.key.register(&statement("gate.example", terms), None);
    fails(
        story(otto.invites("Emily", Role::Member, 2), registered),
        "people.3",
        "the evidence",
    );
}

#[test]
fn no_act_allows_a_key_that_was_registered_before() {
    let (otto, emily) = (person("Otto"), person("Emily"));
    fails(
        vec![
            otto.sets_up(),
            emily.joins(Role::Member, 2),
            otto.invites("Emily", Role::Member, 2),
            emily.signs(web::SignIn {}),
        ],
        "people.2",
        "entry 2 of the log, after the key’s registration, which is entry 1",
    );
    // Two who invited each other, and nobody else: no order of the log has that.
    fails(
        vec![
            emily.joins(Role::Owner, 2),
            emily.invites("Otto", Role::Owner, 3),
            otto.joins(Role::Owner, 3),
            otto.invites("Emily", Role::Owner, 2),
            emily.signs(web::SignIn {}),
        ],
        "people.2",
        "after the key’s registration",
    );
}

#[test]
fn the_trust_file_may_name_the_set_up() {
    let (otto, emily) = (person("Otto"), person("Emily"));
    let all = log(vec![
        emily.sets_up(),
        otto.sets_up(),
        otto.signs(web::SignIn {}),
    ]);
    let bundle = Bundle::of(all[2].clone(), [all[1].clone()]).unwrap();
    let judge = |set_up: Option<Hash>| {
        let mut trust = trust();
        trust.set_up = set_up;
        verify::bundle(&bundle, None, &trust, Chain::ToSetUp)
    };
    refused(&judge(None), "people.5", "it is entry 1 of the log");
    assert!(judge(Some(all[1].evidence.hash())).holds);
    refused(
        &judge(Some(all[0].evidence.hash())),
        "people.5",
        "the trust file names",
    );
    // The first entry is not enough where another one is named.
    let first = Bundle::of(all[0].clone(), []).unwrap();
    let mut trust = trust();
    trust.set_up = Some(all[1].evidence.hash());
    let report = verify::bundle(&first, None, &trust, Chain::ToSetUp);
    refused(&report, "people.5", "the trust file names");
}

#[test]
fn a_receipt_that_the_subject_does_not_rest_on_is_refused() {
    let (otto, emily) = (person("Otto"), person("Emily"));
    let spare = [
        otto.promotes(&emily, Role::Owner),
        otto.invites("Ida", Role::Owner, 5),
        otto.signs(web::SignIn {}),
    ];
    for spare in spare {
        let all = log(vec![
            otto.sets_up(),
            otto.invites("Emily", Role::Member, 2),
            emily.joins(Role::Member, 2),
            spare,
            emily.signs(web::SignIn {}),
        ]);
        refused(
            &judge(&all, Chain::ToSetUp),
            "bundle.1",
            "it does not rest on receipt 2",
        );
        let lean = [&all[..3], &all[4..]].concat();
        assert!(judge(&lean, Chain::ToSetUp).holds);
        refused(
            &judge(&all, Chain::KeyOnly),
            "bundle.1",
            "it does not rest on receipt 2",
        );
    }
}

#[test]
fn a_chain_of_the_most_receipts_is_walked() {
    let names: Vec<&'static str> = (1..64)
        .map(|length| &*Box::leak("x".repeat(length).into_boxed_str()))
        .collect();
    let people: Vec<Person> = names.into_iter().map(person).collect();
    let mut happened = vec![people[0].sets_up()];
    for (by, pair) in (2..).zip(people.windows(2)) {
        happened.push(pair[0].invites(pair[1].name, Role::Owner, by));
        happened.push(pair[1].joins(Role::Owner, by));
    }
    happened.push(people[62].signs(web::SignIn {}));
    let (_, steps) = holds(happened);
    assert_eq!(steps.len(), 63);
}
