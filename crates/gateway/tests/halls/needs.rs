//! What an admission demands: hours, a second person, and one admission of several.

use std::time::Duration;

use hallway_door_hall::HallsOf;
use hallway_hall::HallKey;
use hallway_hall::client::ClientError;
use hallway_spine::store::{PersonState, Role};
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::time::timeout;

use crate::realm::{Entered, Guest, House, spki};

/// Far more than the two seconds between looks; nobody waits for it unless it fails.
const TIMEOUT: Duration = Duration::from_secs(30);
const TEN_MINUTES_SECONDS: u64 = 10 * 60;
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// Hours around the present: they began ten minutes ago and end in ten, at whatever time of the
/// week this runs.
fn around_now(house: &House) -> String {
    let now = house.gateway.now().as_ms() / 1000;
    let clock = |second: u64| format!("{:02}:{:02}", second / 3600 % 24, second / 60 % 60);
    let (from, to) = (now - TEN_MINUTES_SECONDS, now + TEN_MINUTES_SECONDS);
    // The first day of 1970 was a Thursday.
    let day = DAYS[usize::try_from((from / 86_400 + 3) % 7).unwrap()];
    format!("{day} {}-{} UTC", clock(from), clock(to))
}

async fn admit(house: &House, owner: &Guest, guest: Value, rights: Value, needs: Value) {
    let act = json!({"act": "hall.admit", "hall": "one", "guest": guest, "rights": rights,
                     "needs": needs});
    house.act(owner, act).await.unwrap();
}

/// A house with the hall `one`, its owner, and a member who is admitted with these needs.
async fn demanding(needs: impl FnOnce(&House) -> Value) -> (House, Guest, Guest) {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    let guest = house.person(Role::Member).await;
    let act = json!({"act": "hall.create", "hall": "one", "title": "The first"});
    house.act(&owner, act).await.unwrap();
    let needs = needs(&house);
    let rights = json!(["connect:echo"]);
    admit(&house, &owner, json!({"role": "member"}), rights, needs).await;
    (house, owner, guest)
}

fn code<T: std::fmt::Debug>(refused: Result<T, (u16, String)>) -> String {
    refused.unwrap_err().1
}

async fn listener_says(entered: &Entered) -> String {
    match entered.client.grant().await {
        Err(ClientError::Problem(problem)) => problem.code,
        other => panic!("{other:?}"),
    }
}

/// Opens what has to be approved: the grant as the gateway announces it, and the way in.
async fn ask(house: &House, guest: &Guest) -> (Value, Entered) {
    let key = HallKey::generate().unwrap();
    let act = json!({"act": "hall.open", "hall": "one", "public_key": spki(&key)});
    let done = house.act(guest, act).await.unwrap();
    (done["grant"].clone(), Entered::new(&done["grant"], key))
}

/// What is open in the hall for the guest's browser.
async fn browser_grant(house: &House, guest: &Guest) -> Value {
    let path = "/api/halls/one/grant";
    house
        .ask("GET", path, &guest.token, Value::Null)
        .await
        .unwrap()
}

fn approve(entered: &Entered) -> Value {
    json!({"act": "hall.approve", "grant": entered.id})
}

#[tokio::test]
async fn when_the_hours_end_open_streams_are_cut() {
    let (house, _owner, guest) = demanding(|house| json!({"hours": around_now(house)})).await;
    let entered = house.enter(&guest).await;
    let mut stream = entered.stream().await;
    house.later(Duration::from_secs(TEN_MINUTES_SECONDS + 1));
    let mut rest = [0; 64];
    let read = timeout(TIMEOUT, stream.read(&mut rest)).await;
    let read = read.expect("the stream is open after the end of the hours");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert_eq!(listener_says(&entered).await, "needs-not-met");
    assert!(entered.client.renew().await.is_err());
    // Neither does it open anew.
    let act = json!({"act": "hall.open", "hall": "one"});
    assert_eq!(code(house.sign(&guest, act).await), "needs-not-met");
}

#[tokio::test]
async fn what_was_signed_within_the_hours_does_not_open_after_them() {
    let (house, _owner, guest) = demanding(|house| json!({"hours": around_now(house)})).await;
    let act = json!({"act": "hall.open", "hall": "one"});
    let answer = house.sign(&guest, act).await.unwrap();
    // Less than a challenge lasts, and more than what is left of the hours but for four minutes.
    house.later(Duration::from_secs(TEN_MINUTES_SECONDS - 4 * 60));
    let act = json!({"act": "hall.open", "hall": "one"});
    let within = house.sign(&guest, act).await.unwrap();
    house.later(Duration::from_secs(4 * 60 + 1));
    let late = house.ask("POST", "/api/acts", &guest.token, within).await;
    assert_eq!(code(late), "needs-not-met");
    let expired = house.ask("POST", "/api/acts", &guest.token, answer).await;
    assert!(expired.is_err());
}

