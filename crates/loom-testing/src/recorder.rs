//! `Recorder`: an observer that remembers, for tests.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use loom_core::{
    Attributes, EffectKind, Ending, Event, Happened, Name, Observer, OwnedEvent, RunId, SessionId,
    SpanId, TraceId, UserId,
};
use serde_json::Value;

use crate::unpoisoned;

/// Remembers every event, and shows them as spans and as a tree. Clones share one memory.
///
/// ```
/// use loom_core::{Error, ErrorKind, Loom, Result};
/// use loom_testing::Recorder;
///
/// async fn validate(_: String) -> Result<String> {
///     Err(Error::new(ErrorKind::Failed, "no invoice"))
/// }
///
/// # futures::executor::block_on(async {
/// let recorder = Recorder::default();
/// let loom = Loom::builder().observe(recorder.clone()).build();
/// loom.session("alice").run(&validate, "refund").await.unwrap_err();
/// assert_eq!(recorder.tree().lines(), ["loom.workflow.run validate ✗ failed"]);
/// # });
/// ```
#[derive(Clone, Default)]
pub struct Recorder(Arc<Mutex<Vec<OwnedEvent>>>);

impl Observer for Recorder {
    fn on_event(&self, event: &Event<'_>) {
        let event = OwnedEvent::of(event);
        unpoisoned(&self.0).push(event);
    }
}

impl Recorder {
    /// All events so far, in the order they happened.
    pub fn events(&self) -> Vec<OwnedEvent> {
        unpoisoned(&self.0).clone()
    }

    /// All spans so far, in the order they were opened.
    pub fn spans(&self) -> Vec<RecordedSpan> {
        let mut spans: Vec<RecordedSpan> = Vec::new();
        for event in unpoisoned(&self.0).iter() {
            if let Happened::Opened { input, attributes } = &event.what {
                spans.push(RecordedSpan::opened(
                    event,
                    input.clone(),
                    attributes.clone(),
                ));
            } else if let Some(span) = spans
                .iter_mut()
                .rfind(|it| it.span == event.span && it.trace == event.trace)
            {
                span.add(event);
            }
        }
        spans
    }

    /// The spans as a tree, children in the order they were opened.
    pub fn tree(&self) -> SpanTree {
        SpanTree::of(&self.spans())
    }

    /// Forgets everything so far.
    pub fn clear(&self) {
        unpoisoned(&self.0).clear();
    }
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recorder({} events)", unpoisoned(&self.0).len())
    }
}

/// A span that a [`Recorder`] saw.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct RecordedSpan {
    /// What sort of effect it is of.
    pub effect: EffectKind,
    /// The effect's name.
    pub name: Name,
    /// Where the effect stands in the run.
    pub path: String,
    /// Whose partition; `None` for an anonymous run.
    pub user: Option<UserId>,
    /// The session.
    pub session: SessionId,
    /// The nearest enclosing run.
    pub run: RunId,
    /// The run that encloses `run`.
    pub parent_run: Option<RunId>,
    /// The trace.
    pub trace: TraceId,
    /// The span.
    pub span: SpanId,
    /// The span it is nested in.
    pub parent_span: Option<SpanId>,
    /// When it was opened.
    pub opened: SystemTime,
    /// When it was closed.
    pub closed: Option<SystemTime>,
    /// How it ended; `None` while it is open.
    pub ending: Option<Ending>,
    /// What went in, where it crossed an edge.
    pub input: Option<Value>,
    /// What it returned.
    pub output: Option<Value>,
    /// The error's message.
    pub error: Option<String>,
    /// What it was opened and closed with.
    pub attributes: Attributes,
    /// The names of the notes in it.
    pub notes: Vec<&'static str>,
    /// Why gates denied it.
    pub denials: Vec<String>,
    /// The names of the questions that were asked in it.
    pub asked: Vec<String>,
    /// Whether its output was recorded by an earlier attempt and used again.
    pub replayed: bool,
    /// The text that was streamed.
    pub streamed: String,
}

