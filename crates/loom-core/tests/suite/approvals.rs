//! An approver is shown the very effect that runs if it grants; nothing else can use its word.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::executor::block_on;
use loom_core::{
    Approval, Approver, Branch, CancelReason, Effect, EffectKind, EffectView, ErrorKind, Gate,
    Limits, Loom, MemoryJournal, Question, Result, RunContext, RunError, RunErrorKind, Tokens,
    Tool, ToolOutput, UserId, Verdict,
};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::recorded::{recorded_by, story, tree};
use crate::steps::{call, echo};

/// Grants what is at most 1,000 cents, and remembers what it was shown.
#[derive(Clone, Default)]
struct Desk(Arc<Mutex<Vec<String>>>);

impl Approver for Desk {
    async fn approve(&self, cx: &EffectView, effect: &Effect, question: &Question) -> Approval {
        let input = effect.input().unwrap();
        let shown = format!(
            "{} {} {input} {question}",
            cx.user().unwrap(),
            question.path
        );
        self.0.lock().unwrap().push(shown);
        match input["cents"].as_u64() {
            Some(0..=1000) => Approval::Granted,
            Some(9999) => panic!("no such amount"),
            _ => Approval::Refused("only small refunds".into()),
        }
    }
}

/// A destructive tool that remembers what it was called with.
fn refund(ran: &Arc<Mutex<Vec<Value>>>) -> Tool {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Refund {
        cents: u64,
    }
    let ran = ran.clone();
    let refund = move |args: Refund| {
        ran.lock().unwrap().push(json!({"cents": args.cents}));
        echo("refunded".into())
    };
    Tool::new("refund", "Pays back.", refund).destructive()
}

const QUESTION: &str = "permissions: may the tool \"refund\" be called with {\"cents\":500,\"x\":[1]}? (destructive tools are asked for)";

#[test]
fn what_is_granted_is_what_runs() {
    let (desk, ran) = (Desk::default(), Arc::default());
    let (recorder, session) = recorded_by(Loom::builder().approver(desk.clone()));
    call(&session, refund(&ran), json!({"cents": 500, "x": [1]})).unwrap();
    assert_eq!(
        *desk.0.lock().unwrap(),
        [format!(
            r#"alice function/tool:refund[c1]#ask:permissions {{"cents":500,"x":[1]}} {QUESTION}"#
        )]
    );
    assert_eq!(*ran.lock().unwrap(), [json!({"cents": 500})]);
    assert_eq!(
        recorder.spans()[1].input,
        Some(json!({"cents": 500, "x": [1]}))
    );
    assert_eq!(
        story(&recorder),
        [
            "open function",
            "open function/tool:refund[c1]",
            "gate function/tool:refund[c1] permissions allows",
            "ask function/tool:refund[c1] permissions",
            "answer function/tool:refund[c1] permissions: yes",
            "close function/tool:refund[c1] completed",
            "close function completed",
            "settled function",
        ]
    );
}

#[test]
fn what_is_refused_is_denied_with_the_reason_and_never_runs() {
    let ran = Arc::default();
    let (recorder, session) = recorded_by(Loom::builder().approver(Desk::default()));
    let error = call(&session, refund(&ran), json!({"cents": 5000})).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::Denied,
            "function/tool:refund[c1]: permissions: only small refunds"
        )
    );
    assert_eq!(*ran.lock().unwrap(), Vec::<Value>::new());
    assert_eq!(
        story(&recorder)[3..6],
        [
            "ask function/tool:refund[c1] permissions",
            "answer function/tool:refund[c1] permissions: no, only small refunds",
            "close function/tool:refund[c1] denied",
        ]
    );
}

#[test]
fn f084_an_approver_that_panics_refused() {
    let ran = Arc::default();
    let (recorder, session) = recorded_by(Loom::builder().approver(Desk::default()));
    let error = call(&session, refund(&ran), json!({"cents": 9999})).unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (
            ErrorKind::Denied,
            "permissions: the approver panicked: no such amount"
        )
    );
    assert_eq!(*ran.lock().unwrap(), Vec::<Value>::new());
    assert_eq!(
        story(&recorder)[4],
        "answer function/tool:refund[c1] permissions: no, the approver panicked: no such amount"
    );
}

