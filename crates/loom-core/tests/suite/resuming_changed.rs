//! What a resume refuses, and in which words: other code, other input, other people's runs.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Effect, EffectKind, ErrorKind, Info, Journal, JournalRun, Kind, Loom, MemoryJournal, Record,
    Result, RunContext, RunErrorKind, RunId, Runnable, Session, SlotKey, SlotKind,
};
use serde_json::json;

use crate::journaled::{Log, Refund, rewrite, run_id, waiting, worker};
use crate::recorded::tree;
use crate::steps::{echo, wait};

/// Takes a step and asks; what the step is given is added to the run's input.
async fn version_1(cx: RunContext, text: String) -> Result<String> {
    cx.step("first", &echo, text.clone() + "!").await?;
    cx.ask("go_on", "go on?").await
}

/// The same under the same name; the closure stands for the code as it is after a change.
struct Changed<F>(F);

impl<F, Fut> Runnable<String> for Changed<F>
where
    F: Fn(RunContext, String) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<String>> + Send,
{
    type Out = String;

    async fn run(&self, cx: &RunContext, text: String) -> Result<String> {
        (self.0)(cx.clone(), text).await
    }

    fn info(&self) -> Info {
        Info::new("version_1", Kind::Function)
    }
}

/// A run of version 1 that waits, and a session to resume it in.
async fn paused() -> (RunId, Session, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::default());
    let (_, session) = worker(&journal);
    let paused = session.run(&version_1, "go").await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    (run_id(&paused), session, journal)
}

#[test]
fn a_step_that_is_given_something_else_after_a_change_is_named_and_not_run() {
    block_on(async {
        let (run, session, _) = paused().await;
        let changed = Changed(|cx: RunContext, text: String| async move {
            cx.step("first", &echo, text + "?").await
        });
        let error = session.resume(&run, &changed).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            "version_1/first: it was recorded with another input: \
             the definition or something it depends on changed"
        );
        assert!(session.resume(&run, &version_1).await.is_err());
    });
}

#[test]
fn a_step_that_gives_another_type_after_a_change_is_named() {
    block_on(async {
        let (run, session, journal) = paused().await;
        let changed = Changed(|cx: RunContext, text: String| async move {
            async fn counts(text: String) -> Result<usize> {
                Ok(text.len())
            }
            let n = cx.step("first", &counts, text + "!").await?;
            Ok(n.to_string())
        });
        let (recorder, fresh) = worker(&journal);
        let error = fresh.resume(&run, &changed).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            "version_1/first: what the journal recorded here is of another type: the definition changed"
        );
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run version_1 ✗ failed",
                "  loom.workflow.step first ↻ ✗ failed"
            ]
        );
        drop(session);
    });
}

#[test]
fn a_run_of_another_input_type_is_refused_before_anything_opens_and_goes_on_waiting() {
    block_on(async {
        let (run, _, journal) = paused().await;
        let (recorder, session) = worker(&journal);
        let error = {
            async fn version_1(n: u32) -> Result<u32> {
                Ok(n)
            }
            session.resume(&run, &version_1).await
        };
        let error = error.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            format!("the run {run} was begun with another type of input")
        );
        assert!(recorder.events().is_empty());
        let waiting = waiting(&journal, &session.scope().unwrap()).await;
        assert_eq!(waiting[0].run_id, run);
        let again = session.resume(&run, &version_1).await;
        let again = again.unwrap_err();
        assert_eq!(again.kind(), RunErrorKind::Paused, "it was given back");
    });
}

#[test]
fn a_run_is_not_resumed_as_another_workflow() {
    block_on(async {
        let (run, session, _) = paused().await;
        let log = Log::default();
        let error = session
            .resume(&run, &Refund(log.clone()))
            .await
            .unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid, "{error}");
        assert_eq!(log.take(), Vec::<String>::new());
    });
}

#[test]
fn an_input_without_an_order_of_its_own_is_the_same_input_again() {
    async fn counts(words: HashMap<String, u32>) -> Result<u32> {
        Ok(words.values().sum())
    }
    async fn shuffles(cx: RunContext, words: HashMap<String, u32>) -> Result<u32> {
        // Each map has an order of its own.
        let words: HashMap<String, u32> = words.into_iter().collect();
        let sum = cx.step("counts", &counts, words).await?;
        cx.ask::<u32>("and", "and?").await.map(|more| sum + more)
    }
    block_on(async {
        let (recorder, session) = worker(&Arc::default());
        let words: HashMap<String, u32> = (0..64).map(|n| (format!("word {n}"), n)).collect();
        let paused = session.run(&shuffles, words).await.unwrap_err();
        let run = run_id(&paused);
        session.answer(&run, "shuffles/and", 4u32).await.unwrap();
        recorder.clear();
        let resumed = session.resume(&run, &shuffles).await;
        assert_eq!(resumed.unwrap().output, 2020);
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run shuffles",
                "  loom.workflow.step counts ↻"
            ]
        );
    });
}

