//! Runs that go on: a step that is tried again or falls back on another, and a run that paused and
//! was resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures::FutureExt;
use loom_core::{
    Branch, Effect, Error, ErrorKind, MemoryJournal, Resolution, Result, RunContext, RunError,
    RunErrorKind, RunId, Session, TraceParent, step,
};
use opentelemetry::trace::SpanId;

use crate::exported::{Telemetry, block_on, values};

#[tokio::test(start_paused = true)]
async fn a_retried_step_is_one_span_with_an_event_for_each_further_attempt() {
    let calls = AtomicU32::new(0);
    let flaky = move |_: ()| {
        let call = calls.fetch_add(1, Ordering::Relaxed);
        let kind = [ErrorKind::Upstream, ErrorKind::Timeout].get(call as usize);
        std::future::ready(match kind {
            Some(kind) => Err(Error::new(*kind, "secret").retryable(true)),
            None => Ok(call),
        })
    };
    let wait = Duration::from_secs(1);
    let flaky = Arc::new(step(flaky).retry(3).backoff(wait, wait));
    let fetch = move |cx: RunContext, (): ()| {
        let flaky = flaky.clone();
        async move { cx.step("flaky", &*flaky, ()).await }
    };
    let telemetry = Telemetry::new();
    let session = telemetry.loom().build().session("alice").id("conv");
    session.run(&fetch, ()).await.unwrap();
    assert_eq!(
        telemetry.tree(),
        r#"loom.workflow.run Internal 2..7
  - pattern: "workflow"
  - user_id: "alice"
  - session_id: "conv"
  - run_id: "019b76da-a801-7000-8000-000000000002"
  - loom.path: "function"
  - loom.span: "loom.workflow.run"
  - gen_ai.conversation.id: "conv"
  - gen_ai.operation.name: "invoke_workflow"
  - gen_ai.workflow.name: "function"
  - loom.ending: "completed"
  loom.workflow.step Internal 3..6
    - pattern: "workflow"
    - user_id: "alice"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "function/flaky"
    - loom.span: "loom.workflow.step"
    - gen_ai.conversation.id: "conv"
    - loom.step: "flaky"
    - loom.visit: 1
    - loom.ending: "completed"
    * retry 4
      - loom.attempt: 2
      - loom.wait_ms: 851
      - error.type: "upstream"
    * retry 5
      - loom.attempt: 3
      - loom.wait_ms: 213
      - error.type: "timeout"
"#
    );
    assert!(!format!("{:?}", telemetry.spans()).contains("secret"));
}

#[test]
fn a_step_that_falls_back_says_so_and_as_what_the_first_failed() {
    async fn broken(_: u64) -> Result<u64> {
        Err(Error::new(ErrorKind::Upstream, "secret"))
    }
    async fn fetch(cx: RunContext, n: u64) -> Result<u64> {
        cx.step("fetch", &step(broken).or_else(double), n).await
    }
    let telemetry = Telemetry::new();
    let session = telemetry.loom().build().session("alice").id("conv");
    let outcome = block_on(session.run(&fetch, 21u64)).unwrap();
    assert_eq!(outcome.output, 42);
    let tree = telemetry.tree();
    let (_, step) = tree.split_once("\n  loom.workflow.step").unwrap();
    assert_eq!(
        step,
        r#" Internal 3..5
    - pattern: "workflow"
    - user_id: "alice"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "fetch/fetch"
    - loom.span: "loom.workflow.step"
    - gen_ai.conversation.id: "conv"
    - loom.step: "fetch"
    - loom.visit: 1
    - loom.ending: "completed"
    * fallback 4
      - error.type: "upstream"
"#
    );
    assert!(!format!("{:?}", telemetry.spans()).contains("secret"));
}

async fn double(n: u64) -> Result<u64> {
    Ok(2 * n)
}

async fn sure(cx: RunContext, n: u64) -> Result<u64> {
    let sure: bool = cx.ask("sure", format!("secret {n}?")).await?;
    Ok(if sure { n } else { 0 })
}

/// A recorded step, a question of a step's own, and a tool that is asked for.
async fn refund(cx: RunContext, n: u64) -> Result<u64> {
    let n = cx.step("double", &double, n).await?;
    let n = cx.step("sure", &sure, n).await?;
    let tool = Effect::tool("pay", "call_1").destructive(true);
    cx.perform(tool, (), move |_cx, ()| async move { Ok(n) })
        .await
}

fn session(telemetry: &Telemetry) -> Session {
    let journal = Arc::new(MemoryJournal::default());
    let loom = telemetry.loom().journal(journal).build();
    loom.session("alice").id("conv")
}

/// The run's id and the path of its one question.
fn paused(error: &RunError) -> (RunId, String) {
    assert_eq!(error.kind(), RunErrorKind::Paused);
    let run_id = error.report().unwrap().run_id.clone();
    (run_id, error.questions()[0].path.clone())
}

