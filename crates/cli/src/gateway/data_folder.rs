//! The data folder of a gateway, as commands take it.

use std::path::PathBuf;

use clap::Args;

/// The argument that names the folder.
#[derive(Debug, Args)]
pub(crate) struct DataFolder {
    /// The gateway's data folder.
    #[arg(
        long = "data",
        value_name = "DIR",
        default_value = "hallway-data",
        env = "HALLWAY_DATA"
    )]
    pub(crate) path: PathBuf,
}
