//! `/makers`.

use axum::extract::State;
use axum::response::Response;
use hallway_evidence::Timestamp;
use hallway_spine::Gateway;
use hallway_spine::console::pages::{frame, html, moment};
use hallway_spine::http::problem::Problem;
use hallway_spine::http::session::Caller;
use x509_parser::prelude::{FromDer, X509Certificate};

use super::super::view::{MakerRow, MakersPage};
use crate::store::{DeviceTables, Maker};

/// The makers whose devices may enrol.
pub(crate) async fn list(
    State(gateway): State<Gateway>,
    caller: Caller,
) -> Result<Response, Problem> {
    let installed = gateway.store.read().makers().installed().await?;
    html(&MakersPage {
        frame: frame(&gateway, &caller, super::MAKERS),
        makers: installed
            .into_iter()
            .map(|maker| row(&gateway, maker))
            .collect(),
    })
}

fn row(gateway: &Gateway, maker: Maker) -> MakerRow {
    let certificate = X509Certificate::from_der(&maker.certificate).ok();
    let ends = certificate.as_ref().and_then(|(_, certificate)| {
        let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
        Some(Timestamp::from_ms(seconds.saturating_mul(1000)))
    });
    MakerRow {
        subject: certificate.map_or_else(
            || "a certificate that cannot be read".to_owned(),
            |(_, certificate)| certificate.subject().to_string(),
        ),
        until: ends.map(|ends| moment(gateway, ends)),
        id: maker.id.to_string(),
        name: maker.name,
        fingerprint: hex::encode(maker.sha256),
        added: moment(gateway, maker.added),
    }
}
