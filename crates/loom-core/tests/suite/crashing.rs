//! A run that is dropped anywhere, as a crash would, is resumed and comes to the same end.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use loom_core::{
    Branch, CancelReason, Effect, Info, Journal, JournalRun, Kind, Loom, MemoryJournal, Result,
    RunContext, RunErrorKind, Runnable, Safety, Session,
};
use loom_testing::Recorder;

use crate::journaled::{Log, Refund, answer_all, run_id, waiting, worker};
use crate::recorded::{assert_well_formed, recorded_by};
use crate::steps::{echo, give_way, wait};
use crate::unruly_journals::{Impatient, Slow};

/// Steps one after another, a tool, and steps beside each other; notes each body that begins and
/// the key it shows to others.
struct Busy(Log);

impl Busy {
    fn step(
        &self,
    ) -> impl Fn(RunContext, u32) -> futures::future::BoxFuture<'static, Result<u32>>
    + Send
    + Sync
    + 'static {
        let log = self.0.clone();
        move |cx, polls| {
            log.note(format!("{} {}", cx.path(), cx.idempotency_key()));
            wait(polls).boxed()
        }
    }
}

impl Runnable<u32> for Busy {
    type Out = Vec<u32>;

    async fn run(&self, cx: &RunContext, polls: u32) -> Result<Vec<u32>> {
        let nests = {
            let inner = Arc::new(self.step());
            move |cx: RunContext, polls: u32| {
                let inner = inner.clone();
                async move { cx.step("inner", &*inner, polls).await }
            }
        };
        let first = cx.step("first", &nests, polls).await?;
        let tool = Effect::tool("tool", "c1").with_safety(Safety::Idempotent);
        let step = self.step();
        let called = cx.perform(tool, (), |cx, ()| async move { step(cx, polls).await });
        let called = called.await?;
        let (left, right) = (self.step(), self.step());
        let branches = [
            Branch::new(move |cx: RunContext| async move { cx.step("left", &left, polls).await }),
            Branch::new(
                move |cx: RunContext| async move { cx.step("right", &right, 2 * polls).await },
            ),
        ];
        Ok([vec![first, called], cx.join(8, branches).await?].concat())
    }

    fn info(&self) -> Info {
        Info::new("busy", Kind::Function)
    }
}

const BODIES: [&str; 4] = [
    "busy/[0]/left",
    "busy/[1]/right",
    "busy/first/inner",
    "busy/tool:tool[c1]",
];

/// Runs `busy`, dropping every attempt after so many polls or one more than the one before, until
/// one comes to its end; the output, and how many attempts it took.
fn crash_and_resume(
    desk: impl Fn() -> (Recorder, Session),
    busy: &Busy,
    polls: u32,
) -> (Vec<u32>, u32) {
    let (recorder, session) = desk();
    let mut run = session.run(busy, 1u32);
    let id = run.handle().run_id().clone();
    let mut ended = (0..polls).find_map(|_| (&mut run).now_or_never());
    drop(run);
    assert_well_formed(&recorder);
    for attempt in 1.. {
        match ended {
            Some(outcome) => return (outcome.unwrap().output, attempt),
            None if attempt > 100 => panic!("no attempt comes further than the one before"),
            None => (),
        }
        let (recorder, session) = desk();
        let mut resumed = Box::pin(session.resume(&id, busy));
        ended = (0..polls + attempt).find_map(|_| resumed.as_mut().now_or_never());
        drop(resumed);
        assert_well_formed(&recorder);
    }
    unreachable!("it ends or panics")
}

/// Each noted body by its path, in order, without its key.
fn bodies(log: &[String]) -> Vec<&str> {
    let mut bodies: Vec<_> = log.iter().filter_map(|it| it.split_once(' ')).collect();
    bodies.sort_unstable();
    bodies.into_iter().map(|(path, _)| path).collect()
}

