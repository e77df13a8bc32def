//! A question without an answer pauses the run: all that is open closes as paused, and it waits.

use std::future::Ready;
use std::sync::{Arc, Mutex};

use futures::executor::block_on;
use loom_core::{
    Branch, Effect, EffectKind, Error, ErrorKind, Happened, Loom, MemoryJournal, Result,
    RunContext, RunError, RunErrorKind, RunId, Session,
};
use loom_testing::Recorder;

use crate::journaled::{Log, Refund, answer_all, asked, run_id, waiting, worker};
use crate::recorded::{recorded, tree};
use crate::steps::wait;

async fn asks(cx: RunContext, text: String) -> Result<bool> {
    cx.ask("sure", format!("{text}?")).await
}

fn one_worker() -> (Arc<MemoryJournal>, Recorder, Session) {
    let journal = Arc::new(MemoryJournal::default());
    let (recorder, session) = worker(&journal);
    (journal, recorder, session)
}

#[test]
fn a_question_that_nobody_can_answer_is_invalid() {
    let (recorder, session) = recorded();
    let error = block_on(session.run(&asks, "go")).unwrap_err();
    assert_eq!(
        (error.error().kind(), error.to_string().as_str()),
        (
            ErrorKind::Invalid,
            r#"asks: nobody can answer "sure": `ask` needs a journal, so that the run can wait, or an approver that answers"#
        )
    );
    assert_eq!(tree(&recorder), ["loom.workflow.run asks ✗ failed"]);
    let unnamed = block_on(RunContext::test("alice").ask::<bool>("", "go?"));
    assert_eq!(unnamed.unwrap_err().message(), r#"the name "" is empty"#);
}

#[test]
fn a_question_closes_all_that_is_open_as_paused() {
    async fn nests(cx: RunContext, text: String) -> Result<bool> {
        cx.step("before", &wait, 0u32).await?;
        cx.step("outer", &runs_a_tool, text).await
    }
    async fn runs_a_tool(cx: RunContext, text: String) -> Result<bool> {
        let agent = Effect::new(EffectKind::Agent, "agent");
        cx.perform(agent, (), |cx, ()| async move {
            let tool = Effect::tool("tool", "c1");
            cx.perform(tool, (), |cx, ()| async move {
                cx.step("inner", &asks, text).await
            })
            .await
        })
        .await
    }
    let (_, recorder, session) = one_worker();
    let paused = block_on(session.run(&nests, "go")).unwrap_err();
    assert_eq!(paused.kind(), RunErrorKind::Paused);
    let inner = "nests/outer/agent/tool:tool[c1]/inner";
    assert_eq!(asked(&paused), [format!("{inner}/sure")]);
    assert_eq!(paused.to_string(), "waits for an answer: sure: go?");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run nests ✗ paused",
            "  loom.workflow.step before",
            "  loom.workflow.step outer ✗ paused",
            "    loom.run agent ✗ paused",
            "      loom.tool tool ✗ paused",
            "        loom.workflow.step inner ✗ paused",
        ]
    );
    assert_eq!(recorder.spans()[5].asked, ["sure"]);
    assert_eq!(paused.report().unwrap().visited, ["before"]);
}

/// So many branches at a time: one asks at once, one ends late, one asks late, one would begin
/// when there is room.
async fn branches(cx: RunContext, concurrency_max: usize) -> Result<Vec<u32>> {
    async fn asks_after(cx: RunContext, polls: u32) -> Result<u32> {
        wait(polls).await?;
        cx.ask("how_many", "how many?").await
    }
    let branches = [
        Branch::new(move |cx: RunContext| async move { cx.step("asks", &asks_after, 0u32).await }),
        Branch::new(move |cx: RunContext| async move { cx.step("goes_on", &wait, 5u32).await }),
        Branch::new(
            move |cx: RunContext| async move { cx.step("asks_late", &asks_after, 3u32).await },
        ),
        Branch::new(move |cx: RunContext| async move { cx.step("begins_late", &wait, 0u32).await }),
    ];
    cx.join(concurrency_max, branches).await
}

