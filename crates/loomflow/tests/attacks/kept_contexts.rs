//! Attacks with contexts and futures that are kept after their effect, their branch or their run.

use std::sync::Arc;
use std::task::Poll;

use futures::executor::block_on;
use futures::future::{BoxFuture, pending};
use futures::{FutureExt, StreamExt, poll};
use loomflow::audit::{Audit, AuditKey, Expected};
use loomflow::{
    Attributes, Branch, CancelReason, Error, ErrorKind, Happened, Loom, Result, RunContext,
    RunErrorKind, StreamItem, UserId, step,
};

use crate::escapes::{Kept, forever, one, recorded, taken};
use crate::support_a::{Dropped, check_record, sleep};

/// Tries all that a context can do, and asserts that nothing of it works.
async fn abuse(cx: &RunContext) {
    cx.note("late", &Attributes::default());
    cx.record_one("late", 1i64);
    cx.delta("late");
    cx.spend(loomflow::Tokens::new(1, 1));
    assert!(cx.is_stopping());
    assert!(cx.step("late", &one, ()).await.is_err());
    assert!(cx.ask::<bool>("late", "?").await.is_err());
    assert!(
        cx.acting_as(UserId::new("bob").unwrap(), "late", &one, ())
            .await
            .is_err()
    );
    let branches = (0..3)
        .map(|_| Branch::new(|cx: RunContext| async move { cx.step("late", &one, ()).await }));
    assert!(cx.join(2, branches).await.is_err());
    let _ = cx.limit_reached("late", 1);
    let _ = cx
        .refuse(loomflow::Effect::tool("late", "1"), Error::invalid("late"))
        .await;
    cx.handle().cancel();
}

#[test]
fn a_context_kept_after_its_run_opens_and_says_nothing_more() {
    let kept: Kept<Vec<RunContext>> = Arc::default();
    let body = {
        let kept = kept.clone();
        move |cx: RunContext, _: ()| {
            let kept = kept.clone();
            async move {
                let keep = {
                    let kept = kept.clone();
                    move |inner: RunContext, _: ()| {
                        kept.lock().unwrap().get_or_insert_default().push(inner);
                        async { Ok::<_, Error>(1u64) }
                    }
                };
                cx.step("inner", &keep, ()).await?;
                kept.lock().unwrap().get_or_insert_default().push(cx);
                Ok::<_, Error>(2u64)
            }
        }
    };
    let (loom, recorder) = recorded();
    block_on(async {
        let body = step(body).named("body");
        assert_eq!(
            loom.session("alice").run(&body, ()).await.unwrap().output,
            2
        );
        let before = recorder.events();
        assert!(matches!(
            before.last().unwrap().what,
            Happened::Settled { .. }
        ));
        for cx in taken(&kept) {
            abuse(&cx).await;
        }
        assert_eq!(
            recorder.events().len(),
            before.len(),
            "nothing follows the end of a run"
        );
        assert_eq!(loom.running(), 0);
    });
}

