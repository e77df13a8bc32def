//! What tests of loomflow programs and stores need, and no production run does.
//!
//! - [`Recorder`] remembers every event of a run, and shows them as spans or as a tree to compare.
//! - [`TickingClock`], [`TokioClock`] and [`CountingIds`] make a run repeat itself to the byte.
//! - [`check_journal`] and [`check_lapsing_leases`] check a [`Journal`](loom_core::Journal) of your
//!   own against everything the trait promises.
//!
//! To call a single step in a test, take the context of
//! [`RunContext::test`](loom_core::RunContext::test). Models for tests are part of loom-agent, and
//! [`MemoryJournal`](loom_core::MemoryJournal) is part of loom-core: programs use both.
//!
//! ```
//! use loom_core::{Loom, Result, RunContext};
//! use loom_testing::{CountingIds, Recorder, TickingClock};
//!
//! async fn load(id: u64) -> Result<String> {
//!     Ok(format!("ticket {id}"))
//! }
//!
//! async fn handle(cx: RunContext, id: u64) -> Result<String> {
//!     cx.step("load", &load, id).await
//! }
//!
//! # futures::executor::block_on(async {
//! let recorder = Recorder::default();
//! let loom = Loom::builder()
//!     .observe(recorder.clone())
//!     .clock(TickingClock::default())
//!     .ids(CountingIds::default())
//!     .build();
//! loom.session("alice").run(&handle, 7u64).await?;
//! assert_eq!(recorder.tree().lines(), ["loom.workflow.run handle", "  loom.workflow.step load"]);
//! # Ok::<(), loom_core::Error>(())
//! # }).unwrap();
//! ```

mod recorder;
mod clock;
mod conformance;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::{CountingIds, TickingClock, TokioClock};
pub use conformance::{check_journal, check_lapsing_leases};
pub use recorder::{RecordedSpan, Recorder, SpanTree};

/// What a mutex holds, also if a thread panicked while it held the lock.
fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
