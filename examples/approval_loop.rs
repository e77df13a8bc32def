//! A graph with a cycle that waits for a person: it pauses with a draft, and is resumed with
//! the answer in another process (a new `Loom` stands for it), until the draft is approved.
//! An answer is `yes`, or what to add; when there are no more, the run stays paused.
//!
//! ```text
//! cargo run --example approval_loop [-- ANSWER..]
//! ```

use std::sync::Arc;

use loomflow::{END, Loom, MemoryJournal, Progress, Recorder, Result, RunContext, Workflow};

async fn write(text: String) -> Result<String> {
    Ok(format!("{text}."))
}

/// Pauses until somebody answers; what it returns is recorded, so nobody is asked twice.
async fn review(cx: RunContext, draft: String) -> Result<(String, String)> {
    let said: String = cx.ask("ok", format!("Send {draft:?}?")).await?;
    Ok((draft, said))
}

async fn revise((draft, wish): (String, String)) -> Result<String> {
    Ok(format!("{} {wish}", draft.trim_end_matches('.')))
}

async fn send((draft, _): (String, String)) -> Result<String> {
    Ok(format!("sent: {draft}"))
}

fn letter() -> Result<Workflow<String, String>> {
    let verdict = |(_, said): &(String, String)| if said == "yes" { "yes" } else { "no" };
    Workflow::graph("letter")
        .node("write", write)
        .node("review", review)
        .node("revise", revise)
        .node("send", send)
        .start("write")
        .edge("write", "review")
        .router_of("review", verdict, [("yes", "send"), ("no", "revise")])
        .edge("revise", "write")
        .edge("send", END)
        .visits_max(5)
        .build_as::<String, String>()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let mut answers: Vec<String> = std::env::args().skip(1).collect();
    if answers.is_empty() {
        answers = vec!["and best wishes".to_owned(), "yes".to_owned()];
    }
    let (letter, journal) = (letter()?, Arc::new(MemoryJournal::default()));
    let recorder = Recorder::default();
    // A session of the same user by the same name; it shares nothing with the one before but the
    // journal, which would lie on disk, and the recorder, for the drawing.
    let session = || {
        let loom = Loom::builder().journal(journal.clone());
        let loom = loom.observe(recorder.clone()).build();
        loom.session("alice").id("letters")
    };

    let mut result = session().run(&letter, "thank you").await;
    for answer in answers {
        let Err(error) = &result else { break };
        // Only a paused run has questions.
        let (Some(report), [question]) = (error.report(), error.questions()) else {
            break;
        };
        println!("{} {answer}", question.body);
        let (session, run_id) = (session(), report.run_id.clone());
        session.answer(&run_id, &question.path, answer).await?;
        result = session.resume(&run_id, &letter).await;
    }
    let said = result.map_or_else(|error| error.message().to_owned(), |it| it.output);
    println!("{said}\n");
    print!(
        "{}",
        letter
            .drawing()
            .coloured_by(&Progress::of(&recorder.events()))
    );
    Ok(())
}
