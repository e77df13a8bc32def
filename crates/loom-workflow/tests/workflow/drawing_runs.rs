//! Drawings that are coloured by the events of a run.

use futures::StreamExt;
use loom_core::{
    Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Info, Kind, Link, Loom, LoomBuilder,
    MemoryJournal, Result, RunContext, Runnable, StreamItem, Verdict,
};
use loom_testing::Recorder;
use loom_workflow::{Drawing, Progress, Workflow};

use crate::drawn::{Calling, support};
use crate::recorded::recorded;

/// The tree of the support route after a run of it.
async fn tree_after(input: &str) -> String {
    let (recorder, session) = recorded();
    session.run(&support(), input).await.unwrap();
    let drawing = support().drawing();
    drawing
        .coloured_by(&Progress::of(&recorder.events()))
        .to_string()
}

#[tokio::test]
async fn what_ran_is_done_and_the_other_branch_not_taken() {
    assert_eq!(
        tree_after("it broke").await,
        "\
✓ support (workflow)
    START -> classify
  ✓ classify -> route_billing [billing], route_tech [tech]
  · route_billing (agent, helper) -> END
    · refund (tool, workflow)
        START -> authorize
      · authorize -> execute
      · execute -> END
  ✓ route_tech (tech) -> END
"
    );
}

#[tokio::test]
async fn what_an_agent_s_tools_did_is_shown_with_its_visits() {
    assert_eq!(
        tree_after("charged unknown-1").await,
        "\
✓ support (workflow)
    START -> classify
  ✓ classify -> route_billing [billing], route_tech [tech]
  ✓ route_billing (agent, helper) -> END
    ✗ refund ×2 (tool, workflow)
        START -> authorize
      ✗ authorize ×2 -> execute
      ✓ execute -> END
  · route_tech (tech) -> END
"
    );
}

#[tokio::test]
async fn the_states_colour_mermaid_and_dot() {
    let (recorder, session) = recorded();
    session.run(&support(), "it broke").await.unwrap();
    let drawing = support()
        .drawing()
        .coloured_by(&Progress::of(&recorder.events()));
    let classes: Vec<String> = drawing
        .mermaid()
        .lines()
        .filter(|it| it.trim_start().starts_with("class"))
        .map(|it| it.trim_start().to_owned())
        .collect();
    assert_eq!(
        classes,
        [
            "classDef untaken fill:#f3f3f3,stroke:#b5b5b5,color:#222222",
            "class n1,n1_0,n1_0_0,n1_0_1 untaken",
            "classDef done fill:#d8f0d8,stroke:#37863a,color:#222222",
            "class n,n0,n2 done"
        ]
    );
    let coloured: Vec<String> = drawing
        .dot()
        .lines()
        .filter(|it| it.contains("color"))
        .map(|it| it.trim_start().to_owned())
        .collect();
    assert_eq!(
        coloured,
        [
            "style=filled; fillcolor=\"#f1faf1\"; color=\"#37863a\";",
            "n0 [label=\"classify\", fillcolor=\"#d8f0d8\", color=\"#37863a\", style=\"filled\"];",
            "style=filled; fillcolor=\"#f9f9f9\"; color=\"#b5b5b5\";",
            "style=filled; fillcolor=\"#f9f9f9\"; color=\"#b5b5b5\";",
            "n1_0_0 [label=\"authorize\", fillcolor=\"#f3f3f3\", color=\"#b5b5b5\", style=\"filled\"];",
            "n1_0_1 [label=\"execute\", fillcolor=\"#f3f3f3\", color=\"#b5b5b5\", style=\"filled\"];",
            "n2 [label=\"route_tech\\ntech\", fillcolor=\"#d8f0d8\", color=\"#37863a\", style=\"filled\"];"
        ]
    );
}

