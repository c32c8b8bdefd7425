//! A key file whose secrets are exported, or into which secrets are imported.

use hallway_client::Client;
use hallway_softkey::SoftKey;

use super::KeyCommandError;
use super::consent::ConsentArguments;
use super::pin::OpenArguments;

/// A key file that is opened to export or import secrets: its owner is asked, and gives the PIN.
#[derive(clap::Args, Debug)]
pub(super) struct ConsentedKey {
    #[command(flatten)]
    key: OpenArguments,
    #[command(flatten)]
    consent: ConsentArguments,
}

impl ConsentedKey {
    /// Opens the key, and asks for the PIN if one is set.
    pub(super) fn open(&self) -> Result<Client<SoftKey>, KeyCommandError> {
        let mut client = self.key.open_with(self.consent.choose()?)?;
        if client.info()?.option("clientPin") == Some(true) {
            client.passkeys(&mut self.key.pin()?)?;
        }
        Ok(client)
    }
}
