//! What an answer to an approval is: yes, no with a reason, or yes with changed arguments.

use std::sync::Arc;

use futures::FutureExt;
use futures::executor::block_on;
use futures::future::BoxFuture;
use loom_core::{
    Approval, Approver, Effect, EffectView, Error, ErrorKind, Happened, Loom, MemoryJournal,
    Question, Result, RunContext, Session, Tool, ToolOutput,
};
use loom_testing::Recorder;
use serde_json::{Value, json};

use crate::journaled::{Log, asked, run_id};
use crate::recorded::{recorded_by, story};

const ASKED: &str = "function/tool:refund[c1]#ask:permissions";

/// A destructive tool that notes what it is called with.
fn refund(log: &Log) -> Tool {
    #[derive(serde::Deserialize, schemars::JsonSchema)]
    struct Refund {
        cents: u32,
    }
    let log = log.clone();
    let body = move |args: Refund| {
        log.note(format!("refund {}", args.cents));
        async move { Ok::<_, Error>(format!("refunded {}", args.cents)) }
    };
    Tool::new("refund", "Pays back.", body)
        .destructive()
        .checking(|args| match args["cents"].as_u64() {
            Some(0) => Err(Error::invalid("nothing to refund")),
            _ => Ok(()),
        })
}

type Refunded = BoxFuture<'static, Result<String>>;

fn refunds(log: &Log) -> impl Fn(RunContext, ()) -> Refunded + Send + Sync + 'static {
    let tool = refund(log);
    move |cx, ()| {
        let tool = tool.clone();
        async move {
            let output = tool.call(&cx, "c1", json!({"cents": 500})).await;
            output.map(ToolOutput::into_text)
        }
        .boxed()
    }
}

fn desk() -> (Recorder, Session) {
    let (recorder, session) = recorded_by(Loom::builder().journal(MemoryJournal::default()));
    (recorder, session.id("desk"))
}

#[test]
fn c10_the_reason_of_a_refusal_is_what_the_caller_is_told() {
    let reasons = [
        (json!("archive it instead"), "archive it instead"),
        (json!({"refused": "no"}), "no"),
        (
            json!(Approval::refused("archive it instead")),
            "archive it instead",
        ),
        (json!(false), "it was refused"),
    ];
    for (answer, reason) in reasons {
        block_on(async {
            let (recorder, session) = desk();
            let log = Log::default();
            let refunds = refunds(&log);
            let paused = session.run(&refunds, ()).await.unwrap_err();
            let run = run_id(&paused);
            session.answer(&run, ASKED, &answer).await.unwrap();
            recorder.clear();
            let error = session.resume(&run, &refunds).await.unwrap_err();
            assert_eq!(error.error().kind(), ErrorKind::Denied);
            assert_eq!(error.message(), format!("permissions: {reason}"));
            let answered = format!("answer function/tool:refund[c1] permissions: no, {reason}");
            assert!(story(&recorder).contains(&answered));
            assert_eq!(log.take(), Vec::<String>::new());
        });
    }
}

#[test]
fn c11_what_is_no_answer_is_invalid_and_leaves_the_question_open() {
    block_on(async {
        let (_, session) = desk();
        let log = Log::default();
        let refunds = refunds(&log);
        let paused = session.run(&refunds, ()).await.unwrap_err();
        let run = run_id(&paused);
        let wrong = [
            json!("yes"),
            json!("true"),
            json!("no"),
            json!(""),
            json!(1),
            json!(0),
            json!(null),
            json!([true]),
            json!({"approved": true}),
            json!({"refused": false}),
            json!({"granted_with": {}, "refused": "x"}),
        ];
        for answer in wrong {
            let refused = session.answer(&run, ASKED, &answer).await.unwrap_err();
            assert_eq!(
                (refused.kind(), refused.message()),
                (
                    ErrorKind::Invalid,
                    &*format!(
                        "{answer} is no answer to an approval: answer `true`, `false`, a reason to refuse it as text, {{\"refused\": \"why\"}} or {{\"granted_with\": ARGUMENTS}}"
                    )
                )
            );
            let again = session.resume(&run, &refunds).await.unwrap_err();
            assert_eq!(asked(&again), [ASKED], "it stays open after {answer}");
        }
        session.answer(&run, ASKED, true).await.unwrap();
        assert_eq!(
            session.resume(&run, &refunds).await.unwrap().output,
            "refunded 500"
        );
        assert_eq!(log.take(), ["refund 500"]);
    });
}

