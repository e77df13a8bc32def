//! `ConsoleObserver`: a run as a tree of lines, while it happens.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use loom_core::{Attributes, Closed, Ending, Event, EventKind, Note, Observer, key};

use crate::answer::Answer;
use crate::printable::printable;

/// Writes a line for every span that opens, and one for every span that doesn't complete, is tried
/// again, or asks for or is given an answer.
///
/// For development. A line is indented by how deep its span is nested; lines of what runs at the
/// same time stand between one another, each of them whole. Questions are
/// shown by name. No ids and no content are shown.
///
/// ```
/// use std::io::Write;
/// use std::sync::{Arc, Mutex};
/// use loom_core::{Error, ErrorKind, Loom, Result, RunContext};
/// use loom_otel::ConsoleObserver;
///
/// # #[derive(Clone, Default)]
/// # struct Screen(Arc<Mutex<Vec<u8>>>);
/// # impl Write for Screen {
/// #     fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
/// #         self.0.lock().unwrap().write(bytes)
/// #     }
/// #     fn flush(&mut self) -> std::io::Result<()> { Ok(()) }
/// # }
/// async fn check(_: u64) -> Result<u64> {
///     Err(Error::new(ErrorKind::Invalid, "the amount is negative"))
/// }
///
/// async fn refund(cx: RunContext, amount: u64) -> Result<u64> {
///     Ok(cx.step("check", &check, amount).await.unwrap_or(0))
/// }
///
/// # futures::executor::block_on(async {
/// let screen = Screen::default();
/// let loom = Loom::builder().observe(ConsoleObserver::new(screen.clone())).build();
/// loom.session("alice").run(&refund, 5u64).await?;
/// assert_eq!(
///     String::from_utf8_lossy(&screen.0.lock().unwrap()),
///     "loom.workflow.run refund
///   loom.workflow.step check
///   loom.workflow.step check ✗ failed: invalid
/// ",
/// );
/// # Ok::<(), loom_core::Error>(())
/// # }).unwrap();
/// ```
pub struct ConsoleObserver {
    writer: Mutex<Box<dyn Write + Send>>,
}

impl ConsoleObserver {
    /// An observer that writes to the standard error stream.
    ///
    /// ```
    /// use loom_core::Loom;
    /// use loom_otel::ConsoleObserver;
    ///
    /// let loom = Loom::builder().observe(ConsoleObserver::stderr()).build();
    /// # let _ = loom;
    /// ```
    pub fn stderr() -> Self {
        Self::new(std::io::stderr())
    }

    /// An observer that writes to this writer, one whole line at a time.
    ///
    /// ```
    /// use loom_otel::ConsoleObserver;
    ///
    /// let observer = ConsoleObserver::new(std::io::sink());
    /// # let _ = observer;
    /// ```
    pub fn new(writer: impl Write + Send + 'static) -> Self {
        Self {
            writer: Mutex::new(Box::new(writer)),
        }
    }

    fn write_line(&self, event: &Event<'_>, end: &str) {
        let indent = "  ".repeat(event.cx.level());
        let text = printable(&format!("{}{end}", event.effect()));
        let line = format!("{indent}{text}\n");
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A terminal that went away is no reason to disturb a run.
        let _ = writer
            .write_all(line.as_bytes())
            .and_then(|()| writer.flush());
    }
}

impl Observer for ConsoleObserver {
    fn name(&self) -> &str {
        "console"
    }

    fn on_event(&self, event: &Event<'_>) {
        if let Some(end) = told(event) {
            self.write_line(event, &end);
        }
    }
}

/// How the event's line goes on after the effect's name; `None` for an event without a line.
fn told(event: &Event<'_>) -> Option<String> {
    match &event.kind {
        EventKind::Opened { .. } if event.cx.is_replayed() => Some(" ↻ replayed".to_owned()),
        EventKind::Opened { .. } => Some(String::new()),
        EventKind::Noted {
            note: Note::Retry { attempt },
            attributes,
        } => Some(retry(*attempt, attributes)),
        EventKind::Asked { question } => Some(format!(" ? asked: {}", question.name)),
        EventKind::Answered {
            question, refused, ..
        } => {
            let answer = Answer::of(question, *refused).as_str();
            Some(format!(" ? {answer}: {}", question.name))
        }
        EventKind::Closed(closed) => mark(closed),
        _ => None,
    }
}

/// ` ↻ attempt 2 in 120 ms: upstream`
fn retry(attempt: u32, facts: &Attributes) -> String {
    let wait_ms = facts.int(key::WAIT_MS).unwrap_or_default();
    let kind = facts.text(key::ERROR_KIND).unwrap_or_default();
    format!(" ↻ attempt {attempt} in {wait_ms} ms: {kind}")
}

/// ` ✗ failed: upstream`; the error's kind only where it says more than the ending.
fn mark(closed: &Closed<'_>) -> Option<String> {
    let kind = closed.error.map(|error| error.kind().as_str());
    match (closed.ending, kind) {
        (Ending::Completed, _) => None,
        // It goes on when it is resumed.
        (Ending::Paused, _) => Some(" … paused".to_owned()),
        (ending, Some(kind)) if kind != ending.as_str() => Some(format!(" ✗ {ending}: {kind}")),
        (ending, _) => Some(format!(" ✗ {ending}")),
    }
}