#[test]
fn running_siblings_go_on_until_they_end_or_ask_and_no_further_one_begins() {
    let (_, recorder, session) = one_worker();
    let paused = block_on(session.run(&branches, 3usize)).unwrap_err();
    assert_eq!(
        asked(&paused),
        [
            "branches/[0]/asks/how_many",
            "branches/[2]/asks_late/how_many"
        ]
    );
    assert_eq!(
        paused.to_string(),
        "waits for an answer: how_many: how many?; how_many: how many?"
    );
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run branches ✗ paused",
            "  loom.workflow.step asks ✗ paused",
            "  loom.workflow.step goes_on",
            "  loom.workflow.step asks_late ✗ paused",
        ]
    );
}

#[test]
fn a_sibling_that_fails_after_a_question_fails_the_run() {
    async fn mixed(cx: RunContext, text: String) -> Result<Vec<bool>> {
        async fn breaks(_: String) -> Result<bool> {
            wait(3).await?;
            Err(Error::invalid("broken"))
        }
        let branches = [
            Branch::new(move |cx: RunContext| async move { cx.step("asks", &asks, text).await }),
            Branch::new(move |cx: RunContext| async move { cx.step("breaks", &breaks, "x").await }),
        ];
        cx.join(8, branches).await
    }
    let (journal, recorder, session) = one_worker();
    let error = block_on(session.run(&mixed, "go")).unwrap_err();
    assert_eq!(error.to_string(), "mixed/[1]/breaks: broken");
    assert_eq!(
        tree(&recorder),
        [
            "loom.workflow.run mixed ✗ failed",
            "  loom.workflow.step asks ✗ paused",
            "  loom.workflow.step breaks ✗ failed",
        ]
    );
    assert_eq!(block_on(waiting(&journal, &session.scope().unwrap())), []);
}

#[test]
fn runs_that_wait_are_listed_in_their_own_conversation_oldest_first() {
    block_on(async {
        let (journal, _, session) = one_worker();
        let log = Log::default();
        let first = session.run(&Refund(log.clone()), "one").await.unwrap_err();
        let second = session.run(&Refund(log.clone()), "two").await.unwrap_err();
        session.run(&wait, 0u32).await.unwrap();
        let listed = waiting(&journal, &session.scope().unwrap()).await;
        let listed: Vec<_> = listed
            .into_iter()
            .map(|it| (it.run_id, it.questions))
            .collect();
        let line = |paused: &RunError| (run_id(paused), paused.questions().to_vec());
        assert_eq!(listed, [line(&first), line(&second)]);
        assert_eq!(listed[1].1[0].to_string(), "sure: pay \"two load\"?");
        for other in strangers(&journal) {
            assert_eq!(waiting(&journal, &other.scope().unwrap()).await, []);
        }

        answer_all(&session, &first, true).await;
        let done = session.resume(&run_id(&first), &Refund(log)).await;
        assert_eq!(done.unwrap().output, "one load pay");
        let listed = waiting(&journal, &session.scope().unwrap()).await;
        assert_eq!(listed[0].run_id, run_id(&second));
        assert_eq!(listed.len(), 1);
    });
}

/// Sessions over the same journal that aren't alice's conversation `desk`.
fn strangers(journal: &Arc<MemoryJournal>) -> [Session; 3] {
    let loom = Loom::builder().journal(journal.clone()).build();
    [
        loom.session("bob").id("desk"),
        loom.session("alice").id("other"),
        loom.anonymous().id("desk"),
    ]
}

#[test]
fn an_answer_that_fits_no_question_is_refused_in_the_same_words_whatever_was_wrong() {
    block_on(async {
        let (journal, _, session) = one_worker();
        let paused = session
            .run(&Refund(Log::default()), "go")
            .await
            .unwrap_err();
        let (run, path) = (&run_id(&paused), asked(&paused)[0]);
        let unknown = &RunId::new("unknown").unwrap();
        let mut refused = vec![
            session.answer(unknown, path, true).await,
            session.answer(run, "refund/other", true).await,
            session.answer(run, "refund/load", true).await,
            session.answer(run, "", true).await,
        ];
        for stranger in strangers(&journal) {
            refused.push(stranger.answer(run, path, true).await);
        }
        for refused in refused {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert_eq!(
                error.to_string(),
                "no run of this session asked that question"
            );
        }
        session.answer(run, path, true).await.unwrap();
    });
}

