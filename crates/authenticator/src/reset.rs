//! authenticatorReset (CTAP 2.3, section 6.6).

use hallway_ctap::status::Status;

use crate::authenticator::Authenticator;
use crate::counter::Counter;
use crate::fingerprints::Fingerprints;
use crate::index::Index;
use crate::persistent_token::PersistentToken;
use crate::pin::Pin;
use crate::pin_protocol::KeyAgreement;
use crate::platform::{Change, Clock, Environment, Question, RecordKey, ResetTouch, Storage};
use crate::policy::Policy;
use crate::seed::Secrets;
use crate::uv_state::UvState;

impl<E: Environment> Authenticator<E> {
    /// Erases everything but the attestation and whether the key may be backed up: allowed shortly
    /// after power-up, with a touch.
    pub(crate) fn reset(&mut self) -> Result<(), Status> {
        let since = self
            .platform
            .clock
            .now_ms()
            .saturating_sub(self.powered_up_ms);
        if since > self.settings.reset_window_ms {
            return Err(Status::NotAllowed);
        }
        let touch = match self.policy.long_touch_for_reset {
            true => ResetTouch::Long,
            false => ResetTouch::Short,
        };
        self.touch(&Question::Reset { touch })?;
        let seed = self.platform.random::<32>()?;
        let persistent = PersistentToken::generate(&mut self.platform)?;
        let agreement = KeyAgreement::generate(&mut self.platform.randomness)?;
        // One batch: after a power cut the key is as before or new, never between. The counter
        // continues, so that a relying party never sees a value twice.
        let [token, state] = persistent.changes();
        self.platform.storage.commit(&[
            Change::KeepOnly(&[
                RecordKey::ATTESTATION,
                RecordKey::COUNTER,
                RecordKey::BACKUP,
            ]),
            Change::Put(RecordKey::SEED, &seed[..]),
            token,
            state,
        ])?;
        self.secrets = Secrets::expand(&seed);
        self.index = Index::default();
        self.pin = Pin::power_up(&self.platform.storage)?;
        self.counter = Counter::resume(&self.platform.storage)?;
        self.agreement = agreement;
        self.persistent = persistent;
        self.policy = Policy::default();
        self.fingerprints = Fingerprints::default();
        self.uv = UvState::FRESH;
        self.opened = None;
        self.token.stop();
        Ok(())
    }
}