#[tokio::test(start_paused = true)]
async fn an_approver_may_take_its_time_and_only_the_deadline_bounds_it() {
    struct Sleeps;
    impl Approver for Sleeps {
        async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
            sleep(Duration::from_secs(86_400)).await;
            Approval::Granted
        }
    }
    async fn erases(cx: RunContext, text: String) -> Result<String> {
        let tool = Tool::new("erase", "Erases.", echo).destructive();
        let output = tool.call(&cx, "c1", json!({"input": text})).await?;
        Ok(output.into_text())
    }
    let (recorder, session) = recorded_by(Loom::builder().approver(Sleeps));
    assert_eq!(session.run(&erases, "go").await.unwrap().output, "go");
    recorder.clear();
    let hurried = session.deadline(Duration::from_secs(3600));
    let error = hurried.run(&erases, "go").await.unwrap_err();
    assert_eq!(
        error.kind(),
        RunErrorKind::Cancelled(CancelReason::Deadline)
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run erases ✗ cancelled (deadline)",
            "  loom.tool erase ✗ cancelled (deadline)",
        ]
    );
}

#[test]
fn f083_each_call_is_asked_about_anew_even_under_the_same_call_id() {
    let (desk, ran) = (Desk::default(), Arc::default());
    let (_, session) = recorded_by(Loom::builder().approver(desk.clone()));
    let tool = refund(&ran);
    let root = move |cx: RunContext, _: String| {
        let tool = tool.clone();
        async move {
            tool.call(&cx, "c1", json!({"cents": 500})).await?;
            tool.call(&cx, "c1", json!({"cents": 500})).await?;
            tool.call(&cx, "c1", json!({"cents": 5000})).await
        }
    };
    let error = block_on(session.run(&root, "go")).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Denied);
    assert_eq!(error.path(), Some("function/tool:refund[c1]#3"));
    assert_eq!(desk.0.lock().unwrap().len(), 3);
    assert_eq!(ran.lock().unwrap().len(), 2);
}

/// Pauses on the first run, grants everything it asks, and resumes with the second.
fn approved_then(
    first: impl Fn(RunContext, String) -> futures::future::BoxFuture<'static, Result<String>>
    + Send
    + Sync
    + 'static,
    second: impl Fn(RunContext, String) -> futures::future::BoxFuture<'static, Result<String>>
    + Send
    + Sync
    + 'static,
    loom: loom_core::LoomBuilder,
) -> Result<String, RunError> {
    let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
    let session = session.id("desk");
    block_on(async {
        let paused = session.run(&first, "go").await.unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused);
        let run_id = paused.report().unwrap().run_id.clone();
        for question in paused.questions() {
            session.answer(&run_id, &question.path, true).await.unwrap();
        }
        let resumed = session.resume(&run_id, &second).await;
        resumed.map(|it| it.output)
    })
}

/// Calls the destructive tool with these arguments for this user.
fn refunds_for(
    ran: &Arc<Mutex<Vec<Value>>>,
    user: &'static str,
    args: Value,
) -> impl Fn(RunContext, String) -> futures::future::BoxFuture<'static, Result<String>>
+ Send
+ Sync
+ 'static {
    let tool = refund(ran);
    move |cx, text| {
        let (tool, args) = (tool.clone(), args.clone());
        let acts = move |cx: RunContext, _: String| {
            let (tool, args) = (tool.clone(), args.clone());
            async move { tool.call(&cx, "c1", args).await.map(ToolOutput::into_text) }
        };
        Box::pin(async move { cx.acting_as(UserId::new(user)?, "acts", &acts, text).await })
    }
}

#[test]
fn f083_an_approval_is_for_these_arguments_and_no_others() {
    let ran = Arc::default();
    let small = || json!({"cents": 500, "note": {"a": 1, "b": 2}});
    let asks = || refunds_for(&ran, "bob", small());
    let same = approved_then(asks(), asks(), Loom::builder());
    assert_eq!(same.unwrap(), "refunded");
    assert_eq!(ran.lock().unwrap().len(), 1);
    for other in [
        json!({"cents": 501, "note": {"a": 1, "b": 2}}),
        json!({"cents": 500}),
        json!({"cents": 500.0, "note": {"a": 1, "b": 2}}),
        json!({"cents": 500, "note": {"a": 1, "b": 2}, "more": null}),
    ] {
        let changed = refunds_for(&ran, "bob", other);
        let error = approved_then(asks(), changed, Loom::builder()).unwrap_err();
        assert_eq!(
            (error.error().kind(), error.message()),
            (
                ErrorKind::Denied,
                "permissions: the approval was given for other arguments"
            )
        );
    }
    assert_eq!(ran.lock().unwrap().len(), 1, "nothing else ran");
}

#[test]
fn f083_an_approval_is_for_this_user_and_no_other() {
    let ran = Arc::default();
    let args = || json!({"cents": 500});
    let (bob, mallory) = (
        refunds_for(&ran, "bob", args()),
        refunds_for(&ran, "mallory", args()),
    );
    let error = approved_then(bob, mallory, Loom::builder()).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Denied);
    assert_eq!(*ran.lock().unwrap(), Vec::<Value>::new());
}