impl RecordedSpan {
    fn opened(event: &OwnedEvent, input: Option<Value>, attributes: Attributes) -> Self {
        Self {
            effect: event.effect,
            name: event.name.clone(),
            path: event.path.clone(),
            user: event.user.clone(),
            session: event.session.clone(),
            run: event.run.clone(),
            parent_run: event.parent_run.clone(),
            trace: event.trace,
            span: event.span,
            parent_span: event.parent_span,
            opened: event.at,
            closed: None,
            ending: None,
            input,
            output: None,
            error: None,
            attributes,
            notes: Vec::new(),
            denials: Vec::new(),
            asked: Vec::new(),
            replayed: event.replayed,
            streamed: String::new(),
        }
    }

    fn add(&mut self, event: &OwnedEvent) {
        match &event.what {
            Happened::Closed {
                ending,
                error,
                output,
                attributes,
                ..
            } => {
                self.closed = Some(event.at);
                self.ending = Some(*ending);
                self.error.clone_from(error);
                self.output.clone_from(output);
                self.attributes.extend(attributes.clone());
            }
            Happened::Noted { note, .. } => self.notes.push(note),
            Happened::Decided { denied, .. } => self.denials.extend(denied.clone()),
            Happened::Delta { text } => self.streamed.push_str(text),
            Happened::Asked { question } => self.asked.push(question.name.clone()),
            _ => (),
        }
    }

    /// The span in one line: `loom.tool refund ✗ denied`; the mark only when it didn't complete.
    pub fn line(&self) -> String {
        let again = if self.replayed { " ↻" } else { "" };
        let span = format!("{} {}{again}", self.effect.span_name(), self.name);
        match self.ending {
            Some(Ending::Completed) => span,
            Some(ending) => format!("{span} ✗ {ending}"),
            None => format!("{span} … open"),
        }
    }
}

/// Spans as a tree; displayed with lines between parents and children.
#[derive(Clone, Debug, PartialEq)]
pub struct SpanTree(Vec<Branch>);

#[derive(Clone, Debug, PartialEq)]
struct Branch {
    line: String,
    children: Vec<Branch>,
}

impl SpanTree {
    /// The tree of these spans; a span whose parent isn't among them is a root.
    pub fn of(spans: &[RecordedSpan]) -> Self {
        let is_root =
            |it: &&RecordedSpan| !spans.iter().any(|other| Some(other.span) == it.parent_span);
        Self(
            spans
                .iter()
                .filter(is_root)
                .map(|root| branch(root, spans))
                .collect(),
        )
    }

    /// One line a span, two spaces deeper for each parent.
    pub fn lines(&self) -> Vec<String> {
        fn push(branch: &Branch, depth: usize, lines: &mut Vec<String>) {
            lines.push(format!("{}{}", "  ".repeat(depth), branch.line));
            for child in &branch.children {
                push(child, depth + 1, lines);
            }
        }
        let mut lines = Vec::new();
        for root in &self.0 {
            push(root, 0, &mut lines);
        }
        lines
    }
}

fn branch(span: &RecordedSpan, spans: &[RecordedSpan]) -> Branch {
    let children = spans.iter().filter(|it| it.parent_span == Some(span.span));
    Branch {
        line: span.line(),
        children: children.map(|it| branch(it, spans)).collect(),
    }
}

impl fmt::Display for SpanTree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fn write(branch: &Branch, indent: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            for (i, child) in branch.children.iter().enumerate() {
                let last = i + 1 == branch.children.len();
                let (joint, below) = if last {
                    ("└─ ", "   ")
                } else {
                    ("├─ ", "│  ")
                };
                writeln!(f, "{indent}{joint}{}", child.line)?;
                write(child, &format!("{indent}{below}"), f)?;
            }
            Ok(())
        }
        for root in &self.0 {
            writeln!(f, "{}", root.line)?;
            write(root, "", f)?;
        }
        Ok(())
    }
}
