//! Attacks on what a body tells apart by names: whatever arrives first, each record and answer goes
//! to the one it belongs to.

use std::collections::BTreeSet;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use loomflow::{
    Branch, Error, ErrorKind, Loom, MemoryJournal, Recorder, Result, RunContext, RunErrorKind,
    Session, step,
};

use crate::support_a::{Counter, check_record, paths, run_id, sleep};

pub(crate) fn journaled() -> (Session, Recorder) {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .journal(MemoryJournal::default())
        .observe(recorder.clone())
        .build();
    (loom.session("alice"), recorder)
}

pub(crate) async fn slowly(n: u64) -> Result<u64> {
    sleep(n).await;
    Ok(n)
}

#[tokio::test(start_paused = true)]
async fn an_answer_never_reaches_the_other_branch_that_asked_the_same() {
    async fn pay(cx: RunContext, slow: Vec<u64>) -> Result<Vec<(u64, bool)>> {
        let one = |n: u64| {
            Branch::new(move |cx: RunContext| async move {
                if n > 0 {
                    cx.step("load", &slowly, n).await?;
                }
                Ok((n, cx.ask::<bool>("approve", "Pay?").await?))
            })
        };
        cx.join(8, slow.into_iter().map(one)).await
    }
    let (session, recorder) = journaled();
    let paused = session.run(&pay, vec![50u64, 0, 20]).await.unwrap_err();
    let asked: BTreeSet<_> = paths(&paused).into_iter().collect();
    let asked: Vec<_> = asked.into_iter().collect();
    assert_eq!(asked.len(), 3);
    for (path, answer) in asked.iter().zip([true, false, false]) {
        session
            .answer(&run_id(&paused), path, answer)
            .await
            .unwrap();
    }
    let outcome = session.resume(&run_id(&paused), &pay).await.unwrap();
    assert_eq!(outcome.output, [(50, true), (0, false), (20, false)]);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_question_asked_twice_on_one_context_at_once_is_refused_and_says_how_to_tell_them_apart()
{
    async fn pay(cx: RunContext, _: ()) -> Result<(bool, bool)> {
        let one = async {
            cx.step("load", &slowly, 50u64).await?;
            cx.ask::<bool>("approve", "Pay?").await
        };
        futures::try_join!(one, cx.ask::<bool>("approve", "Pay?"))
    }
    let (session, _) = journaled();
    let error = session.run(&pay, ()).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid, "{error}");
    assert!(
        error.message().contains("branch") || error.message().contains("join"),
        "{error}"
    );
    assert!(error.questions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn records_of_a_users_own_join_go_to_their_names_though_replay_reverses_the_order() {
    async fn two(cx: RunContext, _: ()) -> Result<(u64, u64, bool)> {
        let (a, b) = futures::try_join!(
            async {
                cx.step("first", &slowly, 30u64).await?;
                cx.step("a", &slowly, 1u64).await
            },
            cx.step("b", &slowly, 20u64)
        )?;
        Ok((a, b, cx.ask("sure", "?").await?))
    }
    let (session, recorder) = journaled();
    let paused = session.run(&two, ()).await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    assert_eq!(
        session.resume(&run_id(&paused), &two).await.unwrap().output,
        (1, 20, true)
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn the_same_name_at_once_on_one_context_is_refused_with_a_journal_and_counted_without_one() {
    async fn many(cx: RunContext, _: ()) -> Result<Vec<u64>> {
        let mut all: FuturesUnordered<_> = [30u64, 10, 20]
            .into_iter()
            .map(|n| cx.step("load", &slowly, n))
            .collect();
        let mut out = Vec::new();
        while let Some(n) = all.next().await {
            out.push(n?);
        }
        Ok(out)
    }
    let (session, recorder) = journaled();
    let error = session.run(&many, ()).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid, "{error}");
    check_record(&recorder.events());
    let outcome = Loom::builder()
        .build()
        .session("alice")
        .run(&many, ())
        .await
        .unwrap();
    assert_eq!(outcome.output, [10, 20, 30]);
}

#[tokio::test(start_paused = true)]
async fn a_name_comes_again_after_an_overlap_only_the_record_remembers_and_is_refused() {
    async fn body(cx: RunContext, _: ()) -> Result<u64> {
        futures::try_join!(cx.step("a", &slowly, 20u64), cx.step("b", &slowly, 10u64))?;
        let _: bool = cx.ask("sure", "?").await?;
        cx.step("a", &slowly, 5u64).await
    }
    let (session, _) = journaled();
    let paused = session.run(&body, ()).await.unwrap_err();
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    let error = session.resume(&run_id(&paused), &body).await.unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Invalid, "{error}");
}

#[tokio::test(start_paused = true)]
async fn the_loser_of_a_select_never_becomes_the_winners_record() {
    async fn race(cx: RunContext, _: ()) -> Result<(u64, bool)> {
        let won = {
            let slow = Box::pin(cx.step("slow", &slowly, 50u64));
            let fast = Box::pin(cx.step("fast", &slowly, 10u64));
            match futures::future::select(slow, fast).await {
                futures::future::Either::Left((it, _)) => it?,
                futures::future::Either::Right((it, _)) => it?,
            }
        };
        Ok((won, cx.ask("sure", "?").await?))
    }
    let (session, recorder) = journaled();
    let paused = session.run(&race, ()).await.unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
    session
        .answer(&run_id(&paused), &paths(&paused)[0], true)
        .await
        .unwrap();
    assert_eq!(
        session
            .resume(&run_id(&paused), &race)
            .await
            .unwrap()
            .output,
        (10, true)
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_retry_that_reorders_its_steps_gets_each_steps_own_record() {
    let (tries, x, y) = (Counter::default(), Counter::default(), Counter::default());
    let body = {
        let (tries, x, y) = (tries.clone(), x.clone(), y.clone());
        move |cx: RunContext, _: ()| {
            let (first, x, y) = (tries.up() == 0, x.clone(), y.clone());
            async move {
                let fx = move |n: u64| {
                    x.up();
                    async move { Ok::<_, Error>(format!("x{n}")) }
                };
                let fy = move |n: u64| {
                    y.up();
                    async move { Ok::<_, Error>(format!("y{n}")) }
                };
                if first {
                    cx.step("x", &fx, 1u64).await?;
                    cx.step("y", &fy, 1u64).await?;
                    return Err(Error::new(ErrorKind::Failed, "once more"));
                }
                let y = cx.step("y", &fy, 1u64).await?;
                let x = cx.step("x", &fx, 1u64).await?;
                Ok(format!("{x}{y}"))
            }
        }
    };
    let (session, recorder) = journaled();
    let outcome = session
        .run(&step(body).named("flaky").retry(3), ())
        .await
        .unwrap();
    assert_eq!(outcome.output, "x1y1");
    assert_eq!(
        (x.get(), y.get()),
        (1, 1),
        "what an earlier attempt finished isn't run again"
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_retry_never_takes_the_record_of_another_input() {
    let tries = Counter::default();
    let body = {
        let tries = tries.clone();
        move |cx: RunContext, _: ()| {
            let first = tries.up() == 0;
            async move {
                if first {
                    cx.step("load", &slowly, 1u64).await?;
                    cx.step("load", &slowly, 2u64).await?;
                    return Err(Error::new(ErrorKind::Failed, "once more"));
                }
                cx.step("load", &slowly, 2u64).await
            }
        }
    };
    let (session, _) = journaled();
    match session.run(&step(body).named("flaky").retry(3), ()).await {
        Ok(outcome) => assert_eq!(outcome.output, 2),
        Err(error) => assert_eq!(error.error().kind(), ErrorKind::Invalid, "{error}"),
    }
}