#[test]
fn c12_an_approval_with_changed_arguments_runs_with_those_and_both_are_recorded() {
    block_on(async {
        let (recorder, session) = desk();
        let log = Log::default();
        let refunds = refunds(&log);
        let paused = session.run(&refunds, ()).await.unwrap_err();
        let run = run_id(&paused);
        let changed = Approval::GrantedWith(json!({"cents": 300}));
        session.answer(&run, ASKED, changed).await.unwrap();
        recorder.clear();
        let outcome = session.resume(&run, &refunds).await.unwrap();
        assert_eq!(outcome.output, "refunded 300");
        assert_eq!(log.take(), ["refund 300"]);
        assert_eq!(
            recorder.spans()[1].input,
            Some(json!({"cents": 500})),
            "what was asked for"
        );
        let answered = recorder.events().into_iter().find_map(|it| match it.what {
            Happened::Answered {
                question, changed, ..
            } => Some((question.input, changed)),
            _ => None,
        });
        let [asked, changed] = [json!({"cents": 500}), json!({"cents": 300})];
        assert_eq!(answered, Some((Some(asked), Some(changed))));

        let again = session.resume(&run, &refunds).await.unwrap();
        assert_eq!(again.output, "refunded 300", "it is recorded");
        assert_eq!(log.take(), Vec::<String>::new());
    });
}

#[test]
fn c12_changed_arguments_that_do_not_fit_are_asked_about_again() {
    let wrong = [
        json!({"cents": "many"}),
        json!({"cents": -1}),
        json!({}),
        json!(null),
        json!({"cents": 0}),
    ];
    for arguments in wrong {
        block_on(async {
            let (_, session) = desk();
            let log = Log::default();
            let refunds = refunds(&log);
            let paused = session.run(&refunds, ()).await.unwrap_err();
            let run = run_id(&paused);
            let changed = Approval::GrantedWith(arguments.clone());
            session.answer(&run, ASKED, changed).await.unwrap();
            let again = session.resume(&run, &refunds).await.unwrap_err();
            let second = format!("{ASKED}#round:2");
            assert_eq!(asked(&again), [&*second], "{arguments}");
            assert_eq!(log.take(), Vec::<String>::new());
            let fits = Approval::GrantedWith(json!({"cents": 1}));
            session.answer(&run, &second, fits).await.unwrap();
            let outcome = session.resume(&run, &refunds).await.unwrap();
            assert_eq!(outcome.output, "refunded 1");
        });
    }
}

/// Grants with these arguments.
struct Changes(Value);

impl Approver for Changes {
    async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
        Approval::GrantedWith(self.0.clone())
    }
}

#[test]
fn c12_an_approver_may_change_the_arguments_on_the_spot() {
    for journal in [None, Some(Arc::new(MemoryJournal::default()))] {
        let mut loom = Loom::builder().approver(Changes(json!({"cents": 3})));
        if let Some(journal) = journal {
            loom = loom.journal(journal);
        }
        let (recorder, session) = recorded_by(loom);
        let log = Log::default();
        let outcome = block_on(session.run(&refunds(&log), ())).unwrap();
        assert_eq!(outcome.output, "refunded 3");
        assert_eq!(log.take(), ["refund 3"]);
        assert_eq!(
            story(&recorder)[4],
            "answer function/tool:refund[c1] permissions: yes, with {\"cents\":3}"
        );
    }
}
