//! The spine of loomflow: what agents and workflows have in common, and nothing about either.
//!
//! Everything that happens in a run is an [`Effect`] and passes one door,
//! [`RunContext::perform`]. Contexts go down, outputs come up, events go sideways to observers and
//! never come back. There are three seats for what cuts across a run, and no fourth: those who
//! watch ([`Observer`]), those who decide ([`Gate`]), and those who wrap (a step that holds a
//! step, see [`step`]).
//!
//! This crate knows no model, message, graph, vendor, file or socket.
//!
//! ```
//! use loom_core::{Loom, Recorder, Result, RunContext};
//!
//! async fn load(id: u64) -> Result<String> {
//!     Ok(format!("ticket {id}"))
//! }
//!
//! async fn handle(cx: RunContext, id: u64) -> Result<String> {
//!     let ticket = cx.step("load", &load, id).await?;
//!     Ok(ticket.to_uppercase())
//! }
//!
//! # futures::executor::block_on(async {
//! let recorder = Recorder::default();
//! let loom = Loom::builder().observe(recorder.clone()).build();
//! let outcome = loom.session("alice").run(&handle, 7u64).await?;
//! assert_eq!(outcome.output, "TICKET 7");
//! assert_eq!(recorder.tree().lines(), ["loom.workflow.run handle", "  loom.workflow.step load"]);
//! # Ok::<(), loom_core::Error>(())
//! # }).unwrap();
//! ```

mod runnable;
mod info;
mod definition;
mod into_step;
mod accepts;
mod data;
mod step;
mod wrap;
mod blocking;
mod branches;
mod branch_set;
mod tool;
mod tool_schema;

mod loom;
mod session;
mod paused;
mod stream;
mod handle;
mod outcome;
mod usage;
mod limits;
mod scope;

mod context;
mod act;
mod door;
mod span;
mod poll;
mod launch;
mod life;
mod drive;
mod tree;
mod path;
mod budget;
mod admission;
mod journal;

mod effect;
mod safety;
mod attributes;
mod event;
mod owned_event;
mod ending;
mod observer;
mod gate;
mod permissions;
mod question;
mod backpressure;

mod error;
mod result_ext;
mod ids;
mod hex;
mod name;
mod trace;
mod clock;
mod recorder;
mod testing;

pub use accepts::Accepts;
pub use admission::Shutdown;
pub use attributes::{AttrValue, Attributes, key};
pub use backpressure::Backpressure;
pub use blocking::{Blocking, BlockingUntil, StopFlag, ViaBlocking, blocking, blocking_until};
pub use branch_set::BranchSet;
pub use branches::Branch;
pub use clock::{Clock, CountingIds, Ids, RandomIds, SystemClock, TickingClock};
pub use context::{RunContext, Whereabouts};
pub use data::{Data, Look};
pub use effect::{Effect, EffectKind};
pub use ending::{CancelReason, Ending};
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{Closed, Event, EventKind, Note};
pub use gate::{Gate, Verdict};
pub use handle::Handle;
pub use ids::{RunId, SessionId, UserId};
pub use info::{Info, Kind, Link};
pub use into_step::{IntoStep, ViaContextFn, ViaFn, ViaRunnable, step_fn};
pub use journal::{Journal, JournalRun, Lease, MemoryJournal, Slot};
pub use limits::Limits;
pub use loom::{Install, Loom, LoomBuilder};
pub use name::Name;
pub use observer::Observer;
pub use outcome::{Anchor, Outcome, Report, Settlement};
pub use owned_event::{Happened, OwnedEvent};
pub use paused::PausedRun;
pub use permissions::{Decision, Permissions, Rule};
pub use question::{Approval, Approver, Question};
pub use recorder::{RecordedSpan, Recorder, SpanTree};
pub use result_ext::ResultExt;
pub use runnable::Runnable;
pub use safety::Safety;
pub use scope::{AdminScope, Scope};
pub use session::{Running, Session};
pub use step::Step;
pub use stream::{RunStream, StreamItem};
pub use testing::TokioClock;
pub use tool::{Tool, ToolOutput};
pub use trace::{SpanId, TraceId, TraceParent};
pub use usage::{ModelUsage, Tokens, Usage};
pub use wrap::{Map, Named, Once, OrElse, Retry, Timeout, Via, Wrapped, step};

/// A boxed future that may cross threads.
pub type BoxFuture<'a, T> = futures::future::BoxFuture<'a, T>;