#[test]
fn the_first_answer_stays() {
    block_on(async {
        let (_, _, session) = one_worker();
        let refund = Refund(Log::default());
        let paused = session.run(&refund, "go").await.unwrap_err();
        let run = run_id(&paused);
        session.answer(&run, "refund/sure", false).await.unwrap();
        let second = session.answer(&run, "refund/sure", true).await.unwrap_err();
        assert_eq!(second.kind(), ErrorKind::Invalid);
        assert_eq!(
            second.to_string(),
            r#"the question at "refund/sure" is answered already"#
        );
        let outcome = session.resume(&run, &refund).await.unwrap();
        assert_eq!(outcome.output, "kept");
        assert!(session.answer(&run, "refund/sure", true).await.is_err());
    });
}

#[test]
fn a_name_may_be_asked_again_and_both_questions_have_their_own_answers() {
    async fn twice(cx: RunContext, _: String) -> Result<(u32, u32)> {
        Ok((cx.ask("n", "first?").await?, cx.ask("n", "second?").await?))
    }
    block_on(async {
        let (_, recorder, session) = one_worker();
        let first = session.run(&twice, "go").await.unwrap_err();
        assert_eq!(asked(&first), ["twice/n"]);
        let run = run_id(&first);
        session.answer(&run, "twice/n", 1u32).await.unwrap();
        let second = session.resume(&run, &twice).await.unwrap_err();
        assert_eq!(asked(&second), ["twice/n#2"]);
        session.answer(&run, "twice/n#2", 2u32).await.unwrap();
        recorder.clear();
        let outcome = session.resume(&run, &twice).await.unwrap();
        assert_eq!(outcome.output, (1, 2));
        let events = recorder.events().into_iter();
        let answered = events.filter_map(|it| match it.what {
            Happened::Answered {
                question, refused, ..
            } => Some((question.path, refused)),
            _ => None,
        });
        let answered: Vec<_> = answered.collect();
        let line = |path: &str| (path.to_owned(), None);
        assert_eq!(answered, [line("twice/n"), line("twice/n#2")]);
    });
}

/// A step that leaves its context behind.
fn leave(
    left: &Arc<Mutex<Option<RunContext>>>,
) -> impl Fn(RunContext, String) -> Ready<Result<String>> + Send + Sync + 'static {
    let left = left.clone();
    move |cx, text| {
        *left.lock().unwrap() = Some(cx);
        std::future::ready(Ok(text))
    }
}

#[test]
fn f056_a_context_that_outlives_its_run_asks_nothing() {
    let (_, recorder, session) = one_worker();
    let left = Arc::default();
    let outcome = block_on(session.run(&leave(&left), "go")).unwrap();
    let cx = left.lock().unwrap().take().unwrap();
    let error = block_on(cx.ask::<bool>("sure", "go?")).unwrap_err();
    assert_eq!(
        (error.kind(), error.to_string().as_str()),
        (
            ErrorKind::Stopped,
            "function: the run this context belongs to is over"
        )
    );
    assert_eq!(tree(&recorder), ["loom.workflow.run function"]);
    let unasked = block_on(session.answer(&outcome.run_id, "function/sure", true));
    assert_eq!(
        unasked.unwrap_err().message(),
        "no run of this session asked that question"
    );
}

#[test]
fn f056_a_context_that_outlives_its_effect_asks_nothing_while_the_run_goes_on() {
    async fn root(cx: RunContext, text: String) -> Result<String> {
        let left = Arc::default();
        cx.step("leaver", &leave(&left), text).await?;
        let late = left.lock().unwrap().take().unwrap();
        let error = late.ask::<bool>("sure", "go?").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid, "a mistake in the program");
        Ok(error.to_string())
    }
    let (_, recorder, session) = one_worker();
    assert_eq!(
        block_on(session.run(&root, "go")).unwrap().output,
        "root/leaver: loom.workflow.step leaver is over; hand its context on only while it runs"
    );
    assert_eq!(
        tree(&recorder),
        ["loom.workflow.run root", "  loom.workflow.step leaver"]
    );
}