#[tokio::test]
async fn an_opening_waits_until_somebody_else_approves_it() {
    let (house, owner, guest) = demanding(|_| json!({"approval": "operator"})).await;
    let (operator, member) = (
        house.person(Role::Operator).await,
        house.person(Role::Member).await,
    );
    let (grant, entered) = ask(&house, &guest).await;
    assert_eq!(grant["waits"]["role"], "operator");
    assert_eq!(grant["waits"]["approvers"], json!(["operator", "owner"]));
    let until = grant["waits"]["until_ms"].as_u64().unwrap();
    assert!(until < grant["ends_ms"].as_u64().unwrap());
    // It opens nothing, and cannot be renewed into something that does.
    assert_eq!(listener_says(&entered).await, "waiting-for-approval");
    assert!(entered.client.renew().await.is_err());
    assert!(
        entered
            .client
            .stream(&"echo".parse().unwrap())
            .await
            .is_err()
    );

    // It is shown to whoever can approve it, and to nobody else.
    for (person, sees) in [(&operator, 1), (&owner, 1), (&member, 0), (&guest, 0)] {
        let path = "/api/approvals";
        let all = house.ask("GET", path, &person.token, Value::Null).await;
        assert_eq!(all.unwrap().as_array().unwrap().len(), sees);
    }
    assert_eq!(
        code(house.sign(&guest, approve(&entered)).await),
        "own-opening"
    );
    assert_eq!(code(house.sign(&member, approve(&entered)).await), "role");

    // What is signed names what was opened.
    let answer = house.sign(&operator, approve(&entered)).await.unwrap();
    let done = house
        .ask("POST", "/api/acts", &operator.token, answer)
        .await;
    let path = format!(
        "/api/evidence/{}",
        done.unwrap()["evidence"].as_str().unwrap()
    );
    let seen = house
        .ask("GET", &path, &owner.token, Value::Null)
        .await
        .unwrap();
    let sentence = seen["sentence"].as_str().unwrap();
    assert!(
        sentence.contains("approve that member opens the hall “one” to connect to “echo”"),
        "{sentence}"
    );
    let mut stream = entered.stream().await;
    assert_eq!(
        code(house.sign(&owner, approve(&entered)).await),
        "not-waiting"
    );

    // That the approver goes later ends nothing.
    let (gateway, id) = (&house.gateway, operator.id);
    let suspend = gateway.store.transact(|unit| {
        Box::pin(async move { unit.people().set_state(id, PersonState::Suspended).await })
    });
    suspend.await.unwrap();
    gateway.halls().inside.look_again(gateway).await;
    entered.stream().await;
    assert!(
        timeout(Duration::from_millis(50), stream.read_u8())
            .await
            .is_err()
    );
}

#[tokio::test]
async fn an_operators_own_opening_needs_another_one() {
    let (house, owner, _guest) = demanding(|_| json!({"approval": "operator"})).await;
    let operator = house.person(Role::Operator).await;
    let (_, entered) = ask(&house, &operator).await;
    assert_eq!(
        code(house.sign(&operator, approve(&entered)).await),
        "own-opening"
    );
    house.act(&owner, approve(&entered)).await.unwrap();
    entered.stream().await;
}

#[tokio::test]
async fn what_nobody_can_approve_is_not_opened() {
    let (house, owner, guest) = demanding(|_| json!({"approval": "owner"})).await;
    let open = || json!({"act": "hall.open", "hall": "one"});
    assert_eq!(code(house.sign(&owner, open()).await), "nobody-can-approve");
    house.sign(&guest, open()).await.unwrap();
}

#[tokio::test]
async fn after_an_hour_nothing_is_approved_any_more() {
    let (house, owner, guest) = demanding(|_| json!({"approval": "operator"})).await;
    let (_, entered) = ask(&house, &guest).await;
    let late = house.sign(&owner, approve(&entered)).await.unwrap();
    house.later(Duration::from_secs(3600));
    assert_eq!(
        code(house.sign(&owner, approve(&entered)).await),
        "not-waiting"
    );
    assert!(
        house
            .ask("POST", "/api/acts", &owner.token, late)
            .await
            .is_err()
    );
    let all = house
        .ask("GET", "/api/approvals", &owner.token, Value::Null)
        .await;
    assert_eq!(all.unwrap(), json!([]));
}

#[tokio::test]
async fn what_was_given_up_is_not_approved() {
    let (house, owner, guest) = demanding(|_| json!({"approval": "operator"})).await;
    let (_, entered) = ask(&house, &guest).await;
    let answer = house.sign(&owner, approve(&entered)).await.unwrap();
    let path = format!("/api/grants/{}/end", entered.id);
    let given_up = house
        .ask("POST", &path, &guest.token, json!({}))
        .await
        .unwrap();
    assert_eq!(given_up["state"], "ended");
    let late = house.ask("POST", "/api/acts", &owner.token, answer).await;
    assert_eq!(code(late), "not-waiting");
    assert_eq!(listener_says(&entered).await, "grant-ended");
}