#[tokio::test]
async fn a_run_is_watched_while_it_goes_on() {
    let loom = Loom::builder().build();
    let session = loom.session("alice");
    let workflow = Workflow::chain("two")
        .then_fn(
            "first",
            |_cx, text: String| async move { Ok::<_, Error>(text) },
        )
        .then_fn(
            "second",
            |_cx, text: String| async move { Ok::<_, Error>(text) },
        )
        .build();
    let mut stream = session.run(&workflow, "hi").stream();
    let (mut progress, mut seen) = (Progress::default(), Vec::new());
    while let Some(item) = stream.next().await {
        if let StreamItem::Event(event) = item {
            progress.see(&event);
            let drawing = workflow.drawing().coloured_by(&progress);
            let marks = drawing.to_string();
            let marks = marks.chars().filter(|it| "·▶✓✗".contains(*it));
            seen.push(marks.collect::<String>());
        }
    }
    seen.dedup();
    assert_eq!(seen, ["▶··", "▶▶·", "▶✓·", "▶✓▶", "▶✓✓", "✓✓✓"]);
}

/// The tree of a workflow after its run has ended, however it ended.
async fn tree_of(workflow: &Workflow<String, String>, loom: LoomBuilder) -> String {
    let recorder = Recorder::default();
    let session = loom.observe(recorder.clone()).build().session("alice");
    let _ = session.run(workflow, "hi").await;
    let drawing = workflow
        .drawing()
        .coloured_by(&Progress::of(&recorder.events()));
    drawing.to_string()
}

async fn say(text: String) -> Result<String> {
    Ok(text)
}

async fn stay(_: String) -> Result<String> {
    futures::future::pending().await
}

async fn fail(_: String) -> Result<String> {
    Err(Error::new(ErrorKind::Failed, "no"))
}

async fn both(both: (String, String)) -> Result<String> {
    Ok(both.0)
}

#[tokio::test]
async fn a_failure_is_told_from_what_it_cancelled() {
    let workflow = Workflow::chain("two").parallel((stay, fail)).then(both);
    assert_eq!(
        tree_of(&workflow.build(), Loom::builder()).await,
        "\
✗ two (workflow)
    START -> stay, fail
  ⊘ stay -> both
  ✗ fail -> both
  · both (joins) -> END
"
    );
}

/// Says no to this step.
struct Never(&'static str);

impl Gate for Never {
    fn name(&self) -> &str {
        "never"
    }

    async fn check(&self, _cx: &EffectView, effect: &Effect) -> Verdict {
        if *effect.name() == self.0 {
            Verdict::deny("never")
        } else {
            Verdict::Allow
        }
    }
}

#[tokio::test]
async fn a_denied_step_failed() {
    let workflow = Workflow::chain("two").then(say).then(fail).build();
    let loom = Loom::builder().gate(Never("fail"));
    assert_eq!(
        tree_of(&workflow, loom).await,
        "\
✗ two (workflow)
    START -> say
  ✓ say -> fail
  ✗ fail -> END
"
    );
}

#[tokio::test]
async fn a_paused_run_and_the_same_resumed() {
    let sure = |cx: RunContext, text: String| async move {
        let _: bool = cx.ask("sure", "sure?").await?;
        Ok::<_, Error>(text)
    };
    let workflow = Workflow::chain("two").then(say).then_fn("sure", sure);
    let workflow = workflow.build();
    let recorder = Recorder::default();
    let loom = Loom::builder()
        .observe(recorder.clone())
        .journal(MemoryJournal::default());
    let session = loom.build().session("alice");
    let paused = session.run(&workflow, "hi").await.unwrap_err();
    let drawn = || {
        let progress = Progress::of(&recorder.events());
        workflow.drawing().coloured_by(&progress).to_string()
    };
    assert_eq!(
        drawn(),
        "\
‖ two (workflow)
    START -> say
  ✓ say -> sure
  ‖ sure -> END
"
    );
    let run_id = &paused.report().unwrap().run_id;
    let path = &paused.questions()[0].path;
    session.answer(run_id, path, true).await.unwrap();
    session.resume(run_id, &workflow).await.unwrap();
    assert_eq!(
        drawn(),
        "\
✓ two (workflow)
    START -> say
  ✓ say -> sure
  ✓ sure -> END
"
    );
}

#[tokio::test]
async fn of_several_runs_the_last_counts() {
    let (recorder, session) = recorded();
    session.run(&support(), "charged inv-1").await.unwrap();
    session.run(&support(), "it broke").await.unwrap();
    let drawing = support().drawing();
    let drawn = drawing
        .coloured_by(&Progress::of(&recorder.events()))
        .to_string();
    assert_eq!(drawn, tree_after("it broke").await);
}

#[tokio::test]
async fn a_run_that_another_of_its_name_overtook_is_forgotten_though_it_goes_on() {
    let events_of = |input: &'static str| async move {
        let (recorder, session) = recorded();
        session.run(&support(), input).await.unwrap();
        recorder.events()
    };
    let (older, newer) = (
        events_of("charged inv-1").await,
        events_of("it broke").await,
    );
    let mut progress = Progress::default();
    let (seen, rest) = older.split_at(older.len() / 2);
    let events = seen.iter().chain(&newer).chain(rest);
    events.for_each(|event| progress.see(event));
    let drawn = support().drawing().coloured_by(&progress).to_string();
    assert_eq!(drawn, tree_after("it broke").await);
}

