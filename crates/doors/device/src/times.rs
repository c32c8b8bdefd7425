//! The times that a device states about a transaction, judged by the gateway's clock.

use std::time::Duration;

use hallway_evidence::Timestamp;
use hallway_evidence::statement::device::Delivery;
use hallway_spine::http::problem::{Code, Problem};

use super::unattended::near;

const DAY_MS: u64 = 86_400_000;

/// The times that a transaction states, and the age of its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// When it was signed.
    pub(super) issued: Timestamp,
    /// When its bytes were taken.
    pub(super) taken: Timestamp,
    /// Whether the device sent it at once.
    pub(super) delivery: Delivery,
    /// When the credential that signed it was made.
    pub(super) made: Timestamp,
}

impl Times {
    /// Checks when the bytes were taken and when they were signed: a live transaction is of now, a
    /// queued one is neither of the future nor too old. Nothing is signed before the credential was
    /// made, nor before the bytes were taken. The clock of the device may be off by `skew`.
    ///
    /// # Errors
    /// 403 `clock-skew` for the future, `stale` for the past; either tells the gateway's time, with
    /// which the device signs again.
    pub(super) fn judge(
        &self,
        now: Timestamp,
        skew: Duration,
        queued_days: u64,
    ) -> Result<(), Problem> {
        for stated in [self.taken, self.issued] {
            if stated > now {
                near(now, stated, skew)?;
            }
        }
        let stale = |why: String| Err(Problem::new(Code::Stale, why).with("now_ms", now.as_ms()));
        for (done, stated) in [("taken", self.taken), ("signed", self.issued)] {
            let age = now.as_ms().saturating_sub(stated.as_ms());
            match self.delivery {
                Delivery::Live if u128::from(age) > skew.as_millis() => {
                    return stale(format!(
                        "{done} {stated}, which is no longer live; send it as queued"
                    ));
                }
                Delivery::Queued if age > queued_days.saturating_mul(DAY_MS) => {
                    return stale(format!("{done} {stated}, more than {queued_days} days ago"));
                }
                _ => {}
            }
        }
        if self.issued.plus(skew) < self.made {
            return stale(format!(
                "signed {}, before this credential was made, {}; sign it again",
                self.issued, self.made
            ));
        }
        if self.issued.plus(skew) < self.taken {
            return stale(format!(
                "signed {}, before its bytes were taken, {}; sign it again",
                self.issued, self.taken
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 100 * DAY_MS;
    const SKEW: u64 = 300_000;
    const DAYS: u64 = 30;

    fn judged(delivery: Delivery, taken: u64, issued: u64, made: u64) -> Result<(), &'static str> {
        let at = Timestamp::from_ms;
        let times = Times {
            issued: at(issued),
            taken: at(taken),
            delivery,
            made: at(made),
        };
        times
            .judge(at(NOW), Duration::from_millis(SKEW), DAYS)
            .map_err(|problem| problem.code.name())
    }

    #[test]
    fn both_times_are_judged_at_their_bounds() {
        use Delivery::{Live, Queued};
        let old = NOW - DAYS * DAY_MS;
        for (delivery, early) in [(Live, NOW - SKEW), (Queued, old)] {
            assert_eq!(judged(delivery, early, early, 0), Ok(()));
            assert_eq!(judged(delivery, NOW + SKEW, NOW + SKEW, 0), Ok(()));
            assert_eq!(judged(delivery, early - 1, NOW, 0), Err("stale"));
            assert_eq!(judged(delivery, early, early - 1, 0), Err("stale"));
            assert_eq!(judged(delivery, NOW + SKEW + 1, NOW, 0), Err("clock-skew"));
            assert_eq!(judged(delivery, NOW, NOW + SKEW + 1, 0), Err("clock-skew"));
        }
    }

    #[test]
    fn nothing_is_signed_before_its_key_or_its_bytes_are_there() {
        use Delivery::Queued;
        let made = NOW - DAY_MS;
        assert_eq!(judged(Queued, made, made - SKEW, made), Ok(()));
        assert_eq!(judged(Queued, 0, NOW, made), Err("stale"));
        assert_eq!(
            judged(Queued, made - 2 * SKEW, made - SKEW - 1, made),
            Err("stale")
        );
        assert_eq!(judged(Queued, NOW, NOW - SKEW - 1, made), Err("stale"));
        // What was taken before the device was enrolled may be sent afterwards.
        assert_eq!(judged(Queued, made - DAY_MS, NOW, made), Ok(()));
    }
}
