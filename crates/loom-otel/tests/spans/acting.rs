//! Spans that act for somebody else than the run's user.

use loom_core::{Result, RunContext, Scope, UserId};

use crate::exported::{Telemetry, block_on, values};

#[test]
fn acting_as_another_is_an_event_of_a_span_that_says_for_whom_and_by_whom() {
    async fn note(cx: RunContext, (): ()) -> Result<()> {
        cx.record_one("loom.by", "mallory");
        Ok(())
    }
    async fn look(cx: RunContext, (): ()) -> Result<()> {
        cx.step("note", &note, ()).await
    }
    async fn support(cx: RunContext, customer: String) -> Result<()> {
        let _everybody = Scope::admin(&cx, "monthly count");
        let customer = UserId::new(customer)?;
        cx.acting_as(customer, "look", &look, ()).await
    }
    let telemetry = Telemetry::new();
    let session = telemetry.loom().build().session("operator").id("conv");
    block_on(session.run(&support, "alice")).unwrap();
    assert_eq!(
        telemetry.tree(),
        r#"loom.workflow.run Internal 2..9
  - pattern: "workflow"
  - user_id: "operator"
  - session_id: "conv"
  - run_id: "019b76da-a801-7000-8000-000000000002"
  - loom.path: "support"
  - loom.span: "loom.workflow.run"
  - gen_ai.conversation.id: "conv"
  - gen_ai.operation.name: "invoke_workflow"
  - gen_ai.workflow.name: "support"
  - loom.ending: "completed"
  * acting_as 3
    - loom.all_users: true
  loom.workflow.step Internal 4..8
    - pattern: "workflow"
    - user_id: "alice"
    - loom.by: "operator"
    - session_id: "conv"
    - run_id: "019b76da-a801-7000-8000-000000000002"
    - loom.path: "support/look"
    - loom.span: "loom.workflow.step"
    - gen_ai.conversation.id: "conv"
    - loom.step: "look"
    - loom.visit: 1
    - loom.ending: "completed"
    * acting_as 5
    loom.workflow.step Internal 6..7
      - pattern: "workflow"
      - user_id: "alice"
      - loom.by: "operator"
      - session_id: "conv"
      - run_id: "019b76da-a801-7000-8000-000000000002"
      - loom.path: "support/look/note"
      - loom.span: "loom.workflow.step"
      - gen_ai.conversation.id: "conv"
      - loom.step: "note"
      - loom.visit: 1
      - loom.ending: "completed"
"#
    );
}

#[test]
fn what_the_anonymous_partition_does_for_a_user_says_by_whom_with_an_empty_text() {
    async fn look(_: RunContext, (): ()) -> Result<()> {
        Ok(())
    }
    async fn support(cx: RunContext, customer: String) -> Result<()> {
        let customer = UserId::new(customer)?;
        cx.acting_as(customer, "look", &look, ()).await
    }
    let telemetry = Telemetry::new();
    let session = telemetry.loom().build().anonymous().id("conv");
    block_on(session.run(&support, "alice")).unwrap();
    let spans = telemetry.spans();
    let step = |value: &str| vec![("loom.workflow.step".to_owned(), value.to_owned())];
    assert_eq!(values(&spans, "user_id"), step("alice"));
    assert_eq!(values(&spans, "loom.by"), step(""));
}
