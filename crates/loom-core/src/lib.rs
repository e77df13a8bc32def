//! The spine of loomflow: what agents and workflows have in common, and nothing about either.
//!
//! Everything that happens in a run is an [`Effect`] and passes one door,
//! [`RunContext::perform`]. Contexts go down, outputs come up, events go sideways to observers and
//! never come back. There are three seats for what cuts across a run, and no fourth: observers
//! watch ([`Observer`]), gates decide ([`Gate`]), and wrappers wrap (a step that holds a step, see
//! [`step`]).
//!
//! This crate knows no model, message, graph, vendor, file or socket.
//!
//! ```
//! use loom_core::{Loom, Result, RunContext};
//! use loom_testing::Recorder;
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
mod tool_output;
mod tool_schema;

mod loom;
mod install;
mod session;
mod paused;
mod stream;
mod handle;
mod outcome;
mod usage;
mod limits;
mod scope;

mod context;
mod perform;
mod act;
mod ask;
mod span;
mod poll;
mod launch;
mod run;
mod drive;
mod keep;
mod control;
mod life;
mod tree;
mod path;
mod ledger;
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
mod run_error;
mod result_ext;
mod ids;
mod hex;
mod name;
mod trace;
mod clock;
mod timer;
mod testing;

pub use accepts::Accepts;
pub use admission::Shutdown;
pub use attributes::{AttrValue, Attributes, key};
pub use backpressure::Backpressure;
pub use blocking::{Blocking, StopFlag, ViaBlocking, ViaBlockingUntil, blocking};
pub use branch_set::BranchSet;
pub use branches::Branch;
pub use clock::{Clock, Ids, RandomIds, SystemClock};
pub use context::{EffectView, RunContext};
pub use data::{Data, Look};
pub use effect::{Effect, EffectKind};
pub use ending::{CancelReason, Ending};
pub use error::{BoxError, Error, ErrorKind, Result};
pub use event::{Closed, Event, EventKind, Note};
pub use gate::{Gate, Verdict};
pub use handle::Handle;
pub use ids::{RunId, SessionId, UserId};
pub use info::{Info, Kind, Link};
pub use install::Install;
pub use into_step::{IntoStep, ViaContextFn, ViaFn, ViaRunnable, step_fn};
pub use journal::{
    Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost, MemoryJournal,
    Page, Record, Released, Renewed, RunHead, RunQuery, RunStatus, SlotKey, SlotKind, Whose,
};
pub use limits::Limits;
pub use loom::{Loom, LoomBuilder};
pub use name::Name;
pub use observer::Observer;
pub use outcome::{Anchor, Outcome, Report, Settlement};
pub use owned_event::{Happened, OwnedEvent};
pub use paused::PausedRun;
pub use permissions::{Decision, Permissions, Rule};
pub use question::{Approval, Approver, Origin, Question, Resolution};
pub use result_ext::ResultExt;
pub use run::Run;
pub use run_error::{RunError, RunErrorKind};
pub use runnable::Runnable;
pub use safety::{IfUnfinished, Safety};
pub use scope::{AdminScope, Scope};
pub use session::Session;
pub use step::Step;
pub use stream::{RunStream, StreamItem};
pub use tool::Tool;
pub use tool_output::ToolOutput;
pub use trace::{SpanId, TraceId, TraceParent};
pub use usage::{Charged, ModelUsage, Tokens, Usage};
pub use wrap::{Map, OrElse, Retry, Timeout, Via, Wrapped, step};

/// A boxed future that may cross threads.
pub type BoxFuture<'a, T> = futures::future::BoxFuture<'a, T>;