/// Asks its own question about every tool.
struct Asks(&'static str);

impl Gate for Asks {
    fn name(&self) -> &str {
        "desk"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.input().is_some()
    }

    async fn check(&self, _cx: &EffectView, _effect: &Effect) -> Verdict {
        Verdict::Ask(self.0.to_owned())
    }
}

#[test]
fn f083_an_answer_to_one_gate_is_none_to_another_of_the_same_name() {
    let ran = Arc::default();
    let asks = || refunds_for(&ran, "bob", json!({"cents": 5}));
    let loom = Loom::builder()
        .without_permissions()
        .gate(Asks("is it small?"))
        .gate(Asks("is it lawful?"));
    let (_, session) = recorded_by(loom.journal(MemoryJournal::default()));
    let session = session.id("desk");
    block_on(async {
        let paused = session.run(&asks(), "go").await.unwrap_err();
        let bodies = paused.questions().iter().map(|it| it.body.as_str());
        assert!(bodies.eq(["is it small?", "is it lawful?"]), "{paused}");
        let run_id = paused.report().unwrap().run_id.clone();
        let first = &paused.questions()[0].path;
        session.answer(&run_id, first, true).await.unwrap();
        let resumed = session.resume(&run_id, &asks()).await;
        let error = resumed.unwrap_err();
        assert_eq!(error.kind(), RunErrorKind::Paused);
        assert_eq!(error.questions(), &paused.questions()[1..]);
    });
    assert_eq!(*ran.lock().unwrap(), Vec::<Value>::new());
}

/// Wants somebody asked about the model `slow`.
struct AsksAboutSlow;

impl Gate for AsksAboutSlow {
    fn name(&self) -> &str {
        "desk"
    }

    fn concerns(&self, effect: &Effect) -> bool {
        effect.name() == "slow"
    }

    async fn check(&self, _: &EffectView, _: &Effect) -> Verdict {
        Verdict::Ask("may it?".to_owned())
    }
}

/// Grants after an hour.
struct Sleeps;

impl Approver for Sleeps {
    async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
        sleep(Duration::from_secs(3600)).await;
        Approval::Granted
    }
}

/// Two model calls in branches, each of which reserves all there is and takes half of it; when each
/// was made, in seconds.
async fn calls_two_models(cx: RunContext, _: ()) -> Result<Vec<u64>> {
    let started = tokio::time::Instant::now();
    let branch = |name: &'static str| {
        Branch::named(name, move |cx: RunContext| async move {
            let model = Effect::new(EffectKind::Model, name).reserving(10, 0);
            cx.perform(model, (), |cx, ()| async move {
                cx.spend(Tokens::new(if name == "slow" { 5 } else { 0 }, 0));
                Ok(started.elapsed().as_secs())
            })
            .await
        })
    };
    cx.join(2, [branch("slow"), branch("fast")]).await
}

#[tokio::test(start_paused = true)]
async fn a_model_call_that_waits_for_an_approver_lets_others_have_its_reservation() {
    let limits = Limits::default().with_tokens_max(10);
    for journal in [None, Some(MemoryJournal::default())] {
        let mut loom = Loom::builder()
            .limits(limits)
            .gate(AsksAboutSlow)
            .approver(Sleeps);
        if let Some(journal) = journal {
            loom = loom.journal(journal);
        }
        let (_, session) = recorded_by(loom);
        let outcome = session.run(&calls_two_models, ()).await.unwrap();
        assert_eq!(outcome.output, [3600, 0]);
        assert_eq!(outcome.usage.model_calls, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_model_call_that_waits_for_an_answer_lets_others_have_its_reservation() {
    let limits = Limits::default().with_tokens_max(10);
    let loom = Loom::builder().limits(limits).gate(AsksAboutSlow);
    let (recorder, session) = recorded_by(loom.journal(MemoryJournal::default()));
    let session = session.id("desk");
    let paused = session.run(&calls_two_models, ()).await.unwrap_err();
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run calls_two_models ✗ paused",
            "  loom.model.stream slow ✗ paused",
            "  loom.model.stream fast",
        ]
    );
    let run = paused.report().unwrap().run_id.clone();
    let question = &paused.questions()[0].path;
    session.answer(&run, question, true).await.unwrap();
    let outcome = session.resume(&run, &calls_two_models).await.unwrap();
    assert_eq!(outcome.usage.model_calls, 2);
}
