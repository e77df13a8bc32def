//! The live tree: what a developer sees of a run on a terminal.

use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Approval, Approver, CancelReason, Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Loom,
    MemoryJournal, Name, Observer, Question, Result, RunContext, Verdict, step,
};
use loom_otel::{ConsoleObserver, OtelObserver};
use loom_testing::CountingIds;

/// A terminal that keeps what was written to it, one entry a write.
#[derive(Clone, Default)]
struct Screen(Arc<Mutex<Vec<String>>>);

impl Write for Screen {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        self.0.lock().unwrap().push(text);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct NoRefunds;

impl Gate for NoRefunds {
    fn name(&self) -> &str {
        "no_refunds"
    }

    async fn check(&self, _view: &EffectView, effect: &Effect) -> Verdict {
        match effect.kind() {
            EffectKind::Tool => Verdict::deny("secret"),
            _ => Verdict::Allow,
        }
    }
}

async fn pass(n: u64) -> Result<u64> {
    Ok(n)
}

async fn fail(_: u64) -> Result<u64> {
    Err(Error::new(ErrorKind::Upstream, "secret"))
}

async fn stuck(_: u64) -> Result<u64> {
    std::future::pending().await
}

async fn agent(cx: RunContext) -> Result<u64> {
    let turn = cx.perform(Effect::turn(0), (), |cx, ()| async move {
        let model = Effect::new(EffectKind::Model, "opus");
        cx.perform(model, (), |_cx, ()| async { Ok(()) }).await?;
        let tool = Effect::tool("refund", "call_1");
        Ok(cx
            .perform(tool, (), |_cx, ()| async { Ok(1) })
            .await
            .unwrap_or(0))
    });
    turn.await
}

async fn gated(cx: RunContext, n: u64) -> Result<u64> {
    cx.step("gate\u{202e}", &pass, n).await?;
    cx.perform(Effect::new(EffectKind::Agent, "helper"), (), |cx, ()| {
        agent(cx)
    })
    .await?;
    let mut slow = Box::pin(cx.step("slow", &stuck, n));
    assert!((&mut slow).now_or_never().is_none());
    let failed = cx.step("quick", &fail, n).await;
    cx.cancel_with(CancelReason::SiblingFailed, slow);
    failed
}

#[test]
fn a_run_is_shown_as_it_happens_with_what_did_not_complete() {
    let screen = Screen::default();
    let console = ConsoleObserver::new(screen.clone());
    let loom = Loom::builder().observe(console).gate(NoRefunds).build();
    block_on(loom.session("alice").run(&gated, 1u64)).unwrap_err();
    assert_eq!(
        screen.0.lock().unwrap().concat(),
        r"loom.workflow.run gated
  loom.workflow.step gate\u{202e}
  loom.run helper
    loom.turn 0
      loom.model.stream opus
      loom.tool refund
      loom.tool refund ✗ denied
  loom.workflow.step slow
  loom.workflow.step quick
  loom.workflow.step quick ✗ failed: upstream
  loom.workflow.step slow ✗ cancelled (sibling_failed)
loom.workflow.run gated ✗ failed: upstream
"
    );
}

/// Fails at first.
async fn flaky(cx: RunContext, n: u64) -> Result<u64> {
    let calls = AtomicU32::new(0);
    let flaky = step(move |n: u64| {
        let first = calls.fetch_add(1, Ordering::Relaxed) == 0;
        let timeout = Error::new(ErrorKind::Timeout, "secret");
        std::future::ready(if first { Err(timeout) } else { Ok(n) })
    });
    let wait = Duration::from_secs(1);
    let flaky = flaky.retry(2).backoff(wait, wait);
    cx.step("flaky", &flaky, n).await
}

async fn sure(cx: RunContext, n: u64) -> Result<u64> {
    let sure: bool = cx.ask("sure\u{202e}", "secret").await?;
    Ok(if sure { n } else { 0 })
}

async fn pay(cx: RunContext, call_id: &'static str) -> Result<u64> {
    let pay = Effect::tool("pay", call_id).destructive(true);
    cx.perform(pay, (), |_cx, ()| async { Ok(1) }).await
}

async fn refund(cx: RunContext, n: u64) -> Result<u64> {
    let n = cx.step("charge", &flaky, n).await?;
    let n = cx.step("sure", &sure, n).await?;
    pay(cx, "call_1").await.map(|it| it + n)
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_retried_paused_and_resumed_says_each_in_one_line() {
    let screen = Screen::default();
    let loom = Loom::builder()
        .ids(CountingIds::default())
        .journal(MemoryJournal::default())
        .observe(ConsoleObserver::new(screen.clone()))
        .build();
    let session = loom.session("alice");
    let mut error = session.run(&refund, 1u64).await.unwrap_err();
    let run_id = error.report().unwrap().run_id.clone();
    for said in [false, true] {
        let path = &error.questions()[0].path;
        session.answer(&run_id, path, said).await.unwrap();
        let resumed = session.resume(&run_id, &refund).await;
        match resumed {
            Ok(outcome) => assert_eq!((said, outcome.output), (true, 1)),
            Err(paused) => error = paused,
        }
    }
    assert_eq!(
        screen.0.lock().unwrap().concat(),
        r"loom.workflow.run refund
  loom.workflow.step charge
    loom.workflow.step flaky
    loom.workflow.step flaky ↻ attempt 2 in 295 ms: timeout
  loom.workflow.step sure
  loom.workflow.step sure ? asked: sure\u{202e}
  loom.workflow.step sure … paused
loom.workflow.run refund … paused
loom.workflow.run refund
  loom.workflow.step charge ↻ replayed
  loom.workflow.step sure
  loom.workflow.step sure ? refused: sure\u{202e}
  loom.tool pay
  loom.tool pay ? asked: permissions
  loom.tool pay … paused
loom.workflow.run refund … paused
loom.workflow.run refund
  loom.workflow.step charge ↻ replayed
  loom.workflow.step sure ↻ replayed
  loom.tool pay
  loom.tool pay ? allowed: permissions
"
    );
}

struct Desk;

impl Approver for Desk {
    async fn approve(&self, _view: &EffectView, effect: &Effect, _question: &Question) -> Approval {
        match effect.at().map(Name::as_str) {
            Some("call_1") => Approval::Granted,
            _ => Approval::Refused("secret".to_owned()),
        }
    }
}

#[test]
fn approvals_are_shown_by_their_gate_s_name_and_what_came_of_them() {
    async fn twice(cx: RunContext, (): ()) -> Result<u64> {
        let paid = pay(cx.clone(), "call_1").await?;
        Ok(paid + pay(cx, "call_2").await.unwrap_or(0))
    }
    let screen = Screen::default();
    let console = ConsoleObserver::new(screen.clone());
    let loom = Loom::builder().observe(console).approver(Desk).build();
    block_on(loom.session("alice").run(&twice, ())).unwrap();
    assert_eq!(
        screen.0.lock().unwrap().concat(),
        "loom.workflow.run twice
  loom.tool pay
  loom.tool pay ? asked: permissions
  loom.tool pay ? allowed: permissions
  loom.tool pay
  loom.tool pay ? asked: permissions
  loom.tool pay ? refused: permissions
  loom.tool pay ✗ denied
"
    );
}

#[test]
fn observers_have_short_names() {
    let console = ConsoleObserver::new(io::sink());
    let otel = OtelObserver::new(&opentelemetry::global::tracer_provider());
    assert_eq!([console.name(), otel.name()], ["console", "otel"]);
}

#[test]
fn lines_of_runs_on_many_threads_are_written_whole() {
    let screen = Screen::default();
    let loom = Loom::builder()
        .observe(ConsoleObserver::new(screen.clone()))
        .build();
    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..50 {
                    block_on(loom.session("alice").run(&pass, 1u64)).unwrap();
                }
            });
        }
    });
    let written = screen.0.lock().unwrap();
    assert_eq!(*written, vec!["loom.workflow.run pass\n"; 200]);
}

#[test]
fn a_terminal_that_went_away_disturbs_nothing() {
    struct Gone;
    impl Write for Gone {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::BrokenPipe.into())
        }
    }
    let loom = Loom::builder().observe(ConsoleObserver::new(Gone)).build();
    let outcome = block_on(loom.session("alice").run(&pass, 1u64)).unwrap();
    assert_eq!((outcome.output, loom.observer_faults()), (1, 0));
}
