//! What tests of resumable runs share: a journal that outlives its looms, bodies that are counted.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use loom_core::{
    Batch, Info, Journal, JournalRun, Kind, Loom, MemoryJournal, PausedRun, Question, Record,
    Released, Result, RunContext, RunError, RunHead, RunId, Runnable, Scope, Session, Tool,
    ToolOutput,
};
use loom_testing::Recorder;
use serde_json::json;

use crate::recorded::recorded_by;

/// A fresh loom over this journal, as another process would wire it: its recorder, and alice's
/// conversation `desk` in it.
pub(crate) fn worker(journal: &Arc<MemoryJournal>) -> (Recorder, Session) {
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    (recorder, session.id("desk"))
}

/// The runs of a partition that wait, as any loom over this journal sees them.
pub(crate) async fn waiting(journal: &Arc<MemoryJournal>, scope: &Scope) -> Vec<PausedRun> {
    let loom = Loom::builder().journal(journal.clone()).build();
    loom.paused(scope).await.unwrap()
}

/// The run that ended with this error.
pub(crate) fn run_id(error: &RunError) -> RunId {
    error.report().unwrap().run_id.clone()
}

/// Gives this answer to all that a paused run asks.
pub(crate) async fn answer_all(session: &Session, paused: &RunError, answer: bool) {
    for Question { path, .. } in paused.questions() {
        let answered = session.answer(&run_id(paused), path, answer).await;
        answered.unwrap();
    }
}

/// The paths of what a paused run asks.
pub(crate) fn asked(paused: &RunError) -> Vec<&str> {
    let questions = paused.questions().iter();
    questions.map(|it| it.path.as_str()).collect()
}

/// Writes into a paused run's record as another program might.
pub(crate) async fn rewrite(
    journal: &MemoryJournal,
    run: &JournalRun,
    records: Vec<Record>,
    change: impl FnOnce(&mut RunHead),
) {
    let claimed = journal.claim(run, Duration::from_secs(30)).await.unwrap();
    let mut head = claimed.head.unwrap();
    head.revision += 1;
    change(&mut head);
    let batch = Batch { head, records };
    journal.write(&claimed.lease, &batch).await.unwrap();
    journal.release(&claimed.lease, Released::Paused);
}

/// Which bodies ran, in order. Clones share one list.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub(crate) fn note(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// What was noted since this was asked last.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    /// How much was noted since it was taken last.
    pub(crate) fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// A step that notes that its body ran.
    pub(crate) fn step(&self, name: &'static str) -> Noted {
        Noted(self.clone(), name)
    }

    /// Calls a tool that notes that its body ran.
    pub(crate) async fn call(
        &self,
        cx: &RunContext,
        name: &'static str,
        text: String,
    ) -> Result<String> {
        let tool = Tool::new(name, "Notes that it was called.", self.step(name));
        let output = tool.call(cx, "c1", json!({"input": text})).await;
        output.map(ToolOutput::into_text)
    }
}

/// Notes its name, and gives its input with the name behind it: `go` gives `go load`.
pub(crate) struct Noted(Log, &'static str);

impl Runnable<String> for Noted {
    type Out = String;

    async fn run(&self, _cx: &RunContext, text: String) -> Result<String> {
        self.0.note(self.1);
        Ok(format!("{text} {}", self.1))
    }
}

/// Gives back what it gets, under this name.
pub(crate) struct Renamed(pub(crate) &'static str);

impl Runnable<String> for Renamed {
    type Out = String;

    async fn run(&self, _cx: &RunContext, text: String) -> Result<String> {
        Ok(text)
    }

    fn info(&self) -> Info {
        Info::new(self.0, Kind::Function)
    }
}

/// Loads, asks whether it should, and pays.
pub(crate) struct Refund(pub(crate) Log);

impl Runnable<String> for Refund {
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        let text = cx.step("load", &self.0.step("load"), text).await?;
        match cx.ask("sure", format!("pay {text:?}?")).await? {
            true => cx.step("pay", &self.0.step("pay"), text).await,
            false => Ok("kept".to_owned()),
        }
    }

    fn info(&self) -> Info {
        Info::new("refund", Kind::Function)
    }
}
