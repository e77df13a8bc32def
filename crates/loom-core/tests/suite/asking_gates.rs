//! A gate that wants somebody asked pauses a run with a journal; the answer holds for this call.

use std::sync::Arc;

use futures::executor::block_on;
use loom_core::{
    Approval, Approver, Effect, EffectView, ErrorKind, Gate, Loom, LoomBuilder, MemoryJournal,
    Question, Result, RunContext, RunErrorKind, Runnable, Session, Tool, ToolOutput, Verdict,
};
use loom_testing::Recorder;
use serde_json::json;

use crate::journaled::{Log, answer_all, asked, run_id, waiting};
use crate::recorded::{recorded_by, tree};

/// Calls the destructive tool `erase` with this argument, so often, each under its own call id.
struct Erases {
    log: Log,
    what: &'static str,
    calls: u32,
}

impl Erases {
    fn new(log: &Log, what: &'static str, calls: u32) -> Self {
        Self {
            log: log.clone(),
            what,
            calls,
        }
    }
}

impl Runnable<()> for Erases {
    type Out = String;

    async fn run(&self, cx: &RunContext, (): ()) -> Result<String> {
        let tool = Tool::new("erase", "Erases.", self.log.step("erase")).destructive();
        let mut erased = String::new();
        for call in 1..=self.calls {
            let args = json!({"input": self.what});
            let output = tool.call(cx, format!("c{call}"), args).await?;
            erased.push_str(&ToolOutput::into_text(output));
        }
        Ok(erased)
    }
}

fn desk(loom: LoomBuilder) -> (Recorder, Session, Arc<MemoryJournal>) {
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = recorded_by(loom.journal(journal.clone()));
    (recorder, session.id("desk"), journal)
}

#[test]
fn a_call_that_needs_an_approval_pauses_before_its_body() {
    block_on(async {
        let (recorder, session, journal) = desk(Loom::builder());
        let log = Log::default();
        let erases = Erases::new(&log, "logs", 1);
        let paused = session.run(&erases, ()).await.unwrap_err();
        assert_eq!(paused.kind(), RunErrorKind::Paused);
        assert_eq!(
            paused.to_string(),
            "waits for an answer: permissions: \
             may the tool \"erase\" be called with {\"input\":\"logs\"}? (destructive tools are asked for)"
        );
        assert_eq!(
            asked(&paused),
            ["function/tool:erase[c1]#ask:permissions"],
            "no effect has such a path"
        );
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run function ✗ paused",
                "  loom.tool erase ✗ paused"
            ]
        );
        assert_eq!(recorder.spans()[1].asked, ["permissions"]);
        assert_eq!(log.take(), Vec::<String>::new());
        let waiting = waiting(&journal, &session.scope().unwrap()).await;
        assert_eq!(waiting[0].questions, paused.questions());

        let again = session.resume(&run_id(&paused), &erases).await;
        assert_eq!(
            asked(&again.unwrap_err()),
            asked(&paused),
            "nobody answered"
        );
    });
}

#[test]
fn whoever_is_asked_can_see_all_of_the_arguments() {
    block_on(async {
        let (_, session, journal) = desk(Loom::builder());
        let long = format!("{}; and everything else", "é".repeat(600)).leak();
        let erases = Erases::new(&Log::default(), long, 1);
        let paused = session.run(&erases, ()).await.unwrap_err();
        let [question] = paused.questions() else {
            panic!("one question: {paused}")
        };
        let shown = format!("{{\"input\":\"{}", "é".repeat(490));
        assert_eq!(
            question.body,
            format!(
                "may the tool \"erase\" be called with {shown}… (the first 500 of 633 characters)? (destructive tools are asked for)"
            )
        );
        assert_eq!(question.input, Some(json!({"input": long})));
        let waiting = waiting(&journal, &session.scope().unwrap()).await;
        assert_eq!(waiting[0].questions, paused.questions(), "also elsewhere");
    });
}

