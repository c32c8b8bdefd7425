//! Whatever ends takes along what hung on it, in every order of events: after each, who can still do
//! what is what [`model`] says.

mod driver;
mod model;

use proptest::prelude::*;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

use driver::{Driver, Event};

fn event() -> impl Strategy<Value = Event> {
    let any = any::<u8>;
    prop_oneof![
        3 => (any(), any()).prop_map(|(by, role)| Event::Invite { by, role }),
        6 => any().prop_map(Event::UseLink),
        2 => any().prop_map(Event::AddKey),
        2 => (any(), any()).prop_map(|(by, whom)| Event::Recover { by, whom }),
        2 => any().prop_map(Event::MakeSignInLink),
        2 => any().prop_map(Event::SignIn),
        3 => any().prop_map(Event::Suspend),
        3 => any().prop_map(Event::Reinstate),
        3 => (any(), any()).prop_map(|(whom, role)| Event::ChangeRole { whom, role }),
        2 => any().prop_map(Event::RemoveKey),
        4 => (any(), any(), any()).prop_map(|(guest, rights, approval)| Event::Admit {
            guest,
            rights,
            approval,
        }),
        2 => any().prop_map(Event::Dismiss),
        6 => (any(), any()).prop_map(|(key, session)| Event::Open { key, session }),
        3 => (any(), any()).prop_map(|(by, grant)| Event::Approve { by, grant }),
        1 => any().prop_map(Event::EndGrant),
        1 => (any(), any()).prop_map(|(by, link)| Event::Withdraw { by, link }),
        1 => any().prop_map(Event::SignOut),
        1 => any().prop_map(Event::Leave),
        2 => any().prop_map(Event::Claim),
        5 => (any(), any(), any()).prop_map(|(by, device, change)| Event::Change {
            by,
            device,
            change,
        }),
        3 => any().prop_map(Event::Wait),
    ]
}

#[test]
fn what_ended_takes_along_what_hung_on_it() {
    let seeds = "tests/halls/revocation/seeds.txt";
    let config = Config {
        cases: 24,
        max_shrink_iters: 400,
        failure_persistence: Some(Box::new(FileFailurePersistence::Direct(seeds))),
        ..Config::default()
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let events = proptest::collection::vec(event(), 1..24);
    let mut runner = TestRunner::new(config);
    let tried = runner.run(&events, |events| {
        runtime.block_on(async {
            let mut driver = Driver::new().await;
            for event in events {
                driver.happen(event).await;
                driver.check(event).await;
            }
        });
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}
