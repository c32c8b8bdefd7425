//! The web door. Statement: sign in, or register a key. Grant: a session.

pub mod grant;
pub mod join;
pub mod keys;
pub mod links;
pub mod pages;
pub mod people;
mod routes;
pub mod sessions;
pub mod sign_in;
pub mod view;

use hallway_spine::act::Registered;
use hallway_spine::console::view::Place;
use hallway_spine::door::Door;
use hallway_spine::door_name::DoorName;
use hallway_spine::http::route::Route;

/// The door of people: signing in, keys, links, and who is who in the realm.
#[derive(Debug)]
pub struct Web;

impl Door for Web {
    fn name(&self) -> DoorName {
        DoorName::WEB
    }

    fn states(&self) -> &'static [&'static str] {
        &["web", "people"]
    }

    fn acts(&self) -> Vec<Registered> {
        [keys::acts(), links::acts(), people::acts()]
            .into_iter()
            .flatten()
            .collect()
    }

    fn routes(&self) -> Vec<Route> {
        routes::all()
    }

    fn places(&self) -> Vec<Place> {
        pages::places()
    }
}