#[tokio::test(start_paused = true)]
async fn a_context_kept_after_its_effect_says_nothing_more_while_its_run_continues() {
    let body = |cx: RunContext, _: ()| async move {
        let kept: Kept<RunContext> = Arc::default();
        let keep = {
            let kept = kept.clone();
            move |inner: RunContext, _: ()| {
                *kept.lock().unwrap() = Some(inner);
                async { Ok::<_, Error>(1u64) }
            }
        };
        cx.step("closed", &keep, ()).await?;
        let kept = taken(&kept);
        kept.note("late", &Attributes::default());
        kept.record_one("late", 1i64);
        kept.delta("late");
        assert!(kept.step("late", &one, ()).await.is_err());
        assert!(kept.ask::<bool>("late", "?").await.is_err());
        let branches = [Branch::new(|cx: RunContext| async move {
            cx.step("late", &one, ()).await
        })];
        assert!(kept.join(2, branches).await.is_err());
        cx.step("open", &one, ()).await
    };
    let (loom, recorder) = recorded();
    let outcome = loom
        .session("alice")
        .run(&step(body).named("body"), ())
        .await
        .unwrap();
    assert_eq!((outcome.output, outcome.visited.len()), (1, 2));
    check_record(&recorder.events());
    assert_eq!(recorder.spans().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_context_kept_after_its_branch_opens_nothing_in_the_set_around_it() {
    let body = |cx: RunContext, _: ()| async move {
        let kept: Kept<RunContext> = Arc::default();
        let mut set = cx.branches::<u64>();
        let keep = kept.clone();
        set.push(
            0,
            Branch::new(move |cx: RunContext| async move {
                *keep.lock().unwrap() = Some(cx);
                Err(Error::new(ErrorKind::Failed, "no"))
            }),
        );
        assert!(set.next().await.is_err());
        drop(set);
        let kept = taken(&kept);
        let late = kept.step("late", &one, ()).await;
        let asked = kept.ask::<bool>("late", "?").await;
        Ok::<_, Error>((late.is_ok(), asked.is_ok()))
    };
    let (loom, recorder) = recorded();
    let outcome = loom
        .session("alice")
        .run(&step(body).named("body"), ())
        .await
        .unwrap();
    assert_eq!(outcome.output, (false, false));
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_future_kept_after_its_parent_closed_drops_its_body_and_returns_stopped() {
    let kept: Kept<BoxFuture<'static, Result<u64>>> = Arc::default();
    let dropped = Dropped::default();
    let body = {
        let (kept, dropped) = (kept.clone(), dropped.clone());
        move |cx: RunContext, _: ()| {
            let (kept, dropped) = (kept.clone(), dropped.clone());
            async move {
                let inner = move |_: ()| {
                    let guard = dropped.guard();
                    async move {
                        let _guard = guard;
                        pending::<Result<u64>>().await
                    }
                };
                let mut future = async move { cx.step("kept", &inner, ()).await }.boxed();
                assert!(poll!(&mut future).is_pending());
                *kept.lock().unwrap() = Some(future);
                Ok::<_, Error>(7u64)
            }
        }
    };
    let (loom, recorder) = recorded();
    let outcome = loom
        .session("alice")
        .run(&step(body).named("body"), ())
        .await
        .unwrap();
    assert_eq!(outcome.output, 7);
    let events = recorder.events();
    check_record(&events);
    let mut future = taken(&kept);
    let Poll::Ready(told) = poll!(&mut future) else {
        panic!("it waits for nothing")
    };
    assert_eq!(told.unwrap_err().kind(), ErrorKind::Stopped);
    assert!(dropped.get());
    assert_eq!(recorder.events().len(), events.len());
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_done_in_a_stream_though_contexts_are_kept() {
    let kept: Kept<RunContext> = Arc::default();
    let body = {
        let kept = kept.clone();
        move |cx: RunContext, _: ()| {
            *kept.lock().unwrap() = Some(cx.clone());
            async move {
                let detached = cx.clone();
                tokio::spawn(async move { detached.step("detached", &forever, ()).await });
                sleep(1).await;
                cx.step("last", &one, ()).await
            }
        }
    };
    let (loom, recorder) = recorded();
    let (session, body) = (loom.session("alice"), step(body).named("body"));
    let mut stream = session.run(&body, ()).stream();
    let (mut events, mut done) = (0, 0);
    while let Some(item) = stream.next().await {
        match item {
            StreamItem::Event(_) if done == 0 => events += 1,
            StreamItem::Done(outcome) => {
                assert_eq!(outcome.unwrap().output, 1);
                done += 1;
                let cx = taken(&kept);
                abuse(&cx).await;
            }
            it => panic!("after the end: {it:?}"),
        }
    }
    assert!(stream.next().await.is_none());
    assert_eq!((done, events), (1, recorder.events().len()));
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn nothing_of_a_run_lies_beyond_its_anchor() {
    let kept: Kept<RunContext> = Arc::default();
    let audit = Audit::in_memory(AuditKey::from_bytes(&[7; 32]).unwrap())
        .build()
        .unwrap();
    let loom = Loom::builder().install(audit.clone()).build();
    let body = {
        let kept = kept.clone();
        move |cx: RunContext, _: ()| {
            *kept.lock().unwrap() = Some(cx.clone());
            let detached = cx.clone();
            async move {
                let late = tokio::spawn(async move {
                    loop {
                        detached.note("late", &Attributes::default());
                        if detached.step("late", &one, ()).await.is_err() {
                            break;
                        }
                        tokio::task::yield_now().await;
                    }
                });
                for _ in 0..50 {
                    tokio::task::yield_now().await;
                }
                let last = cx.step("last", &one, ()).await;
                drop(late);
                last
            }
        }
    };
    let outcome = loom
        .session("alice")
        .run(&step(body).named("body"), ())
        .await
        .unwrap();
    let anchor = outcome.anchors[0].clone();
    let bytes = audit.bytes().len();
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
    abuse(&taken(&kept)).await;
    assert_eq!(audit.bytes().len(), bytes);
    assert_eq!(audit.anchor().size, anchor.size);
    assert_eq!(audit.anchor().head, anchor.head);
    let report = loomflow::audit::verify(
        &audit.bytes(),
        &[AuditKey::from_bytes(&[7; 32]).unwrap()],
        &[Expected::from(&anchor)],
    );
    assert!(
        report.findings.is_empty() && report.open.is_empty(),
        "{report:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_context_of_one_run_used_in_another_decides_nothing_there() {
    let (loom, recorder) = recorded();
    let session = loom.session("alice");
    let kept: Kept<RunContext> = Arc::default();
    let first = {
        let kept = kept.clone();
        move |cx: RunContext, _: ()| {
            *kept.lock().unwrap() = Some(cx);
            async { pending::<Result<u64>>().await }
        }
    };
    let first = step(first).named("first");
    let mut a = session.run(&first, ());
    assert!(poll!(&mut a).is_pending());
    let cx = taken(&kept);
    let second = {
        let handle = a.handle();
        step(move |own: RunContext, _: ()| {
            let (cx, handle) = (cx.clone(), handle.clone());
            async move {
                let foreign = async {
                    sleep(5).await;
                    handle.cancel();
                    pending::<()>().await;
                };
                let stopped = tokio::select! {
                    it = cx.step("foreign", &forever, ()) => it,
                    () = foreign => unreachable!(),
                };
                let stopped = stopped.unwrap_err();
                own.step("own", &one, ()).await?;
                Err::<u64, _>(stopped)
            }
        })
    };
    let second = second.named("second");
    let (ended_a, ended_b) = futures::join!(&mut a, session.run(&second, ()));
    assert_eq!(
        ended_a.unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
    let ended_b = ended_b.unwrap_err();
    assert_eq!(ended_b.kind(), RunErrorKind::Failed, "{ended_b}");
    check_record(&recorder.events());
}
