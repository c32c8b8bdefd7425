//! `hallway key config`.

use clap::Subcommand;
use hallway_ctap::command::config::PinPolicy;

use super::KeyCommandError;
use super::pin::OpenArguments;

/// Arguments of `hallway key config`.
#[derive(clap::Args, Debug)]
pub(super) struct Config {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand, Debug)]
enum Action {
    /// Always ask for the PIN, or stop that.
    AlwaysUv {
        #[command(flatten)]
        key: OpenArguments,
        /// Whether to ask always.
        #[arg(long, value_enum)]
        wanted: Switch,
    },
    /// Make the PIN policy stricter; only a reset makes it looser again.
    PinPolicy {
        #[command(flatten)]
        key: OpenArguments,
        /// The shortest PIN, in characters.
        #[arg(long)]
        min_length: Option<u8>,
        /// Refuse PINs of one repeated character, and runs such as 1234.
        #[arg(long)]
        complex: bool,
        /// Require that the PIN be changed before it is used again.
        #[arg(long)]
        force_change: bool,
        /// A relying party that may learn of the policy; may be given several times.
        #[arg(long = "tell", value_name = "RP_ID", value_parser = crate::relying_party_id)]
        rp_ids: Vec<String>,
    },
    /// Require, for good, that a reset be confirmed in full.
    LongTouchForReset(OpenArguments),
    /// Allow, for good, attestation that names this very key.
    EnterpriseAttestation(OpenArguments),
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    On,
    Off,
}

impl Config {
    pub(super) fn run(&self) -> Result<(), KeyCommandError> {
        match &self.action {
            Action::AlwaysUv { key, wanted } => {
                let mut client = key.open()?;
                let is_on = client.info()?.option("alwaysUv") == Some(true);
                if is_on != (*wanted == Switch::On) {
                    client.toggle_always_uv(&mut key.pin()?)?;
                }
            }
            Action::PinPolicy {
                key,
                min_length,
                complex,
                force_change,
                rp_ids,
            } => {
                let rp_ids: Vec<&str> = rp_ids.iter().map(String::as_str).collect();
                let policy = PinPolicy {
                    new_min_pin_length: min_length.map(u64::from),
                    rp_ids: (!rp_ids.is_empty()).then_some(rp_ids),
                    force_change_pin: force_change.then_some(true),
                    pin_complexity_policy: complex.then_some(true),
                };
                key.open()?.set_pin_policy(policy, &mut key.pin()?)?;
            }
            Action::LongTouchForReset(key) => {
                key.open()?.enable_long_touch_for_reset(&mut key.pin()?)?;
            }
            Action::EnterpriseAttestation(key) => {
                key.open()?.enable_enterprise_attestation(&mut key.pin()?)?;
            }
        }
        eprintln!("Done.");
        Ok(())
    }
}
