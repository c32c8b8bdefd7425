//! A key file whose secrets go out or come in.

use hallway_client::Client;
use hallway_softkey::SoftKey;

use super::KeyCommandError;
use super::consent::ConsentArguments;
use super::pin::OpenArguments;

/// A key file that is opened for what takes secrets out or brings some in: its owner is asked, and
/// shows the PIN.
#[derive(clap::Args, Debug)]
pub(super) struct ConsentedKey {
    #[command(flatten)]
    key: OpenArguments,
    #[command(flatten)]
    consent: ConsentArguments,
}

impl ConsentedKey {
    /// Opens the key, and has the PIN shown if one is set.
    pub(super) fn open(&self) -> Result<Client<SoftKey>, KeyCommandError> {
        let mut client = self.key.open_with(self.consent.choose()?)?;
        if client.info()?.option("clientPin") == Some(true) {
            client.passkeys(&mut self.key.pin()?)?;
        }
        Ok(client)
    }
}
