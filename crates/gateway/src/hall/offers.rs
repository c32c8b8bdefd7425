//! What there is behind each hall: what this gateway provides by its configuration.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use hallway_evidence::statement::hall::Name;
use hallway_hall::Address;
use hallway_hall::Problem as Refused;
use hallway_hall::stream::BoxStream;

use crate::config;

/// What is behind the halls.
#[derive(Debug, Default)]
pub struct Offers {
    services: BTreeMap<(Name, Name), Address>,
}

/// One thing behind a hall.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Offer {
    /// What rights call it.
    pub name: Name,
    /// The agent that provides it; nothing for the gateway itself.
    pub agent: Option<Name>,
}

impl Offers {
    /// What the configuration says.
    pub fn new(hall: &config::Hall) -> Self {
        let services = hall.services.iter().map(|service| {
            let key = (service.hall.clone(), service.name.clone());
            (key, service.address.clone())
        });
        Self {
            services: services.collect(),
        }
    }

    /// The services of a hall.
    pub fn services(&self, hall: &Name) -> Vec<Offer> {
        let own = self.services.keys().filter(|(of, _)| of == hall);
        own.map(|(_, name)| Offer {
            name: name.clone(),
            agent: None,
        })
        .collect()
    }

    /// The stores of a hall.
    pub fn stores(&self, _hall: &Name) -> Vec<Offer> {
        Vec::new()
    }

    /// Connects to a service of a hall. Whether the asker may, was decided before.
    ///
    /// # Errors
    /// 404: nobody provides it; 502, 504: it does not answer.
    pub async fn connect(&self, hall: &Name, service: &Name) -> Result<BoxStream, Refused> {
        let nobody = || nobody_provides("service", service);
        let address = self
            .services
            .get(&(hall.clone(), service.clone()))
            .ok_or_else(nobody)?;
        let name = service.as_str().parse().map_err(|_| nobody())?;
        address.connect(&name).await
    }
}

fn nobody_provides(what: &str, name: &Name) -> Refused {
    Refused::new(
        StatusCode::NOT_FOUND,
        "not-provided",
        format!("nobody provides the {what} “{name}” now; its agent may be away"),
    )
}