#[test]
fn f048_a_record_of_a_newer_version_is_refused_and_stays_as_it_is() {
    block_on(async {
        let (run, session, journal) = paused().await;
        let at = JournalRun {
            scope: session.scope().unwrap(),
            root: run.clone(),
        };
        let key = SlotKey::new(SlotKind::Run, "");
        let stored = journal.read(&at, &key).await.unwrap();
        let mut newer = stored.unwrap();
        newer["version"] = json!(4);
        newer["waits"] = json!({"for": "the moon"});
        let record = Record {
            key: key.clone(),
            value: Arc::new(newer.clone()),
        };
        rewrite(&journal, &at, vec![record], |_| ()).await;

        let why = "the journal's record has version 4; this program reads version 3";
        let resumed = session.resume(&run, &version_1).await;
        let error = resumed.map(|_| ()).unwrap_err();
        assert_eq!(
            (error.kind(), &*error.to_string()),
            (RunErrorKind::Broken, why)
        );
        assert_eq!(journal.read(&at, &key).await.unwrap(), Some(newer));
        let claimed = journal.claim(&at, Duration::from_secs(30)).await;
        assert!(claimed.is_ok(), "it was given back");
    });
}

#[test]
fn f049_a_run_that_somebody_works_on_is_not_resumed_by_another() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let (_, session) = worker(&journal);
        let mut run = session.run(&wait, 3u32);
        let run_id = run.handle().run_id().clone();
        assert!((&mut run).now_or_never().is_none(), "it runs");

        let (recorder, elsewhere) = worker(&journal);
        let error = elsewhere.resume(&run_id, &wait).await.unwrap_err();
        assert_eq!(error.error().kind(), ErrorKind::Invalid);
        assert_eq!(
            error.to_string(),
            format!("the run {run_id} is being worked on elsewhere")
        );
        assert!(recorder.events().is_empty());
        assert_eq!(run.await.unwrap().output, 3);
        let after = elsewhere.resume(&run_id, &wait).await;
        assert_eq!(after.unwrap().output, 3);
    });
}

async fn two_of_a_name(cx: RunContext, _: ()) -> Result<u32> {
    let (first, second) =
        futures::join!(cx.step("same", &wait, 2u32), cx.step("same", &wait, 1u32));
    let after = cx.step("same", &wait, 0u32).await?;
    Ok(first? + after + second?)
}

#[test]
fn two_steps_of_one_name_at_the_same_time_are_invalid_where_a_journal_must_tell_them_apart() {
    let (recorder, session) = worker(&Arc::default());
    let error = block_on(session.run(&two_of_a_name, ())).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid);
    assert_eq!(
        error.to_string(),
        "two_of_a_name: loom.workflow.step same comes again below an effect whose parts ran concurrently: when the run is resumed, nobody could tell which record is whose; give each a name of its own, or run them as branches (`cx.join`, `cx.branches`), each with the context it is handed"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run two_of_a_name ✗ failed",
            "  loom.workflow.step same",
        ]
    );
    let without = Loom::builder().build().session("alice");
    assert_eq!(block_on(without.run(&two_of_a_name, ())).unwrap().output, 3);
}

#[test]
fn steps_of_one_name_below_different_steps_or_at_different_places_run_at_the_same_time() {
    async fn apart(cx: RunContext, _: ()) -> Result<u32> {
        async fn outer(cx: RunContext, polls: u32) -> Result<u32> {
            cx.step("same", &wait, polls).await
        }
        let item = |i| {
            let effect = Effect::new(EffectKind::Step, "item").at_index(i);
            cx.perform(effect, (), |_, ()| wait(2))
        };
        let (a, b, c, d) = futures::join!(
            cx.step("left", &outer, 2u32),
            cx.step("right", &outer, 2u32),
            item(0),
            item(1)
        );
        Ok(a? + b? + c? + d?)
    }
    let (_, session) = worker(&Arc::default());
    assert_eq!(block_on(session.run(&apart, ())).unwrap().output, 8);
}

#[test]
fn a_run_of_somebody_else_or_of_nobody_is_not_there_to_be_resumed() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let refund = Refund(Log::default());
        let paused = worker(&journal).1.run(&refund, "go").await.unwrap_err();
        let run = run_id(&paused);
        let loom = Loom::builder().journal(journal.clone()).build();
        for session in [
            loom.session("bob").id("desk"),
            loom.session("alice").id("other"),
            loom.session("alice"),
            loom.anonymous().id("desk"),
        ] {
            let error = session.resume(&run, &refund).await.unwrap_err();
            assert_eq!(error.error().kind(), ErrorKind::Invalid);
            let expected = format!("there is no run {run} in this session");
            assert_eq!(error.to_string(), expected);
            assert!(error.report().is_none(), "no run began");
        }
        let unknown = RunId::new("unknown").unwrap();
        let error = worker(&journal)
            .1
            .resume(&unknown, &refund)
            .await
            .unwrap_err();
        assert_eq!(error.message(), "there is no run unknown in this session");

        let without = Loom::builder().build().session("alice").id("desk");
        let message =
            "the loom has no journal: give it one with `.journal(..)` to pause and resume runs";
        let error = without.resume(&run, &refund).await.unwrap_err();
        assert_eq!(
            (error.error().kind(), error.message()),
            (ErrorKind::Invalid, message)
        );
        let error = without.answer(&run, "refund/sure", true).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.message()),
            (ErrorKind::Invalid, message)
        );
    });
}
