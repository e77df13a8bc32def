//! Attacks by a store that panics, fails, hangs or is slow, in each of its methods.

use std::sync::Arc;

use futures::poll;
use loomflow::{
    Agent, Branch, Error, ErrorKind, IntoStep, Loom, RunContext, RunErrorKind, Settling, Step,
    Tool, ToolOutput, Workflow, branch, step,
};
use serde_json::{Value, json};

use crate::support_a::{
    Act, Counter, Hostile, Method, call, calls_then_results, check_record, fallback, ms,
    once_between, over_journal, paths, run_id, sleep, two_steps,
};

/// Runs this on a store that misbehaves in its `n`th write, for each `n` that it reaches, and
/// asserts that the run ends as broken each time.
async fn broken_at_every_write<M: 'static, S>(body: impl Fn(Counter) -> S, act: Act)
where
    S: IntoStep<u64, M>,
    S::Out: loomflow::Data + std::fmt::Debug,
{
    for n in 0.. {
        assert!(n < 100, "it writes for ever");
        let store = Hostile::at(Method::Write, n, act);
        let (session, recorder) = over_journal(&store);
        let ran = Counter::default();
        let body = body(ran.clone());
        let ended = session.run(&body, 1u64).await;
        let reached = store.count(Method::Write) > n;
        check_record(&recorder.events());
        match ended {
            Ok(outcome) => {
                assert!(n > 0, "it never wrote");
                if reached {
                    // A finished output isn't thrown away by the last write, which is named.
                    assert!(outcome.durable().is_err(), "write {n}");
                    continue;
                }
                return;
            }
            Err(ended) => {
                assert_eq!(ended.kind(), RunErrorKind::Broken, "write {n}: {ended}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_or_fails_in_any_write_ends_the_run_as_broken_past_a_fallback() {
    for act in [Act::Panic, Act::Fail, Act::DoThenFail] {
        let body = |ran: Counter| step(two_steps(ran)).named("two").or_else(fallback);
        broken_at_every_write(body, act).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_or_fails_in_any_write_ends_the_run_as_broken_past_a_retry_and_a_timeout()
 {
    for act in [Act::Panic, Act::Fail, Act::DoThenFail] {
        let body = |ran: Counter| {
            step(two_steps(ran))
                .named("two")
                .retry(5)
                .retry_if(|_| true)
                .timeout(ms(60_000))
                .or_else(fallback)
        };
        broken_at_every_write(body, act).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_or_fails_in_any_write_ends_the_run_as_broken_past_a_settled_set() {
    for act in [Act::Panic, Act::Fail] {
        let body = |ran: Counter| {
            Workflow::chain::<u64>("w")
                .parallel(vec![branch(two_steps(ran.clone())), branch(two_steps(ran))].settle())
                .build()
        };
        broken_at_every_write(body, act).await;
        let body = |ran: Counter| {
            Workflow::chain::<u64>("w")
                .map(|n| vec![n, n + 1, n + 2])
                .each_settled(2, step(two_steps(ran)).named("two").or_else(fallback))
                .build()
        };
        broken_at_every_write(body, act).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_or_fails_in_any_write_ends_the_run_as_broken_past_a_body_that_swallows()
 {
    for act in [Act::Panic, Act::Fail] {
        let body = |ran: Counter| {
            let two = Arc::new(step(two_steps(ran)).named("two"));
            step(move |cx: RunContext, n: u64| {
                let two = two.clone();
                async move {
                    let _ = cx.step("once", &*two, n).await;
                    let _ = cx.step("more", &*two, n).await;
                    let both = (0..2).map(|_| {
                        let two = two.clone();
                        Branch::new(
                            move |cx: RunContext| async move { cx.step("in", &*two, n).await },
                        )
                    });
                    let _ = cx.join(2, both).await;
                    Ok::<_, Error>(0u64)
                }
            })
            .named("body")
        };
        broken_at_every_write(body, act).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_or_fails_in_any_write_ends_an_agents_run_as_broken() {
    let tool = |ran: &Counter| {
        let ran = ran.clone();
        let add = move |_: Value| {
            ran.up();
            async { Ok::<_, Error>(ToolOutput::Text("added".into())) }
        };
        Tool::with_schema("add", "Adds.", json!({"type": "object"}), Step::new(add))
    };
    for act in [Act::Panic, Act::Fail] {
        let body = |ran: Counter| {
            let calls = vec![call("1", "add", json!({})), call("2", "add", json!({}))];
            let agent = Agent::builder("Add.")
                .named("adder")
                .model(calls_then_results(calls))
                .tool(tool(&ran))
                .build()
                .unwrap();
            Workflow::chain::<u64>("w")
                .then(step(agent).or_else(step(|_: loomflow::Prompt| async {
                    Ok::<_, Error>("fallback".to_owned())
                })))
                .build()
        };
        broken_at_every_write(body, act).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_or_panics_at_the_claim_lets_nothing_run() {
    for act in [Act::Panic, Act::Fail] {
        let store = Hostile::at(Method::Claim, 0, act);
        let ran = Counter::default();
        let (session, recorder) = over_journal(&store);
        let body = step(two_steps(ran.clone())).named("two").or_else(fallback);
        let ended = session.run(&body, 1u64).await.unwrap_err();
        assert_eq!(ended.kind(), RunErrorKind::Broken, "{act:?}: {ended}");
        assert_eq!(ran.get(), 0);
        check_record(&recorder.events());
        assert_eq!(session.run(&body, 1u64).await.unwrap().output, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_at_the_release_changes_no_ending() {
    let store = Hostile::at(Method::Release, 0, Act::Panic);
    let (session, recorder) = over_journal(&store);
    let ran = Counter::default();
    let outcome = session
        .run(&step(two_steps(ran)).named("two"), 1u64)
        .await
        .unwrap();
    assert_eq!(outcome.output, 2);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_never_answers_cant_keep_a_run_from_its_deadline_or_its_cancel() {
    for method in [Method::Claim, Method::Write] {
        for n in 0..4 {
            for by_handle in [false, true] {
                let store = Hostile::at(method, n, Act::Hang);
                let (session, recorder) = over_journal(&store);
                let body = step(two_steps(Counter::default()))
                    .named("two")
                    .or_else(fallback);
                let mut run = session.run(&body, 1u64).deadline(ms(500));
                let handle = run.handle();
                if by_handle && poll!(&mut run).is_pending() {
                    handle.cancel();
                }
                let ended = tokio::time::timeout(ms(10_000), run).await;
                let ended =
                    ended.unwrap_or_else(|_| panic!("{method:?} {n} {by_handle}: it hangs"));
                if store.count(method) > n {
                    let kind = ended.unwrap_err().kind();
                    assert!(
                        matches!(kind, RunErrorKind::Cancelled(_) | RunErrorKind::Broken),
                        "{method:?} {n}: {kind:?}"
                    );
                }
                check_record(&recorder.events());
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_slower_than_anything_changes_no_output() {
    let store = Hostile::new(|it, _, _| {
        if it == Method::Write {
            Act::Slow(ms(25_000))
        } else {
            Act::Slow(ms(5_000))
        }
    });
    let (session, recorder) = over_journal(&store);
    let paid = Counter::default();
    let outcome = session
        .run(&step(once_between(&paid)).named("body"), 1u64)
        .await
        .unwrap();
    assert_eq!((outcome.output, paid.get()), (2, 1));
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_panics_for_people_is_an_error_for_them_and_harms_no_run() {
    let store = Hostile::honest();
    let (session, _) = over_journal(&store);
    let loom = Loom::builder().journal(store.clone()).build();
    let body = step(|cx: RunContext, _: u64| async move { cx.ask::<bool>("sure", "?").await })
        .named("body");
    let paused = session.run(&body, 1u64).await.unwrap_err();
    let (id, path) = (run_id(&paused), paths(&paused)[0].clone());
    let scope = session.scope().unwrap();
    for bad in [Method::Answer, Method::Read, Method::Runs] {
        for act in [Act::Panic, Act::Fail] {
            store.replan(move |it, _, _| if it == bad { act } else { Act::Pass });
            if matches!(bad, Method::Answer | Method::Read) {
                let told = session.answer(&id, &path, true).await;
                if store.count(bad) > 0 {
                    assert_eq!(
                        told.unwrap_err().kind(),
                        ErrorKind::Failed,
                        "{bad:?} {act:?}"
                    );
                }
            }
            if bad == Method::Runs {
                assert!(loom.paused(&scope).await.is_err());
            }
        }
    }
    store.replan(|_, _, _| Act::Pass);
    let open = loom.paused(&scope).await.unwrap();
    if let [open] = &open[..] {
        if !open.questions.is_empty() {
            session.answer(&id, &path, true).await.unwrap();
        }
        assert!(session.resume(&id, &body).await.unwrap().output);
    } else {
        panic!("the run is lost: {open:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_the_store_fails_is_an_error_and_works_the_next_time() {
    for bad in [Method::RequestCancel, Method::Claim, Method::Write] {
        for act in [Act::Panic, Act::Fail] {
            let store = Hostile::honest();
            let (session, recorder) = over_journal(&store);
            let loom = Loom::builder()
                .journal(store.clone())
                .observe(recorder.clone())
                .build();
            let body =
                step(|cx: RunContext, _: u64| async move { cx.ask::<bool>("sure", "?").await });
            let body = body.named("body");
            let paused = session.run(&body, 1u64).await.unwrap_err();
            let scope = session.scope().unwrap();
            store.replan(move |it, _, _| if it == bad { act } else { Act::Pass });
            let told = loom.cancel(&scope, &run_id(&paused)).await;
            assert!(store.count(bad) == 0 || told.is_err(), "{bad:?} {act:?}");
            store.replan(|_, _, _| Act::Pass);
            if told.is_err() {
                sleep(60_000).await;
                loom.cancel(&scope, &run_id(&paused)).await.unwrap();
            }
            assert!(loom.paused(&scope).await.unwrap().is_empty());
            check_record(&recorder.events());
        }
    }
}
