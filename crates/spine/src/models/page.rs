//! `/metadata`.

use axum::extract::State;
use axum::response::Response;
use hallway_api::key::KeyModel;
use hallway_evidence::Timestamp;
use hallway_webauthn::{KeyProtection, ModelList, ModelPolicy, SerialNumbers};

use crate::Gateway;
use crate::console::pages::{frame, html, moment};
use crate::console::view::{
    Blob, Count, MetadataPage, ModelCard, Moment, NavigationEntry, PolicyRow, StatementRow,
};
use crate::http::input::Asked;
use crate::http::problem::Problem;
use crate::http::session::Caller;
use crate::models::look::{self, Search};
use crate::settings::policy::{Attestation, Copies, Level};
use crate::settings::{PersonPolicy, Policies};

/// How many models a page shows.
const MODELS_PER_PAGE: u64 = 20;

/// The sources of metadata, the known models, and the realm's policies on keys.
pub(crate) async fn metadata(
    State(gateway): State<Gateway>,
    caller: Caller,
    Asked(query): Asked<Search>,
) -> Result<Response, Problem> {
    let view = look::view(&gateway);
    let search = Search {
        limit: Some(MODELS_PER_PAGE),
        ..query
    };
    let (found, next) = look::search(&gateway, &search);
    let query = search.q.unwrap_or_default();
    html(&MetadataPage {
        frame: frame(&gateway, &caller, NavigationEntry::METADATA),
        configured: view.configured,
        sources: view.sources,
        signer: view.signer,
        blob: view.blob.map(|blob| Blob {
            number: Count(blob.number),
            source: blob.source,
            taken: at(&gateway, blob.taken_ms),
            next_update: at(&gateway, blob.next_update_ms),
            overdue: blob.overdue,
        }),
        checked: view.checked_ms.map(|ms| at(&gateway, ms)),
        problem: view.problem,
        known: Count(view.models as u64),
        unreadable: Count(view.unreadable as u64),
        statements: view
            .statements
            .into_iter()
            .map(|statement| StatementRow {
                name: statement.name,
                problem: statement.problem,
            })
            .collect(),
        policies: policies(gateway.models.policies()),
        more: next.map(|next| format!("/metadata?q={}&after={next}#models", encoded(&query))),
        query,
        models: found
            .into_iter()
            .map(|model| card(&gateway, model))
            .collect(),
    })
}

/// A model as pages show it.
pub fn card(gateway: &Gateway, model: KeyModel) -> ModelCard {
    let protection: Vec<_> = model
        .key_protection
        .iter()
        .map(|word| place(word))
        .collect();
    let since = model.status_since_ms.map(|ms| at(gateway, ms));
    ModelCard {
        id: model.id,
        name: model.name,
        icon: model.icon,
        certification: model.certification,
        protection: protection.join(", "),
        status: model.status.map(|status| (status, since)),
    }
}

/// A word for the place of a model's keys (FIDO Registry of Predefined Values, 3.2).
fn place(word: &str) -> &str {
    match word {
        "hardware" => "in hardware",
        "software" => "in software",
        "tee" => "in a trusted execution environment",
        "secure_element" => "in a secure element",
        "remote_handle" => "behind a handle that the server keeps",
        word => word,
    }
}

fn at(gateway: &Gateway, ms: u64) -> Moment {
    moment(gateway, Timestamp::from_ms(ms))
}

/// Text inside a query (RFC 3986, 2.1).
fn encoded(text: &str) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

fn policies(policies: &Policies) -> Vec<PolicyRow> {
    let row = |who: &str, asks: Vec<String>| PolicyRow {
        who: who.to_owned(),
        asks: sentences(asks),
    };
    let mut rows = vec![
        row("Owners", of_person(&policies.owner)),
        row("Operators", of_person(&policies.operator)),
        row("Members", of_person(&policies.member)),
    ];
    for (door, policy) in &policies.doors {
        rows.push(row(
            &format!("Everybody, at the {door} door"),
            of_person(policy),
        ));
    }
    rows.push(row("Devices", of_models(&policies.device.models())));
    rows
}

fn of_person(policy: &PersonPolicy) -> Vec<String> {
    let mut asks = of_models(&policy.models());
    if policy.attestation == Attestation::Required {
        asks.push("the maker vouches for it".to_owned());
    }
    if policy.copies == Copies::Refused {
        asks.push("it cannot be copied to other devices".to_owned());
    }
    asks
}

fn of_models(policy: &ModelPolicy) -> Vec<String> {
    let mut asks = Vec::new();
    match &policy.models {
        ModelList::All => {}
        ModelList::Only(models) => asks.push(format!("its model is one of {}", models.len())),
        ModelList::AllBut(models) => asks.push(format!("its model is none of {}", models.len())),
    }
    let level = Level(policy.certification);
    if level != Level(ModelPolicy::any().certification) {
        asks.push(format!("its model is certified {level} or higher"));
    }
    if policy.key_protection == KeyProtection::Hardware {
        asks.push("keys live in hardware only".to_owned());
    }
    if let SerialNumbers::StartingWith(starts) = &policy.serial_numbers {
        asks.push(format!(
            "its serial number begins with {}",
            starts.join(" or ")
        ));
    }
    asks
}

fn sentences(asks: Vec<String>) -> String {
    if asks.is_empty() {
        "Any model that is not known to be compromised.".to_owned()
    } else {
        let mut text = asks.join("; ");
        text.push('.');
        let rest = text.split_off(1);
        text.to_uppercase() + &rest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_read_as_sentences() {
        let rows = policies(&Policies {
            owner: PersonPolicy::default(),
            ..Policies::default()
        });
        assert_eq!(
            rows[0].asks,
            "Its model is certified L1 or higher; keys live in hardware only; the maker vouches \
             for it; it cannot be copied to other devices."
        );
        assert_eq!(
            rows[1].asks,
            "Any model that is not known to be compromised."
        );
    }

    #[test]
    fn a_search_survives_its_way_into_an_address() {
        assert_eq!(encoded("Yubi Key&5"), "Yubi%20Key%265");
    }
}
