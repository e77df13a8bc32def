//! `Row`: an event of a log, read back.

use loom_core::{RunId, SessionId, SpanId, TraceId, UserId};
use serde::Serialize;
use serde_json::Value;

use crate::read::Entry;
use crate::shape::{Shape, Subject};

/// What a log says of one event. Serialises to one flat JSON object; what is absent is left out.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Row {
    /// The entry's number; the order of events is this alone.
    pub seq: u64,
    /// When it happened by the writer's clock, with six decimals and `Z`.
    pub ts: String,
    /// Who did it: `workflow`, `agent`, `model`, `tool`, `gate` or `system`.
    pub actor: String,
    /// What happened, for example `tool_call`.
    pub action: String,
    /// The workflow, step, agent, tool or model it is about.
    pub name: String,
    /// How it ended, in a row that says so: `completed`, `failed` and so on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// Why it was cancelled, if it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Whether an earlier attempt's record was used again.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub replayed: bool,
    /// Whose partition; `None` for an anonymous run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserId>,
    /// Who asked, if that is somebody else; empty text for the anonymous partition.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The session.
    pub session: SessionId,
    /// The nearest enclosing agent or workflow run.
    pub run: RunId,
    /// The run that encloses `run`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_run: Option<RunId>,
    /// The trace.
    pub trace: TraceId,
    /// The effect's span.
    pub span: SpanId,
    /// The span it is nested in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parent_span: Option<SpanId>,
    /// What is known about it; `None` where it was erased.
    ///
    /// In the rows of an approval (`approval_requested`, `approval_granted`, `approval_refused`)
    /// `of` names the origin of the question: a `gate`, so that an effect was allowed or refused;
    /// a `step` by [`RunContext::ask`](loom_core::RunContext::ask), whose answer is content and
    /// which counts as granted unless it is `false`; or the `journal`, about an effect whose end
    /// was never recorded. `changed` holds the digests of the arguments that an approval put in
    /// the place of the model's, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub payload: Option<Value>,
}

/// The events of a log, in their order; lines that hold none are passed over.
pub(crate) fn rows(log: &[u8]) -> Vec<Row> {
    log.split(|byte| *byte == b'\n')
        .filter_map(|line| {
            let entry = Entry::read(line).ok()?;
            match Shape::of(&entry.header).ok()? {
                Shape::Event(subject) => Some(Row::of(entry, subject)),
                Shape::Open => None,
            }
        })
        .collect()
}

impl Row {
    fn of(entry: Entry<'_>, subject: Subject) -> Self {
        let action = subject.action;
        Self {
            seq: entry.header.seq,
            ts: entry.header.ts.to_string(),
            actor: action.actor().to_owned(),
            action: action.word().to_owned(),
            name: subject.name,
            end: action.end().map(|end| end.as_str().to_owned()),
            why: entry.header.why.map(std::borrow::Cow::into_owned),
            replayed: entry.header.replayed == Some(true),
            user: subject.user,
            by: subject.by,
            session: subject.session,
            run: subject.run,
            parent_run: subject.parent_run,
            trace: subject.trace,
            span: subject.span,
            parent_span: subject.parent_span,
            payload: entry
                .content
                .and_then(|(_, payload)| serde_json::from_str(payload).ok()),
        }
    }
}
