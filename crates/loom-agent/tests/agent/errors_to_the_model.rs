//! Errors of tools that the model is told, so that it may do something about them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use loom_agent::{Reply, ToolResult};
use loom_core::{
    Effect, EffectKind, EffectView, Error, ErrorKind, Gate, Loom, RunContext, Tool, Verdict, step,
};
use loom_testing::Recorder;
use serde_json::{Value, json};

use crate::recorded::{recorded, tree};
use crate::script::{caller, erred, gave};

/// Runs an agent that calls this tool once: what its model was told, and the tool's line in the
/// tree.
async fn called(tool: Tool) -> (Vec<ToolResult>, String) {
    let (recorder, session) = recorded();
    let (agent, shown) = caller(Reply::call("act", json!({"input": null})), [tool]);
    let outcome = session.run(&agent, "Act.").await.unwrap();
    assert_eq!(outcome.output, "done");
    (shown.told(), tree(&recorder)[3].trim().to_owned())
}

fn failing(kind: ErrorKind) -> Tool {
    Tool::new("act", "Acts.", move |_: ()| async move {
        Err::<(), _>(Error::new(kind, "the bank is closed"))
    })
}

#[tokio::test]
async fn a_kind_that_concerns_only_the_call_is_told() {
    let table = [
        (ErrorKind::Failed, "error", "failed"),
        (ErrorKind::Upstream, "error", "failed"),
        (ErrorKind::Timeout, "error", "failed"),
        (ErrorKind::Invalid, "error", "failed"),
        (ErrorKind::Panicked, "error", "failed"),
        (ErrorKind::Denied, "denied", "denied"),
        (ErrorKind::LimitReached, "stopped by a limit", "interrupted"),
        // Merely called so: nothing stops.
        (ErrorKind::Stopped, "error", "failed"),
    ];
    for (kind, said, ending) in table {
        let (told, line) = called(failing(kind)).await;
        let text = format!("{said}: the bank is closed");
        assert_eq!(told, [erred("c1", "act", &text)]);
        assert_eq!(line, format!("loom.tool act ✗ {ending}"));
    }
}

#[tokio::test]
async fn a_user_s_own_error_is_told_by_its_message_without_what_caused_it() {
    #[derive(Debug)]
    struct NoMoney(std::io::Error);
    impl std::fmt::Display for NoMoney {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("there is no money left")
        }
    }
    impl std::error::Error for NoMoney {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let tool = Tool::new("act", "Acts.", |_: ()| async {
        Err::<(), _>(NoMoney(std::io::Error::other("vault 7, password tiger")))
    });
    let (told, line) = called(tool).await;
    assert_eq!(told, [erred("c1", "act", "error: there is no money left")]);
    assert_eq!(line, "loom.tool act ✗ failed");
}

#[tokio::test]
async fn a_panic_is_told_by_its_message() {
    async fn pay(_: ()) -> Result<u64, Error> {
        panic!("the till is empty")
    }
    let tool = Tool::new("act", "Acts.", pay);
    let (told, line) = called(tool).await;
    assert_eq!(told, [erred("c1", "act", "error: the till is empty")]);
    assert_eq!(line, "loom.tool act ✗ failed");
}

#[tokio::test(start_paused = true)]
async fn a_tool_that_takes_too_long_is_told_so() {
    async fn forever(_: ()) -> Result<(), Error> {
        futures::future::pending().await
    }
    let tool = Tool::new(
        "act",
        "Acts.",
        step(forever).timeout(Duration::from_secs(3)),
    );
    let (told, line) = called(tool).await;
    assert_eq!(told, [erred("c1", "act", "error: timed out after 3s")]);
    assert_eq!(line, "loom.tool act ✗ failed");
}

#[tokio::test]
async fn a_path_is_for_the_record_and_not_for_the_model() {
    async fn pay(_: ()) -> Result<(), Error> {
        Err(Error::new(ErrorKind::Failed, "no such account"))
    }
    let tool = Tool::new("act", "Acts.", |cx: RunContext, _: ()| async move {
        cx.step("pay", &pay, ()).await
    });
    let (told, line) = called(tool).await;
    assert_eq!(told, [erred("c1", "act", "error: no such account")]);
    assert_eq!(line, "loom.tool act ✗ failed");
}

/// Denies every tool.
struct NoTools;

impl Gate for NoTools {
    fn name(&self) -> &str {
        "no_tools"
    }

    async fn check(&self, _cx: &EffectView, effect: &Effect) -> Verdict {
        match effect.kind() {
            EffectKind::Tool => Verdict::deny("not on Sundays"),
            _ => Verdict::Allow,
        }
    }
}

#[tokio::test]
async fn a_gate_s_denial_is_told_and_the_tool_does_not_run() {
    let recorder = Recorder::default();
    let loom = Loom::builder().observe(recorder.clone()).gate(NoTools);
    let ran = Arc::new(AtomicBool::new(false));
    let seen = ran.clone();
    let tool = Tool::new("act", "Acts.", move |_: ()| {
        seen.store(true, Ordering::SeqCst);
        async { Ok::<_, Error>(()) }
    });
    let (agent, shown) = caller(Reply::call("act", json!({"input": null})), [tool]);
    loom.build()
        .session("alice")
        .run(&agent, "?")
        .await
        .unwrap();

    assert!(!ran.load(Ordering::SeqCst));
    let text = "denied: no_tools: not on Sundays";
    assert_eq!(shown.told(), [erred("c1", "act", text)]);
    assert_eq!(
        tree(&recorder),
        [
            "loom.run agent",
            "  loom.turn 0",
            "    loom.model.stream scripted",
            "    loom.tool act ✗ denied",
            "  loom.turn 1",
            "    loom.model.stream scripted",
        ]
    );
    assert_eq!(recorder.spans()[3].denials, ["not on Sundays"]);
}

#[tokio::test]
async fn a_destructive_tool_is_denied_where_nobody_can_be_asked() {
    let ran = Arc::new(AtomicBool::new(false));
    let seen = ran.clone();
    let tool = Tool::new("act", "Acts.", move |_: ()| {
        seen.store(true, Ordering::SeqCst);
        async { Ok::<_, Error>(()) }
    });
    let (told, line) = called(tool.destructive()).await;
    assert!(!ran.load(Ordering::SeqCst));
    let text = "denied: permissions: may the tool \"act\" be called with {\"input\":null}? (destructive tools are asked \
        for) Nobody can be asked: there is no approver";
    assert_eq!(told, [erred("c1", "act", text)]);
    assert_eq!(line, "loom.tool act ✗ denied");
}

#[tokio::test]
async fn text_is_told_as_it_is_and_any_other_output_as_json() {
    let table = [
        (json!("two\nlines"), "two\nlines"),
        (json!(""), ""),
        (
            json!({"paid": true, "cents": [1, 2]}),
            r#"{"cents":[1,2],"paid":true}"#,
        ),
        (json!(null), "null"),
    ];
    for (output, text) in table {
        let tool = Tool::new("act", "Acts.", move |_: ()| {
            let output: Value = output.clone();
            async { Ok::<_, Error>(output) }
        });
        let (told, line) = called(tool).await;
        assert_eq!(told, [gave("c1", "act", text)]);
        assert_eq!(line, "loom.tool act");
    }
}
