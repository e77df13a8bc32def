//! Attacks on answers: guessed ids, wrong types, replays, questions that were withdrawn, and runs that
//! are over.

use futures::future::pending;
use futures::poll;
use loomflow::{
    Branch, Error, ErrorKind, Loom, Origin, Recorder, Resolution, Result, RunContext, RunErrorKind,
    RunId, Session, step,
};
use serde_json::json;

use crate::support_a::{Counter, Hostile, check_record, paths, run_id, sleep};

pub(crate) fn over(store: &Hostile) -> (Loom, Session, Recorder) {
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .journal(store.clone())
        .observe(recorder.clone())
        .build();
    let session = loom.session("alice").id("s");
    (loom, session, recorder)
}

pub(crate) async fn sure(cx: RunContext, _: u64) -> Result<bool> {
    cx.ask("sure", "Sure?").await
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_question_cant_be_answered_and_isnt_listed() {
    let (loom, session, recorder) = over(&Hostile::honest());
    let body = |cx: RunContext, _: u64| async move {
        let fails = Branch::new(|_: RunContext| async move {
            sleep(50).await;
            Err::<bool, _>(Error::new(ErrorKind::Failed, "no"))
        });
        let asks = Branch::new(|cx: RunContext| async move { cx.ask::<bool>("gone", "?").await });
        let _ = cx.join(2, [fails, asks]).await;
        cx.ask::<bool>("left", "?").await
    };
    let body = step(body).named("body");
    let paused = session.run(&body, 1u64).await.unwrap_err();
    assert_eq!(paths(&paused), ["body/left"]);
    let told = session
        .answer(&run_id(&paused), "body/[1]/gone", true)
        .await
        .unwrap_err();
    assert_eq!(told.kind(), ErrorKind::Invalid);
    let listed = loom.paused(&session.scope().unwrap()).await.unwrap();
    assert_eq!(listed[0].questions, paused.questions());
    session
        .answer(&run_id(&paused), "body/left", true)
        .await
        .unwrap();
    assert!(
        session
            .resume(&run_id(&paused), &body)
            .await
            .unwrap()
            .output
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn whoever_guesses_ids_learns_nothing() {
    let (loom, session, _) = over(&Hostile::honest());
    let paused = session.run(&sure, 1u64).await.unwrap_err();
    let (id, path) = (run_id(&paused), paths(&paused)[0].clone());
    let unknown = RunId::new("00000000-0000-7000-8000-000000000000").unwrap();
    let guesses = [
        (loom.session("bob").id("s"), &id, path.as_str()),
        (loom.session("alice").id("t"), &id, path.as_str()),
        (loom.anonymous().id("s"), &id, path.as_str()),
        (session.clone(), &unknown, path.as_str()),
        (session.clone(), &id, "sure/other"),
    ];
    let mut told = std::collections::BTreeSet::new();
    for (session, id, path) in guesses {
        let error = session.answer(id, path, true).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        told.insert(
            error
                .to_string()
                .replace(id.as_str(), "ID")
                .replace(path, "PATH"),
        );
    }
    assert_eq!(told.len(), 1, "{told:?}");

    let mut told = std::collections::BTreeSet::new();
    for (session, id) in [
        (loom.session("bob").id("s"), &id),
        (loom.session("alice").id("t"), &id),
        (session.clone(), &unknown),
    ] {
        let error = session.resume(id, &sure).await.unwrap_err();
        told.insert(error.message().replace(id.as_str(), "ID"));
        let error = loom
            .cancel(&session.scope().unwrap(), id)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        told.insert(format!(
            "cancel {}",
            error.message().replace(id.as_str(), "ID")
        ));
    }
    assert_eq!(told.len(), 2, "{told:?}");
    session.answer(&id, &path, true).await.unwrap();
    assert!(session.resume(&id, &sure).await.unwrap().output);
}

#[tokio::test(start_paused = true)]
async fn an_answer_of_another_type_is_never_read_as_one_and_is_asked_for_anew() {
    let (_, session, recorder) = over(&Hostile::honest());
    let mut ended = session.run(&sure, 1u64).await.unwrap_err();
    let mut rounds = 1;
    for wrong in [json!("true"), json!(1), json!(null), json!({"a": 1})] {
        let path = paths(&ended)[0].clone();
        if session
            .answer(&run_id(&ended), &path, &wrong)
            .await
            .is_err()
        {
            continue;
        }
        ended = session.resume(&run_id(&ended), &sure).await.unwrap_err();
        assert_eq!(ended.kind(), RunErrorKind::Paused, "{wrong}: {ended}");
        rounds += 1;
        assert!(
            paths(&ended)[0].ends_with(&format!("#round:{rounds}")),
            "{:?}",
            paths(&ended)
        );
    }
    session
        .answer(&run_id(&ended), &paths(&ended)[0], true)
        .await
        .unwrap();
    assert!(session.resume(&run_id(&ended), &sure).await.unwrap().output);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_resolution_that_the_step_cant_have_returned_runs_nothing_again() {
    let paid = Counter::default();
    let body = {
        let paid = paid.clone();
        let charge = move |_: u64| {
            paid.up();
            async { pending::<Result<u64>>().await }
        };
        step(charge).once().named("charge")
    };
    let (_, session, _) = over(&Hostile::honest());
    let mut run = session.run(&body, 1u64);
    let id = run.handle().run_id().clone();
    while paid.get() == 0 {
        assert!(poll!(&mut run).is_pending());
    }
    drop(run);
    let asked = session.resume(&id, &body).await.unwrap_err();
    assert_eq!(asked.questions()[0].origin, Origin::Unfinished, "{asked}");
    for wrong in [
        json!(true),
        json!("yes"),
        json!({"ran": 1, "x": 2}),
        json!(null),
        json!({}),
    ] {
        assert!(
            session
                .answer(&id, &asked.questions()[0].path, &wrong)
                .await
                .is_err(),
            "{wrong}"
        );
    }
    session
        .answer(
            &id,
            &asked.questions()[0].path,
            Resolution::Ran(json!("text")),
        )
        .await
        .ok();
    let ended = session.resume(&id, &body).await.unwrap_err();
    assert_eq!(paid.get(), 1, "{ended}");
    let path = match &ended.questions() {
        [question] => question.path.clone(),
        _ => return,
    };
    session
        .answer(&id, &path, Resolution::GiveUp)
        .await
        .unwrap();
    let ended = session.resume(&id, &body).await.unwrap_err();
    assert_eq!((ended.kind(), paid.get()), (RunErrorKind::Failed, 1));
}

#[tokio::test(start_paused = true)]
async fn the_same_id_of_another_user_is_another_run() {
    let (loom, session, _) = over(&Hostile::honest());
    let who = step(|cx: RunContext, _: u64| async move {
        Ok::<_, Error>(cx.user().map(ToString::to_string))
    })
    .named("who");
    let run = |session: Session| {
        let who = &who;
        async move { session.run(who, 1u64).id("order-1").await.unwrap().output }
    };
    let (a, b, c) = futures::join!(
        run(session),
        run(loom.session("bob").id("s")),
        run(loom.anonymous().id("s")),
    );
    assert_eq!(
        (a.as_deref(), b.as_deref(), c),
        (Some("alice"), Some("bob"), None)
    );
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_run_takes_no_answer_and_its_record_is_closed() {
    let (loom, session, recorder) = over(&Hostile::honest());
    let paused = session.run(&sure, 1u64).await.unwrap_err();
    let (id, path) = (run_id(&paused), paths(&paused)[0].clone());
    loom.cancel(&session.scope().unwrap(), &id).await.unwrap();
    let endings = check_record(&recorder.events());
    assert!(
        matches!(
            endings.last().unwrap().1,
            loomflow::Ending::Cancelled { .. }
        ),
        "{endings:?}"
    );
    assert_eq!(
        session.answer(&id, &path, true).await.unwrap_err().kind(),
        ErrorKind::Invalid
    );
    assert!(
        loom.paused(&session.scope().unwrap())
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test(start_paused = true)]
async fn what_was_answered_isnt_asked_again_and_a_finished_run_takes_no_answer() {
    let (_, session, recorder) = over(&Hostile::honest());
    let two = step(|cx: RunContext, _: u64| async move {
        let one = |name: &'static str| {
            Branch::named(name, move |cx: RunContext| async move {
                cx.ask::<bool>("sure", "?").await
            })
        };
        cx.join(2, [one("a"), one("b")]).await
    })
    .named("two");
    let paused = session.run(&two, 1u64).await.unwrap_err();
    let (id, asked) = (run_id(&paused), paths(&paused));
    session.answer(&id, &asked[1], false).await.unwrap();
    let again = session.resume(&id, &two).await.unwrap_err();
    assert_eq!(paths(&again), [asked[0].clone()]);
    assert!(session.answer(&id, &asked[1], true).await.is_err());
    session.answer(&id, &asked[0], true).await.unwrap();
    assert_eq!(
        session.resume(&id, &two).await.unwrap().output,
        [true, false]
    );
    for path in &asked {
        assert_eq!(
            session.answer(&id, path, true).await.unwrap_err().kind(),
            ErrorKind::Invalid
        );
    }
    check_record(&recorder.events());
}
