//! `Tree`: what all effects of one root run share.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::budget::{Budget, Used};
use crate::clock;
use crate::context::RunContext;
use crate::effect::{Effect, EffectKind};
use crate::event::Event;
use crate::handle::Cancel;
use crate::ids::{RunId, SessionId, UserId};
use crate::journal::RunJournal;
use crate::limits::Limits;
use crate::loom::Parts;
use crate::name::Name;
use crate::scope::Scope;
use crate::stream::EventQueue;
use crate::trace::{SpanId, TraceId, TraceParent};
use crate::usage::{Tally, Tokens, Usage};

pub(crate) struct Tree {
    pub(crate) parts: Arc<Parts>,
    pub(crate) user: Option<UserId>,
    pub(crate) session: SessionId,
    pub(crate) session_given: bool,
    pub(crate) root_id: RunId,
    pub(crate) trace_id: TraceId,
    pub(crate) caller: Option<TraceParent>,
    pub(crate) cancel: Arc<Cancel>,
    pub(crate) deadline: Option<tokio::time::Instant>,
    pub(crate) budget: Arc<Budget>,
    pub(crate) journal: Option<Box<RunJournal>>,
    /// Where the run's stream, if it has one, takes its events from.
    queue: Option<Arc<EventQueue>>,
    /// Whether an earlier attempt is gone on with, and its root span.
    pub(crate) resumed: bool,
    pub(crate) continues: Option<SpanId>,
    span_seed: u64,
    spans: AtomicU64,
    over: AtomicBool,
    /// Whether observers were told anything of the root.
    told: AtomicBool,
    latest_ns: AtomicU64,
    progress: Mutex<Progress>,
}

#[derive(Default)]
struct Progress {
    /// The root span's context, from its opening until it has settled.
    root: Option<RunContext>,
    tally: Tally,
    paused: Paused,
}

/// What paused is counted until the run itself pauses: a loop that handles pauses is bounded.
#[derive(Default)]
struct Paused {
    openings: u64,
    /// Those whose body paused; without what went in, which may be large.
    calls: Vec<(EffectKind, Name)>,
}

/// Who and what a new tree is for.
pub(crate) struct Origin {
    pub(crate) scope: Scope,
    pub(crate) session_given: bool,
    pub(crate) caller: Option<TraceParent>,
    pub(crate) deadline: Option<tokio::time::Instant>,
    pub(crate) limits: Limits,
    pub(crate) queue: Option<Arc<EventQueue>>,
    pub(crate) journal: Option<Box<RunJournal>>,
    pub(crate) span_seed: u64,
    pub(crate) carried: Carried,
}

/// What a resumed run takes over from its earlier attempts.
#[derive(Default)]
pub(crate) struct Carried {
    pub(crate) trace: Option<TraceId>,
    pub(crate) root_span: Option<SpanId>,
    pub(crate) used: Used,
    pub(crate) tally: Tally,
    pub(crate) resumed: bool,
}

impl Tree {
    pub(crate) fn new(
        parts: &Arc<Parts>,
        root_id: RunId,
        cancel: Arc<Cancel>,
        origin: Origin,
    ) -> Arc<Self> {
        let trace_id = origin
            .carried
            .trace
            .or(origin.caller.map(|caller| caller.trace_id));
        let (user, session) = origin.scope.into_parts();
        Arc::new(Self {
            parts: parts.clone(),
            trace_id: trace_id.unwrap_or_else(|| parts.ids.trace_id()),
            caller: origin.caller,
            user,
            session,
            session_given: origin.session_given,
            root_id,
            cancel,
            deadline: origin.deadline,
            budget: Budget::new(origin.limits, origin.carried.used),
            journal: origin.journal,
            queue: origin.queue,
            resumed: origin.carried.resumed,
            continues: origin.carried.root_span,
            span_seed: origin.span_seed,
            spans: AtomicU64::new(0),
            over: AtomicBool::new(false),
            told: AtomicBool::new(false),
            latest_ns: AtomicU64::new(0),
            progress: Mutex::new(Progress {
                tally: origin.carried.tally,
                ..Progress::default()
            }),
        })
    }

