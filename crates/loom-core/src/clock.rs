//! Time and identifiers, injected so that a run can be made to repeat itself to the byte.

use std::time::SystemTime;

use uuid::Uuid;

use crate::poll::caught_now;
use crate::trace::TraceId;

/// Returns the time that events carry.
///
/// Within one run times never go back, whatever the clock does: each event takes the later of
/// the clock's time and the last event's. A clock that panics stands still: the last event's time
/// is taken again.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use loom_core::{Clock, Loom};
///
/// struct Noon;
/// impl Clock for Noon {
///     fn now(&self) -> SystemTime {
///         SystemTime::UNIX_EPOCH + Duration::from_secs(12 * 3600)
///     }
/// }
/// let loom = Loom::builder().clock(Noon).build();
/// # let _ = loom;
/// ```
pub trait Clock: Send + Sync + 'static {
    /// The present time.
    fn now(&self) -> SystemTime;
}

/// The present time; `None` if the clock panics, which is no reason to lose what happens now.
pub(crate) fn read(clock: &dyn Clock) -> Option<SystemTime> {
    caught_now(|| clock.now()).ok()
}

/// The present time, for an identifier; the epoch if the clock panics.
pub(crate) fn read_for_id(clock: &dyn Clock) -> SystemTime {
    read(clock).unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The machine's clock: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> SystemTime {
        SystemTime::now()
    }
}

/// Makes the identifiers of root runs, fresh sessions and their traces.
///
/// ```
/// use loom_core::Loom;
/// use loom_testing::CountingIds;
///
/// // Runs under this loom carry the same ids every time the program runs.
/// let loom = Loom::builder().ids(CountingIds::default()).build();
/// # let _ = loom;
/// ```
pub trait Ids: Send + Sync + 'static {
    /// A new root run's or session's id, a UUIDv7 for `now`.
    fn uuid(&self, now: SystemTime) -> Uuid;
    /// A new trace's id, for a run that continues no trace.
    fn trace_id(&self) -> TraceId;
    /// A new run's seed, from which the ids of its spans are computed.
    fn span_seed(&self) -> u64;
}

/// Identifiers from the operating system's random numbers: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    fn uuid(&self, now: SystemTime) -> Uuid {
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        // A v4 is random where a v7 is.
        let [.., a, b, c, d, e, f, g, h, i, j] = Uuid::new_v4().into_bytes();
        let random = [a, b, c, d, e, f, g, h, i, j];
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    fn trace_id(&self) -> TraceId {
        loop {
            // The last seven bytes of a v4 are all random, as W3C's `random` flag asks.
            if let Some(id) = TraceId::new(Uuid::new_v4().as_u128()) {
                return id;
            }
        }
    }

    fn span_seed(&self) -> u64 {
        // The fixed bits of a v4 are spread by the function that makes span ids of it.
        let (high, low) = Uuid::new_v4().as_u64_pair();
        high.rotate_left(32) ^ low
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_random_id_is_a_uuid_of_version_7_that_says_its_millisecond() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(1_767_225_600_123);
        let ids = [RandomIds.uuid(now), RandomIds.uuid(now)];
        for id in ids {
            assert_eq!(id.get_version(), Some(uuid::Version::SortRand));
            assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
            assert_eq!(id.as_u128() >> 80, 1_767_225_600_123);
        }
        assert_ne!(ids[0], ids[1]);
        let before_the_epoch = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(RandomIds.uuid(before_the_epoch).as_u128() >> 80, 0);
    }
}
