//! `hallway trust export`: the file that checks a realm's receipts offline.

use std::error::Error;
use std::fs;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use hallway_client::GatewayAddress;
use hallway_evidence::{MAX_TRUST_FILE_BYTES, TrustFile};

use crate::gateway::{DataFolder, configured_address};
use crate::person::{PersonError, Redirections, body, web_client};

/// What checks a realm's receipts: its log's key, and the makers whose devices it accepts.
#[derive(Debug, Args)]
pub(crate) struct TrustCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Write the trust file of a running gateway.
    ///
    /// People who verify with it trust that this gateway is the right one. It is fetched over TLS,
    /// or on the gateway's own machine; hand it on in a way that nobody can tamper with.
    Export {
        /// The gateway's address; otherwise the one in the data folder's configuration.
        #[arg(long, value_name = "URL")]
        url: Option<GatewayAddress>,
        #[command(flatten)]
        data: DataFolder,
        /// Where to write; standard output otherwise.
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
    },
}

pub(crate) fn run(command: TrustCommand) -> Result<(), Box<dyn Error>> {
    let Action::Export { url, data, file } = command.action;
    let url = match url {
        Some(url) => url,
        None => configured_address(&data.path)?,
    };
    let json = crate::runtime()?.block_on(fetch(url))?;
    // Read it, so that nothing but a trust file is ever written.
    let json = TrustFile::from_json(&json)?.to_json()?;
    match file {
        Some(file) => {
            fs::write(&file, json).map_err(|error| format!("{}: {error}", file.display()))?
        }
        None => print!("{json}"),
    }
    Ok(())
}

async fn fetch(gateway: GatewayAddress) -> Result<Vec<u8>, PersonError> {
    let http = web_client(None, gateway.secure_url(), Redirections::Refused)?;
    let address = format!("{}/api/trust", gateway.origin());
    let response = http.get(address).send().await?.error_for_status()?;
    body(response, MAX_TRUST_FILE_BYTES).await
}
