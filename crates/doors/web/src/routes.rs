//! The routes of the web door.

use hallway_api::act::Ceremony;
use hallway_api::key::{Key, NewKey, Registered, Registration};
use hallway_api::link::{Link, Token};
use hallway_api::session::{Person, SignIn, SignedIn};
use hallway_spine::http::bounds::kinds::STRANGERS;
use hallway_spine::http::page::PageView;
use hallway_spine::http::route::{Access, Route};
use hallway_spine::store::Role;

use super::pages::{arrive, keys as keys_page, people as people_page};
use super::{grant, join, keys, links, people, sessions, sign_in};

const MEMBER: Access = Access::Person(Role::Member);
const OPERATOR: Access = Access::Person(Role::Operator);

/// All routes of the web door.
pub(crate) fn all() -> Vec<Route> {
    vec![
        Route::post("/api/sign-in/statement", Access::Public, sign_in::begin)
            .summary("A statement to sign in with")
            .gives::<Ceremony>(),
        Route::post("/api/sign-in", Access::Proof, sign_in::finish)
            .summary("Sign in")
            .takes::<SignIn>()
            .within(STRANGERS)
            .gives::<SignedIn>(),
        Route::post("/api/sign-out", MEMBER, sign_in::sign_out).summary("End the session"),
        Route::post("/api/join/look", Access::Proof, join::look)
            .summary("What a one-time link is for")
            .takes::<Token>()
            .gives::<Link>(),
        Route::post("/api/join/sign-in", Access::Proof, join::sign_in)
            .summary("Sign in with a one-time link")
            .takes::<Token>()
            .gives::<SignedIn>()
            .within(STRANGERS),
        Route::get("/api/sessions", MEMBER, sessions::list)
            .summary("Where the caller is signed in")
            .gives::<Vec<sessions::SessionRow>>(),
        Route::post("/api/sessions/{id}/end", MEMBER, sessions::end)
            .summary("End a session of one's own")
            .gives::<Vec<sessions::SessionRow>>(),
        Route::get("/api/links", MEMBER, links::list)
            .summary("One-time links that are open: the caller's own, and everybody's for an owner")
            .gives::<Vec<links::LinkRow>>(),
        Route::post("/api/keys/statement", Access::Proof, keys::begin)
            .summary("A statement to register a key with, by a one-time link")
            .takes::<NewKey>()
            .within(STRANGERS)
            .gives::<Ceremony>(),
        Route::post("/api/keys", Access::Proof, keys::finish)
            .summary("Register a key")
            .takes::<Registration>()
            .within(STRANGERS)
            .gives::<Registered>(),
        Route::get("/api/keys", MEMBER, keys::list)
            .summary("The caller's keys")
            .gives::<Vec<Key>>(),
        Route::post("/api/keys/{id}/label", MEMBER, keys::label)
            .summary("Name a key")
            .takes::<keys::Label>()
            .gives::<Key>(),
        Route::get("/api/me", MEMBER, grant::me)
            .summary("Who is signed in")
            .gives::<Person>(),
        Route::get("/api/people", OPERATOR, people::list)
            .summary("The people of the realm")
            .gives::<PageView<people::PersonRow>>(),
        Route::page("/join", Access::Public, arrive::join),
        Route::page("/keys", MEMBER, keys_page::keys),
        Route::page("/people", OPERATOR, people_page::list),
    ]
}
