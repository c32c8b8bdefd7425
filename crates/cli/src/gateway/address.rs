//! The address of the gateway that a data folder is for.

use std::error::Error;
use std::path::Path;

use hallway_client::GatewayAddress;
use hallway_gateway::config::{Config, FILE};

/// The address of a gateway, from the configuration in its data folder.
///
/// # Errors
/// The folder has no configuration, or one that is not valid.
pub(crate) fn configured_address(data: &Path) -> Result<GatewayAddress, Box<dyn Error>> {
    let path = data.join(FILE);
    if !path.is_file() {
        return Err(format!(
            "{} does not exist: give --url, or --data with a gateway's folder",
            path.display()
        )
        .into());
    }
    let config = Config::load(data)?;
    Ok(config.origin(config.listen)?.as_str().parse()?)
}