#[test]
fn f047_a_run_dropped_at_every_await_and_resumed_ends_the_same_and_repeats_nothing_recorded() {
    // The first poll takes the run's place in the journal and begins the first body.
    for polls in 1..12 {
        let (journal, log) = (Arc::new(MemoryJournal::default()), Log::default());
        let busy = Busy(log.clone());
        let (output, attempts) = crash_and_resume(|| worker(&journal), &busy, polls);
        assert_eq!(output, [1, 1, 1, 2], "dropped after {polls} polls");
        let begun = log.take();
        let mut once = bodies(&begun);
        once.dedup();
        assert_eq!(once, BODIES);
        if attempts == 1 {
            assert_eq!(
                bodies(&begun),
                BODIES,
                "each body once where nothing is lost"
            );
            assert!(polls > 4, "it was dropped at each await: {polls}");
            return;
        }
        assert!(begun.len() <= BODIES.len() + attempts as usize, "{begun:?}");
    }
    panic!("it never ended undisturbed");
}

fn slow_desk(journal: &Slow) -> (Recorder, Session) {
    let (recorder, session) = recorded_by(Loom::builder().journal(journal.clone()));
    (recorder, session.id("desk"))
}

/// What a slow journal and the bodies noted, for each number of polls to drop an attempt after.
fn slow_crashes() -> Vec<Vec<String>> {
    let mut noted = Vec::new();
    for polls in 3..80 {
        let journal = Slow::default();
        let busy = Busy(journal.0.written.clone());
        let (output, attempts) = crash_and_resume(|| slow_desk(&journal), &busy, polls);
        assert_eq!(output, [1, 1, 1, 2], "dropped after {polls} polls");
        noted.push(journal.0.written.take());
        if attempts == 1 {
            return noted;
        }
    }
    panic!("it never ended undisturbed");
}

#[test]
fn f047_with_a_slow_journal_no_body_begins_again_once_its_output_is_written() {
    for noted in slow_crashes() {
        for path in BODIES {
            let is_body = |line: &&String| {
                line.starts_with(&format!("{path} ")) && !line.ends_with("written")
            };
            let last_begun = noted.iter().rposition(|it| is_body(&it));
            let written = noted
                .iter()
                .position(|it| *it == format!("{path} is written"));
            assert!(last_begun < written, "{path} began again: {noted:#?}");
        }
    }
}

#[test]
fn f046_a_body_whose_output_was_lost_begins_again_under_the_same_key() {
    let mut lost = 0;
    for noted in slow_crashes() {
        let mut keys: Vec<_> = noted.iter().filter(|it| !it.ends_with("written")).collect();
        lost += keys.len() - BODIES.len();
        keys.sort_unstable();
        keys.dedup();
        assert_eq!(keys.len(), BODIES.len(), "one key a body: {keys:#?}");
    }
    assert!(
        lost > 5,
        "bodies were lost between their end and their record: {lost}"
    );
}

#[test]
fn a_run_dropped_before_it_opened_is_not_heard_of() {
    for polls in 0..200 {
        let (recorder, session) = slow_desk(&Slow::default());
        let busy = Busy(Log::default());
        let mut run = session.run(&busy, 1u32);
        for _ in 0..polls {
            assert!((&mut run).now_or_never().is_none());
        }
        drop(run);
        if !recorder.spans().is_empty() {
            assert!(polls > 2, "the journal takes its time: {polls}");
            return;
        }
        assert_eq!(recorder.events(), [], "{polls} polls");
    }
    panic!("it never opened");
}

#[test]
fn a_dropped_run_is_given_back_wherever_it_was_dropped() {
    block_on(async {
        let journal = Slow::default();
        let busy = Busy(Log::default());
        let (_, session) = slow_desk(&journal);
        for polls in 0..200 {
            let mut run = session.run(&busy, 1u32);
            let run_id = run.handle().run_id().clone();
            let ended = (0..polls).find_map(|_| (&mut run).now_or_never());
            drop(run);
            let root = JournalRun {
                scope: session.scope().unwrap(),
                root: run_id,
            };
            assert!(
                Journal::claim(&journal, &root, Duration::from_secs(30))
                    .await
                    .is_ok(),
                "{polls} polls"
            );
            if ended.is_some() {
                return;
            }
        }
        panic!("it never ended");
    });
}

