//! A run that its caller names: starting it again attaches to it, or returns what it recorded.

use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::{BoxFuture, join};
use loom_core::{Error, ErrorKind, Loom, MemoryJournal, Result, RunContext, RunErrorKind, Session};
use tokio::time::sleep;

use crate::journaled::{Log, answer_all, worker};
use crate::steps::{echo, give_way};

type Charged = BoxFuture<'static, Result<String>>;

/// Notes that it charges, and takes this many seconds.
fn charges(log: &Log, secs: u64) -> impl Fn(u64) -> Charged + Send + Sync + 'static {
    let log = log.clone();
    move |cents| {
        log.note(format!("charge {cents}"));
        async move {
            if secs > 0 {
                sleep(Duration::from_secs(secs)).await;
            }
            Ok(format!("charged {cents}"))
        }
        .boxed()
    }
}

fn desk() -> (Arc<MemoryJournal>, Session) {
    let journal = Arc::new(MemoryJournal::default());
    let (_, session) = worker(&journal);
    (journal, session)
}

#[test]
fn the_same_id_and_input_return_what_was_recorded() {
    block_on(async {
        let (journal, session) = desk();
        let log = Log::default();
        let charges = charges(&log, 0);
        let first = session.run(&charges, 500u64).id("order-42").await.unwrap();
        let (_, elsewhere) = worker(&journal);
        let again = elsewhere
            .run(&charges, 500u64)
            .id("order-42")
            .await
            .unwrap();
        assert_eq!(again.output, first.output);
        assert_eq!(
            (first.run_id.as_str(), &again.run_id),
            ("order-42", &first.run_id)
        );
        assert_eq!(again.trace_id, first.trace_id);
        assert_eq!(log.take(), ["charge 500"]);
    });
}

#[tokio::test(start_paused = true)]
async fn the_same_id_attaches_to_the_run_that_is_under_way_here_or_elsewhere() {
    let (journal, session) = desk();
    let (_, elsewhere) = worker(&journal);
    for (id, second) in [("order-1", session.clone()), ("order-2", elsewhere)] {
        let log = Log::default();
        let charges = charges(&log, 10);
        let late = async {
            sleep(Duration::from_secs(3)).await;
            second.run(&charges, 500u64).id(id).await
        };
        let (first, late) = join(session.run(&charges, 500u64).id(id), late).await;
        assert_eq!(first.unwrap().output, "charged 500");
        assert_eq!(late.unwrap().output, "charged 500");
        assert_eq!(log.take(), ["charge 500"]);
    }
}

#[test]
fn another_input_under_the_same_id_is_invalid() {
    block_on(async {
        let (_, session) = desk();
        let log = Log::default();
        let charges = charges(&log, 0);
        session.run(&charges, 500u64).id("order-42").await.unwrap();
        let error = session
            .run(&charges, 700u64)
            .id("order-42")
            .await
            .unwrap_err();
        assert_eq!(
            (error.error().kind(), error.message()),
            (
                ErrorKind::Invalid,
                "the run order-42 was begun with another input"
            )
        );
        assert!(error.report().is_none(), "it didn't begin");
        assert_eq!(log.take(), ["charge 500"]);
        let again = session.run(&charges, 500u64).id("order-42").await;
        assert_eq!(again.unwrap().output, "charged 500", "it was given back");
    });
}

#[test]
fn a_name_needs_a_journal_and_must_be_one() {
    let without = Loom::builder().build().session("alice");
    let (_, session) = desk();
    let table = [
        (
            block_on(without.run(&echo, "go").id("order-42")),
            "a run of a given id needs a journal, in which it is found again: give the loom one with `.journal(..)`",
        ),
        (
            block_on(session.run(&echo, "go").id("")),
            "the run id \"\" is empty; give 1 to 256 bytes without control characters",
        ),
    ];
    for (refused, message) in table {
        let error = refused.unwrap_err();
        assert_eq!(
            (error.error().kind(), error.message()),
            (ErrorKind::Invalid, message)
        );
    }
}

#[test]
fn an_id_is_its_partition_s_own() {
    block_on(async {
        let journal = Arc::new(MemoryJournal::default());
        let loom = Loom::builder().journal(journal).build();
        let log = Log::default();
        let charges = charges(&log, 0);
        for (user, cents) in [("alice", 5u64), ("bob", 7)] {
            let session = loom.session(user).id("desk");
            let outcome = session.run(&charges, cents).id("order").await.unwrap();
            assert_eq!(outcome.output, format!("charged {cents}"));
        }
        assert_eq!(log.take(), ["charge 5", "charge 7"]);
    });
}

#[test]
fn a_run_that_was_dropped_or_paused_continues_under_its_id() {
    let log = Log::default();
    let noted = log.clone();
    let charges = move |cx: RunContext, cents: u64| {
        let log = noted.clone();
        async move {
            let load = log.step("load");
            let text = cx.step("load", &load, cents.to_string()).await?;
            give_way().await;
            let sure: bool = cx.ask("sure", "sure?").await?;
            Ok::<_, Error>(format!("{text}: {sure}"))
        }
    };
    block_on(async {
        let (_, session) = desk();
        let dropped = session.run(&charges, 5u64).id("order").now_or_never();
        assert!(dropped.is_none());
        let paused = session.run(&charges, 5u64).id("order").await.unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused);
        answer_all(&session, &paused, true).await;
        let outcome = session.run(&charges, 5u64).id("order").await.unwrap();
        assert_eq!(outcome.output, "5 load: true");
        assert_eq!(log.take(), ["load"]);
    });
}
