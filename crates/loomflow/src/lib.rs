//! Agents and workflows that compose both ways, under one user, one trace and one audit log.
//!
//! The [guide] shows every shape of workflow, in programs that are compiled.
//!
//! Everything of the core and of workflows stands at the root of this crate. Features add to it
//! and change nothing that runs:
//!
//! | feature | adds |
//! |---|---|
//! | `agents` | agents, models for tests, prompts and messages |
//! | `audit` | the signed audit log, in `audit` |
//! | `otel` | OpenTelemetry spans and the console tree, in `otel` |
//! | `svg` | drawings as SVG images |
//! | `full` | all of these |
//!
//! None is on by default.
#![cfg_attr(feature = "full", doc = "")]
#![cfg_attr(feature = "full", doc = include_str!("../../../README.md"))]

pub mod guide;

#[cfg(feature = "agents")]
pub use loom_agent::{
    Agent, AgentBuilder, EchoModel, FnModel, Message, Model, Part, Prompt, Reply, Request,
    ScriptedModel, ToolCall, ToolResult, ToolSpec,
};
#[cfg(feature = "audit")]
pub use loom_audit as audit;
pub use loom_core::{
    Accepts, AdminScope, Anchor, Approval, Approver, AttrValue, Attributes, Backpressure, Blocking,
    BoxError, BoxFuture, Branch, BranchSet, CancelReason, Charged, Clock, Closed, Data, Decision,
    Effect, EffectKind, EffectView, Ending, Error, ErrorKind, Event, EventKind, Gate, Handle,
    Happened, Ids, IfUnfinished, Info, Install, IntoStep, Journal, Kind, Limits, Link, Look, Loom,
    LoomBuilder, Map, MemoryJournal, ModelUsage, Name, Note, Observer, OrElse, Origin, Outcome,
    OwnedEvent, PausedRun, Permissions, Question, RandomIds, Report, Resolution, Result, ResultExt,
    Retry, Rule, Run, RunContext, RunError, RunErrorKind, RunId, RunStream, Runnable, Safety,
    Scope, Session, SessionId, Settlement, Shutdown, SpanId, Step, StopFlag, StreamItem,
    SystemClock, Timeout, Tokens, Tool, ToolOutput, TraceId, TraceParent, Usage, UserId, Verdict,
    Via, ViaBlocking, ViaBlockingUntil, ViaContextFn, ViaFn, ViaRunnable, Wrapped, blocking, key,
    step, step_fn,
};
#[cfg(feature = "otel")]
pub use loom_otel as otel;
pub use loom_testing::{CountingIds, RecordedSpan, Recorder, SpanTree, TickingClock, TokioClock};
pub use loom_workflow::{
    Branches, Chain, Dag, Delivered, Deliveries, Drawing, END, EdgeSpec, Graph, GraphOutput,
    GraphSpec, Handles, Joined, NodeSpec, Progress, Route, START, Settle, Settled, Settling, Steps,
    Var, Workflow, branch,
};

/// What a store of runs is made of: for those who write a [`Journal`] of their own, list runs or
/// remove them.
pub mod journal {
    pub use loom_core::{
        Answered, Batch, Claimed, Forget, FoundRun, Journal, JournalRun, Lease, Lost,
        MemoryJournal, Page, Record, Released, Renewed, RunHead, RunQuery, RunStatus, SlotKey,
        SlotKind, Whose,
    };
    pub use loom_testing::{check_journal, check_lapsing_leases};
}

/// What most programs need: `use loomflow::prelude::*;`.
pub mod prelude {
    #[cfg(feature = "agents")]
    pub use crate::{Agent, Prompt};
    pub use crate::{
        Error, ErrorKind, Loom, Outcome, Result, ResultExt, RunContext, RunError, Runnable, Tool,
        Workflow, step,
    };
}
