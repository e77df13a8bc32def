//! `Tree`: what all effects of one attempt of a root run share.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::clock;
use crate::context::OpenQuestion;
use crate::control::Control;
use crate::ending::Ending;
use crate::event::Event;
use crate::ids::{RunId, SessionId, UserId};
use crate::journal::{RunJournal, SlotKind};
use crate::ledger::{Ledger, Spent};
use crate::limits::Limits;
use crate::loom::Parts;
use crate::question::Question;
use crate::scope::Scope;
use crate::stream::EventQueue;
use crate::trace::{SpanId, TraceId, TraceParent};

pub(crate) struct Tree {
    pub(crate) parts: Arc<Parts>,
    pub(crate) user: Option<UserId>,
    pub(crate) session: SessionId,
    pub(crate) session_given: bool,
    pub(crate) root_id: RunId,
    pub(crate) trace_id: TraceId,
    pub(crate) caller: Option<TraceParent>,
    pub(crate) control: Arc<Control>,
    pub(crate) deadline: Option<tokio::time::Instant>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) journal: Option<Arc<RunJournal>>,
    /// What is asked and not answered, the oldest first.
    pub(crate) questions: Mutex<Vec<OpenQuestion>>,
    /// Where the run's stream, if it has one, takes its events from.
    queue: Option<Arc<EventQueue>>,
    /// The number of this attempt where an earlier one is continued, and that one's root span.
    pub(crate) resumed: Option<u32>,
    pub(crate) continues: Option<SpanId>,
    span_seed: u64,
    spans: AtomicU64,
    over: AtomicBool,
    /// Whether all that was open has been reported as closed, and whether nobody waits for that.
    wound_up: AtomicU8,
    /// Whether observers were told anything of the root.
    told: AtomicBool,
    latest_ns: AtomicU64,
    /// How the root closed.
    ending: Mutex<Option<Ending>>,
}

/// Who and what a new tree is for.
pub(crate) struct Origin {
    pub(crate) scope: Scope,
    pub(crate) session_given: bool,
    pub(crate) caller: Option<TraceParent>,
    pub(crate) deadline: Option<tokio::time::Instant>,
    pub(crate) limits: Limits,
    pub(crate) queue: Option<Arc<EventQueue>>,
    pub(crate) journal: Option<Arc<RunJournal>>,
    pub(crate) span_seed: u64,
    pub(crate) carried: Carried,
}

/// What a resumed run takes over from its earlier attempts.
#[derive(Default)]
pub(crate) struct Carried {
    pub(crate) trace: Option<TraceId>,
    pub(crate) root_span: Option<SpanId>,
    pub(crate) spent: Spent,
    /// The number of the attempt that begins; the first isn't resumed.
    pub(crate) attempt: Option<u32>,
}

const WOUND_UP: u8 = 1;
const ABANDONED: u8 = 2;

impl Tree {
    pub(crate) fn new(
        parts: &Arc<Parts>,
        root_id: RunId,
        control: Arc<Control>,
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
            control,
            deadline: origin.deadline,
            ledger: Ledger::new(origin.limits, origin.carried.spent),
            journal: origin.journal,
            questions: Mutex::default(),
            queue: origin.queue,
            resumed: origin.carried.attempt,
            continues: origin.carried.root_span,
            span_seed: origin.span_seed,
            spans: AtomicU64::new(0),
            over: AtomicBool::new(false),
            wound_up: AtomicU8::new(0),
            told: AtomicBool::new(false),
            latest_ns: AtomicU64::new(0),
            ending: Mutex::new(None),
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

    /// The questions that are open, in the order in which they were asked.
    pub(crate) fn open_questions(&self) -> Vec<Question> {
        let open = unpoisoned(&self.questions);
        open.iter().map(|it| it.question.clone()).collect()
    }

    /// The paths of the questions that are open.
    pub(crate) fn open_paths(&self) -> Vec<String> {
        let open = unpoisoned(&self.questions);
        open.iter().map(|it| it.question.path.clone()).collect()
    }

    /// Forgets the questions whose answers were taken over.
    pub(crate) fn forget_answered(&self, journal: &RunJournal) {
        let mut open = unpoisoned(&self.questions);
        let is_answered =
            |it: &OpenQuestion| journal.get(SlotKind::Answer, &it.question.path).is_some();
        let (answered, left) = open.drain(..).partition(is_answered);
        let answered: Vec<OpenQuestion> = answered;
        *open = left;
        drop(open);
        drop(answered);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Says that all that was open has been reported as closed; true if the driver was dropped, so
    /// that the caller finishes the run.
    #[must_use]
    pub(crate) fn set_wound_up(&self) -> bool {
        let is_abandoned = self.wound_up.fetch_or(WOUND_UP, Ordering::SeqCst) & ABANDONED != 0;
        self.control.wake();
        is_abandoned
    }

    pub(crate) fn is_wound_up(&self) -> bool {
        self.wound_up.load(Ordering::SeqCst) & WOUND_UP != 0
    }

    /// Says that the driver was dropped; true if all was reported before, so that the caller
    /// finishes the run.
    #[must_use]
    pub(crate) fn abandon(&self) -> bool {
        self.wound_up.fetch_or(ABANDONED, Ordering::SeqCst) & WOUND_UP != 0
    }

    pub(crate) fn set_told(&self) {
        self.told.store(true, Ordering::Release);
    }

    pub(crate) fn is_told(&self) -> bool {
        self.told.load(Ordering::Acquire)
    }

    pub(crate) fn set_ending(&self, ending: Ending) {
        *unpoisoned(&self.ending) = Some(ending);
    }

    /// How the root closed, if one was opened.
    pub(crate) fn ending(&self) -> Option<Ending> {
        *unpoisoned(&self.ending)
    }

    /// Lets go of what refers back to this tree.
    pub(crate) fn forget_questions(&self) {
        let open = std::mem::take(&mut *unpoisoned(&self.questions));
        drop(open);
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
