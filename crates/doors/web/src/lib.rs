//! The web door. Statement: sign in, or register a key. Grant: a session.

pub mod grant;
pub mod join;
pub mod keys;
pub mod links;
pub mod pages;
pub mod people;
mod routes;
pub mod sessions;
pub mod settings;
pub mod sign_in;
pub mod view;

use hallway_spine::Gateway;
use hallway_spine::act::Registered;
use hallway_spine::console::view::NavigationEntry;
use hallway_spine::door::Door;
use hallway_spine::door_name::DoorName;
use hallway_spine::http::route::Route;

use self::settings::WebSettings;

/// The door of people: signing in, keys, links, and who is who in the realm.
#[derive(Debug)]
pub struct Web;

/// What the web door adds to a gateway.
pub trait WebOf {
    /// The settings of the web door.
    #[must_use]
    fn web(&self) -> &WebSettings;
}

impl WebOf for Gateway {
    fn web(&self) -> &WebSettings {
        self.part()
    }
}

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

    fn navigation(&self) -> Vec<NavigationEntry> {
        pages::navigation()
    }
}