#[test]
fn an_approval_lets_the_call_through_and_a_refusal_denies_it() {
    block_on(async {
        for (answer, ending, bodies) in [(true, Ok("logs erase"), 1), (false, Err("denied"), 0)] {
            let (recorder, session, _) = desk(Loom::builder());
            let log = Log::default();
            let erases = Erases::new(&log, "logs", 1);
            let paused = session.run(&erases, ()).await.unwrap_err();
            answer_all(&session, &paused, answer).await;
            recorder.clear();
            let resumed = session.resume(&run_id(&paused), &erases).await;
            let came_out = resumed.as_ref().map(|it| it.output.as_str());
            assert_eq!(came_out.map_err(|e| e.kind().as_str()), ending);
            assert_eq!(log.take().len(), bodies);
            if let Err(error) = resumed {
                assert_eq!(error.message(), "permissions: it was refused");
                assert_eq!(
                    tree(&recorder),
                    [
                        "loom.workflow.run function ✗ denied",
                        "  loom.tool erase ✗ denied"
                    ]
                );
            }
        }
    });
}

#[test]
fn f083_an_approval_is_for_one_call_and_the_next_is_asked_for_anew() {
    block_on(async {
        let (_, session, _) = desk(Loom::builder());
        let log = Log::default();
        let erases = Erases::new(&log, "logs", 2);
        let first = session.run(&erases, ()).await.unwrap_err();
        answer_all(&session, &first, true).await;
        let run = run_id(&first);
        let second = session.resume(&run, &erases).await.unwrap_err();
        assert_eq!(asked(&second), ["function/tool:erase[c2]#ask:permissions"]);
        assert_eq!(log.take(), ["erase"]);
        answer_all(&session, &second, true).await;
        let done = session.resume(&run, &erases).await.unwrap();
        assert_eq!(done.output, "logs eraselogs erase");
        assert_eq!(log.take(), ["erase"], "the first one is recorded");
    });
}

#[test]
fn f083_an_approval_is_not_used_for_other_arguments() {
    block_on(async {
        let (recorder, session, _) = desk(Loom::builder());
        let log = Log::default();
        let paused = session.run(&Erases::new(&log, "logs", 1), ()).await;
        let paused = paused.unwrap_err();
        answer_all(&session, &paused, true).await;
        recorder.clear();
        let other = Erases::new(&log, "everything", 1);
        let error = session.resume(&run_id(&paused), &other).await;
        assert_eq!(
            error.unwrap_err().to_string(),
            "function/tool:erase[c1]: permissions: the approval was given for other arguments"
        );
        assert_eq!(log.take(), Vec::<String>::new());
        assert_eq!(
            tree(&recorder),
            [
                "loom.workflow.run function ✗ denied",
                "  loom.tool erase ✗ denied"
            ]
        );
    });
}

#[test]
fn a_question_about_other_arguments_replaces_one_that_nobody_answered() {
    block_on(async {
        let (_, session, _) = desk(Loom::builder());
        let log = Log::default();
        let paused = session.run(&Erases::new(&log, "logs", 1), ()).await;
        let run = run_id(&paused.unwrap_err());
        let other = Erases::new(&log, "mail", 1);
        let again = session.resume(&run, &other).await.unwrap_err();
        answer_all(&session, &again, true).await;
        let done = session.resume(&run, &other).await.unwrap();
        assert_eq!(done.output, "mail erase");
    });
}

#[test]
fn an_approver_is_asked_on_the_spot_and_nothing_pauses() {
    struct Grants;
    impl Approver for Grants {
        async fn approve(&self, _: &EffectView, _: &Effect, _: &Question) -> Approval {
            Approval::Granted
        }
    }
    let (recorder, session, _) = desk(Loom::builder().approver(Grants));
    let log = Log::default();
    block_on(session.run(&Erases::new(&log, "logs", 1), ())).unwrap();
    assert_eq!(log.take(), ["erase"]);
    assert_eq!(recorder.spans()[1].asked, ["permissions"]);
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run function", "  loom.tool erase"]
    );
}

#[test]
fn without_a_journal_and_an_approver_a_question_is_a_refusal() {
    let (recorder, session) = recorded_by(Loom::builder());
    let error = block_on(session.run(&Erases::new(&Log::default(), "logs", 1), ())).unwrap_err();
    assert_eq!(error.error().kind(), ErrorKind::Denied);
    assert_eq!(
        error.message(),
        "permissions: may the tool \"erase\" be called with {\"input\":\"logs\"}? (destructive tools are asked for) \
         Nobody can be asked: there is no approver"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run function ✗ denied",
            "  loom.tool erase ✗ denied"
        ]
    );
}