#[tokio::test]
async fn a_demand_that_comes_later_ends_what_it_was_not_met_for() {
    let (house, owner, guest) = demanding(|_| json!({})).await;
    let entered = house.enter(&guest).await;
    entered.stream().await;
    let (role, rights) = (json!({"role": "member"}), json!(["connect:echo"]));
    admit(
        &house,
        &owner,
        role,
        rights,
        json!({"approval": "operator"}),
    )
    .await;
    assert_eq!(listener_says(&entered).await, "needs-not-met");
}

#[tokio::test]
async fn one_admission_of_several_is_enough() {
    let (house, owner, guest) = demanding(|_| json!({"approval": "operator"})).await;
    // Their own admission opens other things, and one of the same within these hours.
    let (who, needs) = (
        json!({"person": guest.id}),
        json!({"hours": around_now(&house)}),
    );
    let rights = json!(["connect:echo", "connect:other"]);
    admit(&house, &owner, who, rights, needs).await;
    let (grant, entered) = ask(&house, &guest).await;
    assert!(grant["waits"].is_null(), "{grant}");
    let mut echo = entered.stream().await;
    house.later(Duration::from_secs(TEN_MINUTES_SECONDS + 1));
    let mut byte = [0];
    let read = timeout(TIMEOUT, echo.read(&mut byte))
        .await
        .expect("it is cut");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    // What is left wants an approval.
    let act = json!({"act": "hall.open", "hall": "one"});
    let done = house.act(&guest, act).await.unwrap();
    assert_eq!(done["grant"]["rights"], json!(["connect:echo"]));
    assert_eq!(done["grant"]["waits"]["role"], "operator");
    let act = json!({"act": "hall.approve", "grant": done["grant"]["id"]});
    house.act(&owner, act).await.unwrap();
    assert_eq!(browser_grant(&house, &guest).await["state"], "open");
}

#[tokio::test]
async fn where_some_rights_end_only_their_streams_are_cut() {
    let (house, owner, guest) = demanding(|_| json!({})).await;
    let (who, needs) = (
        json!({"person": guest.id}),
        json!({"hours": around_now(&house)}),
    );
    admit(&house, &owner, who, json!(["connect:other"]), needs).await;
    let entered = house.enter(&guest).await;
    let mut stays = entered.stream().await;
    let mut goes = entered
        .client
        .stream(&"other".parse().unwrap())
        .await
        .unwrap();
    house.later(Duration::from_secs(TEN_MINUTES_SECONDS + 1));
    let mut byte = [0];
    let read = timeout(TIMEOUT, goes.read(&mut byte))
        .await
        .expect("it is cut");
    assert!(matches!(read, Ok(0) | Err(_)), "{read:?}");
    assert!(
        timeout(Duration::from_millis(50), stays.read_u8())
            .await
            .is_err()
    );
    entered.stream().await;
    let refused = entered.client.stream(&"other".parse().unwrap()).await;
    assert!(refused.err().unwrap().to_string().contains("not-granted"));
}

#[tokio::test]
async fn a_browser_waits_and_the_page_says_so() {
    let (house, owner, guest) = demanding(|_| json!({"approval": "operator"})).await;
    let act = json!({"act": "hall.open", "hall": "one"});
    let done = house.act(&guest, act).await.unwrap();
    let id = done["grant"]["id"].as_str().unwrap();
    assert_eq!(browser_grant(&house, &guest).await["state"], "waiting");
    let act = json!({"act": "hall.approve", "grant": id});
    house.act(&owner, act).await.unwrap();
    assert_eq!(browser_grant(&house, &guest).await["state"], "open");
}

#[tokio::test]
async fn demands_that_nobody_could_meet_are_not_made() {
    let house = House::open().await;
    let owner = house.person(Role::Owner).await;
    house.furnish(&owner).await;
    for (needs, expected) in [
        // Nothing is known about models of keys here.
        (json!({"key": "L1"}), "nothing-known"),
        (json!({"key": "gold"}), "malformed"),
        (
            json!({"hours": "mon-fri 08:00-18:00 Mars/Olympus"}),
            "malformed",
        ),
        (json!({"hours": "always"}), "malformed"),
        (json!({"weather": "fair"}), "invalid"),
    ] {
        let act = json!({"act": "hall.admit", "hall": "one", "guest": {"role": "member"},
                         "rights": ["read:data"], "needs": needs});
        assert_eq!(code(house.sign(&owner, act).await), expected, "{needs}");
    }
}
