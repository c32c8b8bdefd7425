//! How far the sweep of payloads has come, and whose turn it is.

use core::str;
use std::time::Duration;

use hallway_evidence::Timestamp;
use hallway_spine::store::column::Cell;
use hallway_spine::store::{StoreError, Unit};

use super::object_name::Day;

/// The setting with the last day that was swept.
const SWEPT: &str = "payloads_swept";
/// The setting with the end of the turn, milliseconds since 1970.
const TURN: &str = "payload_sweep_turn";
/// The column that both are in.
const VALUE: Cell = Cell("setting", "value");

/// The state of the sweep of payloads.
#[derive(Clone, Copy, Debug)]
pub struct PayloadSweepRows<'u>(pub(super) &'u Unit<'u>);

impl PayloadSweepRows<'_> {
    /// The last day that was swept.
    pub async fn swept(&self) -> Result<Option<Day>, StoreError> {
        let Some(value) = self.0.settings().get(SWEPT).await? else {
            return Ok(None);
        };
        let day = str::from_utf8(&value).map_err(|_| VALUE.corrupt())?;
        VALUE.word(day).map(Some)
    }

    /// Notes that this day and all before it were swept.
    pub async fn note_swept(&self, day: &Day) -> Result<(), StoreError> {
        let day = day.to_string();
        self.0.settings().put(SWEPT, day.as_bytes()).await
    }

    /// Takes the turn for as long as `turn` lasts; false while it is another gateway's.
    pub async fn take_turn(&self, now: Timestamp, turn: Duration) -> Result<bool, StoreError> {
        // Units run one after another, so of two gateways one finds that it is not its turn.
        let settings = self.0.settings();
        if let Some(value) = settings.get(TURN).await? {
            let value = value.as_slice().try_into().map_err(|_| VALUE.corrupt())?;
            let ends = Timestamp::from_ms(u64::from_be_bytes(value));
            // A turn that ends later than one can was taken by a clock that was ahead.
            if now < ends && ends <= now.plus(turn) {
                return Ok(false);
            }
        }
        let ends = now.plus(turn).as_ms();
        settings.put(TURN, &ends.to_be_bytes()).await?;
        Ok(true)
    }
}