/// Wants somebody asked before a step of this name.
struct AsksBefore(&'static str, &'static str);

impl Gate for AsksBefore {
    fn name(&self) -> &str {
        self.0
    }

    async fn check(&self, _cx: &EffectView, effect: &Effect) -> Verdict {
        match effect.name().as_str() == self.1 {
            true => Verdict::Ask(format!("may {} happen?", self.1)),
            false => Verdict::Allow,
        }
    }
}

#[test]
fn several_gates_ask_about_one_step_and_all_must_be_answered() {
    async fn pays(cx: RunContext, log: u32) -> Result<u32> {
        cx.step("pay", &crate::steps::wait, log).await
    }
    block_on(async {
        let loom = Loom::builder()
            .gate(AsksBefore("boss", "pay"))
            .barrier(AsksBefore("bank", "pay"));
        let (recorder, session, _) = desk(loom);
        let mut came_out = session.run(&pays, 0u32).await;
        let mut questions = Vec::new();
        while let Err(paused) = came_out {
            assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
            questions.extend(paused.questions().iter().map(ToString::to_string));
            answer_all(&session, &paused, true).await;
            recorder.clear();
            came_out = session.resume(&run_id(&paused), &pays).await;
        }
        assert_eq!(
            questions,
            ["boss: may pay happen?", "bank: may pay happen?"]
        );
        assert_eq!(
            tree(&recorder),
            ["loom.workflow.run pays", "  loom.workflow.step pay"]
        );
    });
}

#[test]
fn several_gates_ask_at_once_and_nobody_is_asked_beside_a_refusal() {
    async fn pays(cx: RunContext, log: u32) -> Result<u32> {
        cx.step("pay", &crate::steps::wait, log).await
    }
    block_on(async {
        let loom = Loom::builder()
            .gate(AsksBefore("boss", "pay"))
            .gate(AsksBefore("desk", "pay"));
        let (recorder, session, journal) = desk(loom);
        let scope = session.scope().unwrap();
        let paused = session.run(&pays, 0u32).await.unwrap_err();
        let (boss, desk) = ("pays/pay#ask:boss", "pays/pay#ask:desk");
        assert_eq!(asked(&paused), [boss, desk]);
        assert_eq!(recorder.spans()[1].asked, ["boss", "desk"]);
        let waits = waiting(&journal, &scope).await;
        assert_eq!(waits[0].questions, paused.questions());

        let run = run_id(&paused);
        session.answer(&run, boss, true).await.unwrap();
        let again = session.resume(&run, &pays).await.unwrap_err();
        assert_eq!(asked(&again), [desk], "one is answered");
        session.answer(&run, desk, false).await.unwrap();
        let denied = session.resume(&run, &pays).await.unwrap_err();
        assert_eq!(denied.to_string(), "pays/pay: desk: it was refused");

        let paused = session.run(&pays, 0u32).await.unwrap_err();
        let run = run_id(&paused);
        session.answer(&run, desk, false).await.unwrap();
        recorder.clear();
        let denied = session.resume(&run, &pays).await.unwrap_err();
        assert_eq!(denied.error().kind(), ErrorKind::Denied);
        assert!(
            recorder.spans()[1].asked.is_empty(),
            "the boss isn't bothered"
        );
    });
}

#[test]
fn an_asking_gate_beside_a_refusing_one_bothers_nobody() {
    struct Denies;
    impl Gate for Denies {
        fn name(&self) -> &str {
            "denies"
        }

        async fn check(&self, _cx: &EffectView, _effect: &Effect) -> Verdict {
            Verdict::deny("never")
        }
    }
    let loom = Loom::builder()
        .gate(AsksBefore("boss", "function"))
        .gate(Denies);
    let (recorder, session, _) = desk(loom);
    let error = block_on(session.run(&Erases::new(&Log::default(), "x", 1), ())).unwrap_err();
    assert_eq!(error.to_string(), "function: denies: never");
    assert_eq!(recorder.spans()[0].asked, Vec::<String>::new());
}