#[test]
fn a_resumed_run_is_another_root_of_its_trace_linked_to_the_first() {
    let telemetry = Telemetry::new();
    let session = session(&telemetry);
    block_on(async {
        let first = session.run(&refund, 21u64).await.unwrap_err();
        let (run_id, question) = paused(&first);
        session.answer(&run_id, &question, false).await.unwrap();
        let second = session.resume(&run_id, &refund).await;
        let (_, question) = paused(&second.unwrap_err());
        session.answer(&run_id, &question, true).await.unwrap();
        let third = session.resume(&run_id, &refund).await;
        assert_eq!(third.unwrap().output, 0);
    });
    assert_eq!(telemetry.tree(), include_str!("resuming.txt"));
    let spans = telemetry.spans();
    assert!(!format!("{spans:?}").contains("secret"));

    let trace = telemetry.recorder.spans()[0].trace.as_u128().into();
    assert!(spans.iter().all(|it| it.span_context.trace_id() == trace));
    let first: SpanId = telemetry.recorder.spans()[0].span.as_u64().into();
    let links = spans.iter().flat_map(|it| it.links.iter());
    let linked: Vec<_> = links
        .map(|it| (it.span_context.trace_id(), it.span_context.span_id()))
        .collect();
    assert_eq!(linked, [(trace, first); 2]);
}

#[test]
fn a_run_that_another_trace_resumed_stays_in_its_own_and_links_to_it() {
    let telemetry = Telemetry::new();
    let session = session(&telemetry);
    let caller = |text: &str| text.parse::<TraceParent>().unwrap();
    let begun = caller("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    let resumed = caller("00-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-bbbbbbbbbbbbbbbb-01");
    block_on(async {
        let asked = session.clone().traceparent(begun).run(&sure, 1u64).await;
        let (run_id, question) = paused(&asked.unwrap_err());
        session.answer(&run_id, &question, true).await.unwrap();
        let session = session.traceparent(resumed);
        session.resume(&run_id, &sure).await.unwrap();
    });
    let spans = telemetry.spans();
    let first = telemetry.recorder.spans()[0].span.to_string();
    let told: Vec<_> = spans
        .iter()
        .map(|it| {
            let links = it.links.iter().map(|it| {
                let linked = &it.span_context;
                format!("{} {}", linked.trace_id(), linked.span_id())
            });
            let trace = it.span_context.trace_id().to_string();
            (trace, it.parent_span_id.to_string(), links.collect())
        })
        .collect();
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let links = vec![
        format!("{trace} {first}"),
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa bbbbbbbbbbbbbbbb".to_owned(),
    ];
    assert_eq!(
        told,
        [
            (trace.to_owned(), "00f067aa0ba902b7".to_owned(), vec![]),
            (trace.to_owned(), "0000000000000000".to_owned(), links),
        ]
    );
}

#[test]
fn an_effect_that_was_cut_off_is_unfinished_in_the_next_attempt_and_the_journal_asks() {
    async fn stuck(cx: RunContext, (): ()) -> Result<u64> {
        let pay = Effect::tool("pay", "call_1");
        cx.perform(pay, (), |_cx, ()| std::future::pending()).await
    }
    let telemetry = Telemetry::new();
    let session = session(&telemetry);
    let mut run = session.run(&stuck, ()).id("run_1");
    assert!((&mut run).now_or_never().is_none());
    let run_id = run.handle().run_id().clone();
    drop(run);
    telemetry.exporter.reset();
    let (_, question) = paused(&block_on(session.resume(&run_id, &stuck)).unwrap_err());
    let tree = telemetry.tree();
    let (_, root) = tree.split_once("  * resumed ").unwrap();
    assert!(root.contains("- loom.attempt: 2\n"), "{root}");
    let (_, events) = root.split_once("  * unfinished ").unwrap();
    assert_eq!(
        events.split_once('\n').unwrap().1,
        r#"      - loom.safety: "not_idempotent"
    * question_asked 12
      - loom.question: "unfinished"
"#
    );
    telemetry.exporter.reset();
    block_on(async {
        let gave_up = Resolution::GiveUp;
        session.answer(&run_id, &question, gave_up).await.unwrap();
        session.resume(&run_id, &stuck).await.unwrap_err();
    });
    let root = telemetry.tree();
    assert!(root.contains("- loom.attempt: 3\n"), "{root}");
    assert!(root.contains("* question_answered"), "{root}");
}

#[test]
fn a_run_that_resumes_itself_exports_the_root_of_each_attempt() {
    let telemetry = Telemetry::new();
    let session = session(&telemetry);
    let desk = session.clone();
    // Asks in one branch, and is answered in another.
    let answered = move |cx: RunContext, (): ()| {
        let desk = desk.clone();
        async move {
            let asking = Branch::new(|cx| async move { cx.ask("sure", "secret?").await });
            let answering = Branch::new(|cx| async move {
                tokio::task::yield_now().await;
                // The second time it is answered already.
                let said = desk.answer(cx.run_id(), "function/[0]/sure", true);
                Ok(said.await.is_ok())
            });
            cx.join(2, [asking, answering]).await
        }
    };
    let outcome = block_on(session.run(&answered, ())).unwrap();
    assert_eq!(outcome.output, [true, false]);
    let spans = telemetry.spans();
    let root = |ending: &str| ("loom.workflow.run".to_owned(), ending.to_owned());
    assert_eq!(
        values(&spans, "loom.ending"),
        [root("paused"), root("completed")]
    );
    let links: Vec<usize> = spans.iter().map(|it| it.links.len()).collect();
    assert_eq!(links, [0, 1]);
}