    pub(crate) fn next_number(&self) -> u64 {
        self.spans.fetch_add(1, Ordering::Relaxed)
    }

    pub(crate) fn span_id(&self, number: u64) -> SpanId {
        SpanId::nth(self.span_seed, number)
    }

    /// The clock's time, but never before the time of an earlier event.
    pub(crate) fn now(&self) -> SystemTime {
        let read = clock::read(&*self.parts.clock).and_then(|now| Some((now, nanos(now)?)));
        let now_ns = read.map_or(0, |(_, ns)| ns);
        let latest_ns = self.latest_ns.fetch_max(now_ns, Ordering::Relaxed);
        match read {
            Some((now, _)) if latest_ns <= now_ns && now_ns < u64::MAX => now,
            _ => SystemTime::UNIX_EPOCH + Duration::from_nanos(latest_ns.max(now_ns)),
        }
    }

    pub(crate) fn is_watched(&self) -> bool {
        !self.parts.observers.is_empty() || self.queue.is_some()
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.parts.tell(|observer| observer.on_event(event));
        if let Some(queue) = &self.queue {
            queue.push(event);
        }
    }

    /// Wakes whoever reads the run's stream, if there is something new for it. To wake may mean to
    /// poll, on this very thread: never under a lock.
    pub(crate) fn wake_reader(&self) {
        if let Some(queue) = &self.queue {
            queue.wake_reader();
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.progress().tally.clone()
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Takes the root span's context; false when there is one already.
    pub(crate) fn set_root(&self, cx: &RunContext) -> bool {
        let mut progress = self.progress();
        let first = progress.root.is_none() && !self.is_over();
        if first {
            progress.root = Some(cx.clone());
        }
        first
    }

    pub(crate) fn set_told(&self) {
        self.told.store(true, Ordering::Release);
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    /// Gives the root span's context back, which breaks the cycle between it and this tree; and
    /// what the run consumed.
    pub(crate) fn finish(&self) -> (Option<RunContext>, Usage) {
        let mut progress = self.progress();
        (progress.root.take(), progress.tally.usage())
    }

    pub(crate) fn count_tool_call(&self) {
        self.progress().tally.tool_call();
    }

    pub(crate) fn count_model_call(&self, model: &Name) {
        self.progress().tally.model_call(model);
    }

    pub(crate) fn spend(&self, model: &Name, tokens: Tokens) {
        self.progress().tally.spend(model, tokens);
    }

    /// Notes a call whose body paused.
    pub(crate) fn paused_call(&self, effect: &Effect) {
        if matches!(effect.kind(), EffectKind::Model | EffectKind::Tool) {
            let call = (effect.kind(), effect.name().clone());
            self.progress().paused.calls.push(call);
        }
    }

    /// Notes an effect that ended paused.
    pub(crate) fn paused_opening(&self) {
        self.progress().paused.openings += 1;
    }

    /// Takes back the counts of what paused, since the run did: all of it is opened, and its calls
    /// are made, when the run goes on.
    pub(crate) fn uncount_paused(&self) {
        let mut progress = self.progress();
        let paused = std::mem::take(&mut progress.paused);
        self.budget.uncount_openings(paused.openings);
        for (kind, name) in paused.calls {
            self.budget.uncount_call(kind);
            progress.tally.uncount_call(kind, &name);
        }
    }

    fn progress(&self) -> MutexGuard<'_, Progress> {
        unpoisoned(&self.progress)
    }
}

/// Nanoseconds since the epoch, as many as there may be; `None` before it.
fn nanos(time: SystemTime) -> Option<u64> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    let whole = since.as_secs().saturating_mul(1_000_000_000);
    Some(whole.saturating_add(since.subsec_nanos().into()))
}

/// Locks; nothing that is held here panics, and counts stay right even if it did.
pub(crate) fn unpoisoned<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
