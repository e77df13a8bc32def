//! What users note and record of their own.

use loom_core::{Attributes, Name, Result, RunContext};

use crate::exported::{Telemetry, block_on};

#[test]
fn notes_become_span_events_and_recorded_facts_become_attributes_of_their_types() {
    async fn note(cx: RunContext, (): ()) -> Result<()> {
        let retry = Attributes::new()
            .with("attempt", 2u32)
            .with("wait_s", 0.5)
            .with("limit", "mine")
            .with("value", 5u32)
            .with("user_id", "mallory");
        cx.note("retry", &retry);
        cx.record_one("ticket", 7u64);
        cx.record_one("tags", vec![Name::from("a"), Name::from("b")]);
        cx.record_one("urgent", true);
        cx.record_one("score", 0.25);
        cx.record_one("loom.path", "elsewhere");
        cx.record_one("user_id", "mallory");
        Ok(())
    }
    let telemetry = Telemetry::new();
    block_on(
        telemetry
            .loom()
            .build()
            .anonymous()
            .id("conv")
            .run(&note, ()),
    )
    .unwrap();
    assert_eq!(
        telemetry.tree(),
        r#"loom.workflow.run Internal 2..4
  - pattern: "workflow"
  - session_id: "conv"
  - run_id: "019b76da-a801-7000-8000-000000000002"
  - loom.path: "note"
  - loom.span: "loom.workflow.run"
  - gen_ai.conversation.id: "conv"
  - gen_ai.operation.name: "invoke_workflow"
  - gen_ai.workflow.name: "note"
  - loom.ending: "completed"
  - ticket: 7
  - tags: ["a","b"]
  - urgent: true
  - score: 0.25
  * retry 3
    - attempt: 2
    - wait_s: 0.5
    - limit: "mine"
    - value: 5
"#
    );
}
