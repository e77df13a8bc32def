//! Attacks on approvals: what is none, what spends one, and what an approver may not do.

use std::sync::{Arc, Mutex};

use futures::future::pending;
use futures::poll;
use loomflow::journal::{RunStatus, SlotKind};
use loomflow::{
    Agent, Approval, Approver, Effect, EffectView, Error, ErrorKind, Loom, Origin, Question,
    Recorder, Resolution, RunErrorKind, Step, Tool, ToolOutput,
};
use serde_json::{Value, json};

use crate::answers::{over, sure};
use crate::support_a::{
    Act, Counter, Hostile, Method, call, calls_then_results, check_record, paths, run_id,
};

pub(crate) type Paid = Arc<Mutex<Vec<u64>>>;

pub(crate) fn payer(paid: &Paid, hangs: bool, calls: Vec<u64>) -> Agent {
    let paid = paid.clone();
    let schema = json!({
        "type": "object",
        "properties": {"cents": {"type": "integer", "maximum": 1000}},
        "required": ["cents"],
        "additionalProperties": false,
    });
    let pay = move |args: Value| {
        let paid = paid.clone();
        async move {
            let cents = args["cents"].as_u64().unwrap();
            paid.lock().unwrap().push(cents);
            if hangs {
                return pending().await;
            }
            Ok::<_, Error>(ToolOutput::Text(format!("paid {cents}")))
        }
    };
    let tool = Tool::with_schema("pay", "Pays.", schema, Step::new(pay)).destructive();
    let calls = calls
        .into_iter()
        .map(|cents| call("", "pay", json!({"cents": cents})))
        .collect();
    Agent::builder("Pay.")
        .named("payer")
        .model(calls_then_results(calls))
        .tool(tool)
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_is_no_approval_leaves_the_question_open_and_pays_nothing() {
    let paid = Paid::default();
    let agent = payer(&paid, false, vec![5]);
    let (_, session, _) = over(&Hostile::honest());
    let paused = session.run(&agent, "go").await.unwrap_err();
    let (id, path) = (run_id(&paused), paths(&paused)[0].clone());
    let wrong = [
        json!("yes"),
        json!("true"),
        json!("ok"),
        json!("no"),
        json!(""),
        json!(" Yes. "),
        json!(1),
        json!(null),
        json!([]),
        json!([true]),
        json!({}),
        json!({"approved": true}),
        json!({"granted_with": {"cents": 1}, "refused": "x"}),
        json!({"granted": true}),
        json!({"refused": true}),
    ];
    let mut accepted = Vec::new();
    for wrong in wrong {
        match session.answer(&id, &path, &wrong).await {
            Ok(()) => accepted.push(wrong),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Invalid, "{wrong}"),
        }
        if !accepted.is_empty() {
            break;
        }
    }
    assert!(
        accepted.is_empty(),
        "taken for an approval or refusal: {accepted:?}"
    );
    session
        .answer(&id, &path, "archive it instead")
        .await
        .unwrap();
    let outcome = session.resume(&id, &agent).await.unwrap();
    assert!(
        outcome.output.contains("archive it instead"),
        "{}",
        outcome.output
    );
    assert!(paid.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_approval_lets_one_payment_happen_however_often_the_resumed_run_is_dropped() {
    let paid = Paid::default();
    let agent = payer(&paid, true, vec![5]);
    let (_, session, recorder) = over(&Hostile::honest());
    let paused = session.run(&agent, "go").await.unwrap_err();
    let id = run_id(&paused);
    session.answer(&id, &paths(&paused)[0], true).await.unwrap();
    for round in 0..4 {
        let mut run = session.resume(&id, &agent);
        let mut ended = None;
        for _ in 0..100 {
            if let std::task::Poll::Ready(it) = poll!(&mut run) {
                ended = Some(it);
                break;
            }
            tokio::task::yield_now().await;
        }
        drop(run);
        assert_eq!(paid.lock().unwrap().len(), 1, "round {round}");
        if round > 0 {
            let ended = ended.expect("it asks").unwrap_err();
            assert_eq!(ended.kind(), RunErrorKind::Paused, "{ended}");
            assert_eq!(ended.questions()[0].origin, Origin::Unfinished);
        }
    }
    // A further payment needs a further word of somebody.
    let ended = session.resume(&id, &agent).await.unwrap_err();
    session
        .answer(&id, &paths(&ended)[0], Resolution::Ran(json!("paid 5")))
        .await
        .unwrap();
    let outcome = session.resume(&id, &agent).await.unwrap();
    assert_eq!(
        (outcome.output.as_str(), paid.lock().unwrap().len()),
        ("paid 5", 1)
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn an_approval_is_spent_by_a_call_that_fails_and_by_no_other_call() {
    let (paid, model_turn) = (Paid::default(), Counter::default());
    let schema = json!({"type": "object", "properties": {"cents": {"type": "integer"}}});
    let tool = {
        let paid = paid.clone();
        let pay = move |args: Value| {
            paid.lock().unwrap().push(args["cents"].as_u64().unwrap());
            async { Err::<ToolOutput, _>(Error::new(ErrorKind::Failed, "the bank is closed")) }
        };
        Tool::with_schema("pay", "Pays.", schema, Step::new(pay)).destructive()
    };
    // The model calls the same again, with the same id, in a second turn.
    let model = loomflow::FnModel::new("m", move |request: &loomflow::Request<'_>| {
        let _ = &model_turn;
        let mut reply = loomflow::Reply::text("done");
        if request.messages.len() < 4 {
            reply.calls = vec![call("same", "pay", json!({"cents": 5}))];
        }
        Ok(reply)
    });
    let agent = Agent::builder("Pay.")
        .named("payer")
        .model(model)
        .tool(tool)
        .build()
        .unwrap();
    let (_, session, recorder) = over(&Hostile::honest());
    let mut ended = session.run(&agent, "go").await;
    let mut approvals = 0;
    while let Err(paused) = &ended {
        assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
        assert_eq!(
            paid.lock().unwrap().len(),
            approvals,
            "paid more often than approved"
        );
        approvals += 1;
        assert!(approvals < 10);
        session
            .answer(&run_id(paused), &paths(paused)[0], true)
            .await
            .unwrap();
        ended = session.resume(&run_id(paused), &agent).await;
    }
    assert_eq!(approvals, 2);
    assert_eq!(paid.lock().unwrap().len(), 2);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn changed_arguments_that_dont_fit_are_asked_about_again_and_what_fits_is_what_runs() {
    let paid = Paid::default();
    let agent = payer(&paid, false, vec![5]);
    let (_, session, recorder) = over(&Hostile::honest());
    let mut ended = session.run(&agent, "go").await.unwrap_err();
    let id = run_id(&ended);
    for bad in [
        json!({"cents": 5000}),
        json!({"cents": "7"}),
        json!({}),
        json!({"cents": 7, "x": 1}),
    ] {
        let path = paths(&ended)[0].clone();
        session
            .answer(&id, &path, Approval::GrantedWith(bad.clone()))
            .await
            .unwrap();
        ended = session.resume(&id, &agent).await.unwrap_err();
        assert_eq!(ended.kind(), RunErrorKind::Paused, "{bad}: {ended}");
        assert_ne!(paths(&ended)[0], path);
        assert!(paid.lock().unwrap().is_empty());
    }
    session
        .answer(
            &id,
            &paths(&ended)[0],
            Approval::GrantedWith(json!({"cents": 7})),
        )
        .await
        .unwrap();
    let outcome = session.resume(&id, &agent).await.unwrap();
    assert_eq!(outcome.output, "paid 7");
    assert_eq!(*paid.lock().unwrap(), [7]);
    check_record(&recorder.events());
}

/// Panics, or grants with arguments that don't fit.
struct BadDesk(bool);

impl Approver for BadDesk {
    async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
        assert!(self.0, "nobody is at the desk");
        Approval::GrantedWith(json!({"cents": 1_000_000}))
    }

    async fn answer(&self, _: &EffectView, _: &Question) -> Option<Value> {
        assert!(self.0, "nobody is at the desk");
        Some(json!("what?"))
    }
}

#[tokio::test(start_paused = true)]
async fn an_approver_that_panics_or_grants_nonsense_pays_nothing_and_ends() {
    for sane in [false, true] {
        let paid = Paid::default();
        let agent = payer(&paid, false, vec![5]);
        let recorder = Recorder::default();
        let loom = Loom::builder()
            .approver(BadDesk(sane))
            .observe(recorder.clone())
            .build();
        let run = loom.session("alice").run(&agent, "go").await;
        assert!(paid.lock().unwrap().is_empty(), "{run:?}");
        let run = loom.session("alice").run(&sure, 1u64).await;
        assert!(run.is_err(), "{run:?}");
        check_record(&recorder.events());
    }
}

/// What was written of each head: its status, what it waits for, and how many questions came with it.
type Heads = Arc<Mutex<Vec<(RunStatus, Vec<String>, usize)>>>;

#[tokio::test(start_paused = true)]
async fn a_paused_head_waits_for_exactly_the_open_questions() {
    let store = Hostile::honest();
    let seen: Heads = Arc::default();
    let heads = seen.clone();
    store.replan(move |method, _, batch| {
        if let (Method::Write, Some(batch)) = (method, batch) {
            let questions = batch
                .records
                .iter()
                .filter(|it| it.key.kind == SlotKind::Question);
            heads.lock().unwrap().push((
                batch.head.status,
                batch.head.waiting.clone(),
                questions.count(),
            ));
        }
        Act::Pass
    });
    let paid = Paid::default();
    let agent = payer(&paid, false, vec![5, 6, 7]);
    let (_, session, _) = over(&store);
    let paused = session.run(&agent, "go").await.unwrap_err();
    let seen = seen.lock().unwrap();
    let (status, mut waiting, _) = seen.last().unwrap().clone();
    let mut asked = paths(&paused);
    asked.sort();
    waiting.sort();
    assert_eq!((status, waiting), (RunStatus::Paused, asked));
    assert_eq!(
        seen.iter().map(|it| it.2).sum::<usize>(),
        3,
        "each question is written once"
    );
}