#[tokio::test]
async fn what_is_held_does_not_grow_with_the_runs_of_one_name() {
    let (recorder, session) = recorded();
    let held = |recorder: &Recorder| format!("{:?}", Progress::of(&recorder.events())).len();
    session.run(&support(), "charged inv-1").await.unwrap();
    let of_one = held(&recorder);
    for _ in 0..50 {
        session.run(&support(), "charged inv-1").await.unwrap();
    }
    assert!(held(&recorder) < 2 * of_one);
}

/// A workflow by its shape: visits its only step this often.
struct Again(usize);

impl Runnable<String> for Again {
    type Out = String;

    async fn run(&self, cx: &RunContext, input: String) -> Result<String> {
        let effect = Effect::new(EffectKind::Workflow, "again");
        cx.perform(effect, input, |cx, input: String| async move {
            for _ in 0..self.0 {
                let step = Effect::new(EffectKind::Step, "say/#1");
                cx.perform(step, (), |_cx, ()| async move { Ok(()) })
                    .await?;
            }
            Ok(input)
        })
        .await
    }

    fn info(&self) -> Info {
        let links = [
            Link::entry(0),
            Link::new(0, 0).labelled("again").backward(true),
            Link::exit(0),
        ];
        Info::new("again", Kind::Workflow)
            .with_parts([Info::new("say/#1", Kind::Function)])
            .with_links(links)
    }
}

#[tokio::test]
async fn visits_are_counted_per_place() {
    let workflow = Workflow::chain("outer")
        .then(Again(3))
        .then(say)
        .then(Again(1))
        .build();
    assert_eq!(
        tree_of(&workflow, Loom::builder()).await,
        "\
✓ outer (workflow)
    START -> again
  ✓ again (workflow) -> say
      START -> say/#1
    ✓ say/#1 ×3 -> back to say/#1 [again], END
  ✓ say -> again_2
  ✓ again_2 (workflow, again) -> END
      START -> say/#1
    ✓ say/#1 -> back to say/#1 [again], END
"
    );
}

#[tokio::test]
async fn an_agent_and_a_function_are_coloured_as_roots_too() {
    let (recorder, session) = recorded();
    session.run(&Calling::new(), "inv-1 inv-2").await.unwrap();
    session.run(&say, "hi").await.unwrap();
    let progress = Progress::of(&recorder.events());
    let drawn = |info: Info| Drawing::of(&info).coloured_by(&progress).to_string();
    assert_eq!(
        drawn(Runnable::<String>::info(&Calling::new())),
        "\
✓ helper (agent)
  ✓ refund ×2 (tool, workflow)
      START -> authorize
    ✓ authorize ×2 -> execute
    ✓ execute ×2 -> END
"
    );
    assert_eq!(drawn(Info::new("say", Kind::Function)), "✓ say\n");
    assert_eq!(drawn(Info::new("other", Kind::Function)), "· other\n");
}

#[tokio::test]
async fn events_of_an_unseen_beginning_are_left_out() {
    let (recorder, session) = recorded();
    session.run(&support(), "it broke").await.unwrap();
    let mut progress = Progress::default();
    for event in &recorder.events()[1..] {
        progress.see(event);
    }
    let drawn = support().drawing().coloured_by(&progress).to_string();
    assert!(!drawn.contains('✓'), "{drawn}");
}
