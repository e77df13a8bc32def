//! Attacks on what workflows and an agent's calls tell apart by paths: whatever arrives first, each
//! answer and result goes to the branch, item, node or call it belongs to.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use loomflow::{
    Agent, Dag, END, Error, ErrorKind, Joined, Result, RunContext, RunErrorKind, Settled, Settling,
    Tool, Workflow, branch,
};
use serde_json::{Value, json};

use crate::arrival::{journaled, slowly};
use crate::support_a::{call, calls_then_results, check_record, paths, run_id, sleep};

fn pay_tool(paid: &Arc<Mutex<Vec<u64>>>) -> Tool {
    let paid = paid.clone();
    let schema = json!({"type": "object", "properties": {"cents": {"type": "integer"}}, "required": ["cents"]});
    let pay = move |args: Value| {
        let paid = paid.clone();
        async move {
            let cents = args["cents"].as_u64().unwrap();
            sleep(100 - cents).await;
            paid.lock().unwrap().push(cents);
            Ok::<_, Error>(loomflow::ToolOutput::Text(format!("paid {cents}")))
        }
    };
    Tool::with_schema("pay", "Pays.", schema, loomflow::Step::new(pay)).destructive()
}

async fn approve_only_the_second_of_two_calls(ids: [&'static str; 2]) {
    let paid = Arc::default();
    let calls = vec![
        call(ids[0], "pay", json!({"cents": 10})),
        call(ids[1], "pay", json!({"cents": 20})),
    ];
    let agent = Agent::builder("Pay.")
        .named("payer")
        .model(calls_then_results(calls))
        .tool(pay_tool(&paid))
        .build()
        .unwrap();
    let (session, recorder) = journaled();
    let paused = session.run(&agent, "go").await.unwrap_err();
    assert_eq!(paused.questions().len(), 2, "{paused}");
    assert!(paid.lock().unwrap().is_empty());
    for question in paused.questions() {
        let cents = question.input.as_ref().unwrap()["cents"].as_u64().unwrap();
        session
            .answer(&run_id(&paused), &question.path, cents == 20)
            .await
            .unwrap();
    }
    let outcome = session.resume(&run_id(&paused), &agent).await.unwrap();
    assert_eq!(*paid.lock().unwrap(), [20]);
    let (first, second) = outcome.output.split_once('|').unwrap();
    assert!(
        !first.contains("paid 1") && second == "paid 20",
        "{}",
        outcome.output
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn approvals_of_calls_with_one_id_arent_mixed_up() {
    approve_only_the_second_of_two_calls(["c1", "c1"]).await;
}

#[tokio::test(start_paused = true)]
async fn approvals_of_calls_without_ids_arent_mixed_up() {
    approve_only_the_second_of_two_calls(["", ""]).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_id_that_looks_like_the_second_of_another_isnt_taken_for_it() {
    approve_only_the_second_of_two_calls(["a", "a]#2"]).await;
    approve_only_the_second_of_two_calls(["a/pay", "a%2Fpay"]).await;
}

#[tokio::test(start_paused = true)]
async fn results_of_concurrent_calls_go_back_in_order_over_attempts() {
    let nap = |args: Value| async move {
        let n = args["n"].as_u64().unwrap();
        sleep(n).await;
        Ok::<_, Error>(loomflow::ToolOutput::Text(format!("nap {n}")))
    };
    let ask = |cx: RunContext, _: Value| async move {
        let text: String = cx.ask("text", "?").await?;
        Ok::<_, Error>(loomflow::ToolOutput::Text(text))
    };
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}});
    let nap = Tool::with_schema("nap", "Naps.", schema, loomflow::Step::new(nap));
    let ask = Tool::with_schema(
        "ask",
        "Asks.",
        json!({"type": "object"}),
        loomflow::Step::new(ask),
    );
    let calls = vec![
        call("", "nap", json!({"n": 50})),
        call("", "ask", json!({})),
        call("", "nap", json!({"n": 10})),
        call("", "ask", json!({})),
        call("", "nap", json!({"n": 30})),
    ];
    let agent = Agent::builder("Nap.")
        .named("napper")
        .model(calls_then_results(calls))
        .tools([nap, ask])
        .build()
        .unwrap();
    let (session, recorder) = journaled();
    let paused = session.run(&agent, "go").await.unwrap_err();
    let mut asked = paths(&paused);
    asked.sort_by_key(|it| it.contains("#2"));
    for (path, text) in asked.iter().zip(["one", "two"]).rev() {
        session.answer(&run_id(&paused), path, text).await.unwrap();
    }
    let outcome = session.resume(&run_id(&paused), &agent).await.unwrap();
    assert_eq!(outcome.output, "nap 50|one|nap 10|two|nap 30");
    check_record(&recorder.events());
}

async fn named_ask(cx: RunContext, n: u64) -> Result<String> {
    if n.is_multiple_of(2) {
        cx.step("load", &slowly, 50 - n).await?;
    }
    let text: String = cx.ask("who", "Who?").await?;
    Ok(format!("{n}:{text}"))
}

#[tokio::test(start_paused = true)]
async fn parallel_branches_of_one_function_keep_their_own_answers() {
    let workflow = Workflow::chain::<u64>("w")
        .parallel((named_ask, named_ask, named_ask))
        .build();
    let (session, recorder) = journaled();
    let paused = session.run(&workflow, 2u64).await.unwrap_err();
    let mut asked = paths(&paused);
    asked.sort();
    for (path, text) in asked.iter().zip(["a", "b", "c"]) {
        session.answer(&run_id(&paused), path, text).await.unwrap();
    }
    let (a, b, c) = session
        .resume(&run_id(&paused), &workflow)
        .await
        .unwrap()
        .output;
    assert_eq!([a, b, c], ["2:a", "2:b", "2:c"]);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn items_of_each_keep_their_own_answers_over_many_partial_resumes() {
    let each = Workflow::chain::<Vec<u64>>("w").each(2, named_ask).build();
    let (session, recorder) = journaled();
    let mut ended = session.run(&each, vec![0u64, 1, 2, 3, 4]).await;
    let mut rounds = 0;
    while let Err(paused) = &ended {
        rounds += 1;
        assert!(rounds < 20, "it never ends: {paused}");
        assert_eq!(paused.kind(), RunErrorKind::Paused, "{paused}");
        // Only the last one is answered, by its index.
        let path = paths(paused).into_iter().max().unwrap();
        let index = path
            .split('[')
            .nth(1)
            .unwrap()
            .split(']')
            .next()
            .unwrap()
            .to_owned();
        session.answer(&run_id(paused), &path, index).await.unwrap();
        ended = session.resume(&run_id(paused), &each).await;
    }
    assert_eq!(ended.unwrap().output, ["0:0", "1:1", "2:2", "3:3", "4:4"]);
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_settled_set_keeps_failures_and_answers_at_their_branches_over_attempts() {
    let failing = |n: u64| async move {
        sleep(n).await;
        Err::<String, _>(Error::new(ErrorKind::Failed, format!("no {n}")))
    };
    let workflow = Workflow::chain::<u64>("w")
        .parallel(vec![branch(failing), branch(named_ask), branch(named_ask)].settle())
        .build();
    let (session, recorder) = journaled();
    let paused = session.run(&workflow, 40u64).await.unwrap_err();
    let mut asked = paths(&paused);
    asked.sort();
    assert_eq!(asked.len(), 2);
    session
        .answer(&run_id(&paused), &asked[1], "late")
        .await
        .unwrap();
    let again = session
        .resume(&run_id(&paused), &workflow)
        .await
        .unwrap_err();
    assert_eq!(paths(&again), [asked[0].clone()]);
    session
        .answer(&run_id(&paused), &asked[0], "early")
        .await
        .unwrap();
    let output = session
        .resume(&run_id(&paused), &workflow)
        .await
        .unwrap()
        .output;
    let done: Vec<_> = output.into_iter().map(Settled::done).collect();
    assert_eq!(
        done,
        [
            None,
            Some("40:early".to_owned()),
            Some("40:late".to_owned())
        ]
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_graphs_join_is_in_the_order_of_its_edges_whatever_arrives_first() {
    let joined = |all: Joined<String>| async move { Ok::<_, Error>(all.into_values().join(",")) };
    let start = |n: u64| async move { Ok::<_, Error>(n) };
    let slow = |n: u64| async move {
        sleep(n + 60).await;
        Ok::<_, Error>("slow".to_owned())
    };
    let graph = Workflow::graph("g")
        .node("start", start)
        .node("a", slow)
        .node("b", named_ask)
        .node("c", named_ask)
        .node("join", joined)
        .start("start")
        .edge("start", "c")
        .edge("start", "a")
        .edge("start", "b")
        .edge("b", "join")
        .edge("a", "join")
        .edge("c", "join")
        .edge("join", END)
        .build_as::<u64, String>()
        .unwrap();
    let (session, recorder) = journaled();
    let paused = session.run(&graph, 2u64).await.unwrap_err();
    let mut asked = paths(&paused);
    asked.sort();
    session
        .answer(&run_id(&paused), &asked[0], "for b")
        .await
        .unwrap();
    session
        .answer(&run_id(&paused), &asked[1], "for c")
        .await
        .unwrap();
    let output = session
        .resume(&run_id(&paused), &graph)
        .await
        .unwrap()
        .output;
    assert_eq!(output, "2:for b,slow,2:for c");
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_dags_nodes_of_one_function_keep_their_own_answers() {
    let (mut dag, n) = Dag::<u64>::new("d");
    let one = dag.node("one", n, named_ask);
    let two = dag.settled("two", n, named_ask);
    let dag = dag.output((one, two)).unwrap();
    let (session, recorder) = journaled();
    let paused = session.run(&dag, 4u64).await.unwrap_err();
    for path in paths(&paused) {
        let text = if path.contains("one") { "uno" } else { "due" };
        session.answer(&run_id(&paused), &path, text).await.unwrap();
    }
    let (one, two) = session.resume(&run_id(&paused), &dag).await.unwrap().output;
    assert_eq!(
        (one.as_str(), two.done().unwrap().as_str()),
        ("4:uno", "4:due")
    );
    check_record(&recorder.events());
}

#[tokio::test(start_paused = true)]
async fn a_workflow_called_twice_in_one_turn_keeps_the_answers_of_each_call() {
    let flow = Workflow::chain::<u64>("flow").then(named_ask).build();
    let calls = vec![
        call("x", "flow", json!({"input": 2})),
        call("x", "flow", json!({"input": 1})),
    ];
    let agent = Agent::builder("Call.")
        .named("caller")
        .model(calls_then_results(calls))
        .tool(flow.as_tool())
        .build()
        .unwrap();
    let (session, recorder) = journaled();
    let paused = session.run(&agent, "go").await.unwrap_err();
    assert_eq!(paused.questions().len(), 2, "{paused}");
    for path in paths(&paused) {
        let text = if path.contains("#2") {
            "second"
        } else {
            "first"
        };
        session.answer(&run_id(&paused), &path, text).await.unwrap();
    }
    let outcome = session.resume(&run_id(&paused), &agent).await.unwrap();
    assert_eq!(outcome.output, "2:first|1:second");
    let runs: BTreeSet<_> = recorder.spans().into_iter().map(|it| it.run).collect();
    assert_eq!(runs.len(), 3, "the agent's run and one for each call");
    check_record(&recorder.events());
}
