//! Time and identifiers that repeat themselves.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use loom_core::{Clock, Ids, RandomIds, TraceId};
use uuid::Uuid;

/// When scripted time begins: 2026-01-01T00:00:00Z, an arbitrary start.
const START: Duration = Duration::from_secs(1_767_225_600);

/// A clock for tests: every reading is one millisecond after the one before.
///
/// ```
/// use loom_core::Clock;
/// use loom_testing::TickingClock;
///
/// let clock = TickingClock::default();
/// assert_eq!(clock.now().elapsed().is_ok(), true);
/// assert!(clock.now() < clock.now());
/// ```
#[derive(Debug, Default)]
pub struct TickingClock(AtomicU64);

impl Clock for TickingClock {
    fn now(&self) -> SystemTime {
        let ticks = self.0.fetch_add(1, Ordering::Relaxed);
        SystemTime::UNIX_EPOCH + START + Duration::from_millis(ticks)
    }
}

/// A clock that follows Tokio's, so that events carry the time of a test in which time is paused.
///
/// It begins at 2026-01-01T00:00:00Z when it is made, which needs a Tokio runtime.
///
/// ```
/// use std::time::Duration;
/// use loom_core::Clock;
/// use loom_testing::TokioClock;
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
/// let clock = TokioClock::start();
/// let before = clock.now();
/// tokio::time::sleep(Duration::from_secs(3600)).await;
/// assert_eq!(clock.now().duration_since(before).unwrap().as_secs(), 3600);
/// # });
/// ```
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    started: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that starts now.
    pub fn start() -> Self {
        Self {
            started: tokio::time::Instant::now(),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + START + self.started.elapsed()
    }
}

/// Identifiers that count up from one, for tests and for examples with fixed output.
#[derive(Debug, Default)]
pub struct CountingIds(AtomicU64);

impl CountingIds {
    fn next(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed) + 1
    }
}

impl Ids for CountingIds {
    fn uuid(&self, now: SystemTime) -> Uuid {
        let since = now
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let millis = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let mut count = [0; 10];
        count[2..].copy_from_slice(&self.next().to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(millis, &count).into_uuid()
    }

    fn trace_id(&self) -> TraceId {
        // Counts from one, so it is never the zero that W3C forbids.
        TraceId::new(u128::from(self.next())).unwrap_or_else(|| RandomIds.trace_id())
    }

    fn span_seed(&self) -> u64 {
        self.next()
    }
}