#[test]
fn a_dropped_resume_is_given_back_wherever_it_was_dropped() {
    block_on(async {
        let journal = Slow::default();
        let (_, session) = slow_desk(&journal);
        let refund = Refund(Log::default());
        let paused = session.run(&refund, "go").await.unwrap_err();
        answer_all(&session, &paused, true).await;
        let run = run_id(&paused);
        for polls in 0..200 {
            let mut resumed = Box::pin(session.resume(&run, &refund));
            let ended = (0..polls).find_map(|_| resumed.as_mut().now_or_never());
            drop(resumed);
            if let Some(outcome) = ended {
                assert_eq!(outcome.unwrap().output, "go load pay", "{polls} polls");
                return;
            }
        }
        panic!("it never ended");
    });
}

#[test]
fn a_run_resumed_after_a_crash_continues_the_root_span_that_was_lost() {
    async fn whence(cx: RunContext, _: ()) -> Result<Option<String>> {
        give_way().await;
        Ok(cx.continues().map(|it| it.to_string()))
    }
    let (recorder, session) = worker(&Arc::default());
    let mut run = session.run(&whence, ());
    let run_id = run.handle().run_id().clone();
    assert!((&mut run).now_or_never().is_none());
    drop(run);
    let lost = recorder.spans()[0].span.to_string();
    let outcome = block_on(session.resume(&run_id, &whence)).unwrap();
    assert_eq!(outcome.output, Some(lost));
}

#[tokio::test]
async fn a_run_that_went_on_after_its_answer_waits_no_more() {
    async fn goes_on(cx: RunContext, _: ()) -> Result<bool> {
        let sure = cx.ask("sure", "go?").await?;
        wait(3).await?;
        Ok(sure)
    }
    let journal = Arc::new(MemoryJournal::default());
    let (_, session) = worker(&journal);
    let scope = session.scope().unwrap();
    let paused = session.run(&goes_on, ()).await.unwrap_err();
    answer_all(&session, &paused, true).await;
    let run = run_id(&paused);
    let mut resumed = Box::pin(session.resume(&run, &goes_on));
    assert!(resumed.as_mut().now_or_never().is_none(), "it goes on");
    assert_eq!(waiting(&journal, &scope).await, [], "while it goes on");
    drop(resumed);
    let listed = waiting(&journal, &scope).await;
    assert_eq!((listed.len(), &listed[0].questions[..]), (1, &[][..]));
    assert_eq!(
        listed[0].run_id, run,
        "after a crash it waits to be resumed"
    );
    assert!(session.resume(&run, &goes_on).await.unwrap().output);
}

#[test]
fn f049_a_worker_whose_lease_ran_out_records_nothing_more() {
    async fn step_by_step(cx: RunContext, polls: u32) -> Result<String> {
        async fn who(cx: RunContext, polls: u32) -> Result<String> {
            wait(polls).await?;
            Ok(cx.span_id().to_string())
        }
        let who = cx.step("who", &who, polls).await?;
        cx.step("after", &echo, who).await
    }
    block_on(async {
        let journal = Impatient::default();
        let loom = || Loom::builder().journal(journal.clone());
        let (first, session) = recorded_by(loom());
        let session = session.id("desk");
        let mut slow = session.run(&step_by_step, 2u32);
        let run = slow.handle().run_id().clone();
        assert!((&mut slow).now_or_never().is_none(), "it waits in its step");

        let (second, other) = recorded_by(loom());
        let other = other.id("desk");
        let outcome = other.resume(&run, &step_by_step).await.unwrap();
        assert_eq!(outcome.output, second.spans()[1].span.to_string());

        let lost = slow.await.unwrap_err();
        assert_eq!(
            lost.kind(),
            RunErrorKind::Cancelled(CancelReason::TakenOver)
        );
        assert_eq!(
            first.tree().lines(),
            [
                "loom.workflow.run step_by_step ✗ cancelled (taken_over)",
                "  loom.workflow.step who ✗ cancelled (taken_over)"
            ]
        );
        let again = other.resume(&run, &step_by_step).await.unwrap();
        assert_eq!(again.output, outcome.output, "the winner's stays");
    });
}
