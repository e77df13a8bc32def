//! What a dag says of itself, and everything that is wrong with one, said at once.

use loom_core::{Error, ErrorKind, Info, Kind, Link, Result, Runnable};
use loom_workflow::{Dag, Var, Workflow};

use crate::recorded::recorded;

async fn same(n: u64) -> Result<u64> {
    Ok(n)
}

async fn add((one, other): (u64, u64)) -> Result<u64> {
    Ok(one + other)
}

async fn sum(all: Vec<u64>) -> Result<u64> {
    Ok(all.into_iter().sum())
}

/// What is wrong with a dag from which this is the way out.
fn wrong(dag: Dag<u64>, output: Var<u64>) -> String {
    let error = dag.output(output).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    error.message().to_owned()
}

#[test]
fn its_info_names_the_parts_in_order_and_links_them_in_the_order_of_the_handles() {
    let (mut dag, n) = Dag::<u64>::new("sum");
    let a = dag.node("a", n, same);
    let b = dag.settled("b", n, same);
    let unsettled = dag.node("c", b, |b: loom_workflow::Settled<u64>| async move {
        b.done().ok_or(Error::invalid("none"))
    });
    let added = dag.node("add", (unsettled, a), add);
    let all = dag.node("all", vec![added, n, a], sum);
    let info = dag.output((all, added)).unwrap().info();
    let function = |name: &'static str| Info::new(name, Kind::Function);
    let node = |name: &'static str, step: &'static str| function(name).with_parts([function(step)]);
    let expected = Info::new("sum", Kind::Workflow)
        .with_parts([
            node("a", "same"),
            node("b", "same").with_detail("settled"),
            node("c", ""),
            node("add", "add").joining(true),
            node("all", "sum").joining(true),
        ])
        .with_links([
            Link::entry(0),
            Link::entry(1),
            Link::new(1, 2),
            Link::new(2, 3),
            Link::new(0, 3),
            Link::new(3, 4),
            Link::entry(4),
            Link::new(0, 4),
            Link::exit(4),
            Link::exit(3),
        ])
        .joining(true);
    assert_eq!(info, expected);
}

#[test]
fn how_many_run_at_a_time_is_no_part_of_the_definition() {
    let info = |concurrency_max| {
        let (mut dag, n) = Dag::<u64>::new("one");
        dag.concurrency_max(concurrency_max);
        let one = dag.node("one", n, same);
        dag.output(one).unwrap().info()
    };
    assert_eq!(info(1), info(8));
}

#[test]
fn a_handle_of_another_dag_is_told_with_the_node_that_takes_it() {
    let (_other, stranger) = Dag::<u64>::new("other");
    let (mut dag, n) = Dag::<u64>::new("sum");
    let added = dag.node("add", (n, stranger), add);
    assert_eq!(
        wrong(dag, added),
        r#"the dag "sum" can't be built: the node "add" takes a handle of another dag"#
    );
}

#[test]
fn an_output_of_another_dag_is_told_and_no_node_is_blamed_for_leading_nowhere() {
    let (_other, stranger) = Dag::<u64>::new("sum");
    let (mut dag, n) = Dag::<u64>::new("sum");
    let _lost = dag.node("add", (n, n), add);
    assert_eq!(
        wrong(dag, stranger),
        r#"the dag "sum" can't be built: the output takes a handle of another dag"#
    );
}

#[test]
fn a_handle_of_another_dag_with_as_many_nodes_and_of_the_same_name_is_still_another_s() {
    let one = || {
        let (mut dag, n) = Dag::<u64>::new("one");
        let one = dag.node("one", n, same);
        (dag, one)
    };
    let ((dag, _), (_, stranger)) = (one(), one());
    assert_eq!(
        wrong(dag, stranger),
        r#"the dag "one" can't be built: the output takes a handle of another dag"#
    );
}

#[test]
fn a_node_that_leads_nowhere_is_an_error_and_so_is_what_leads_only_there() {
    let (mut dag, n) = Dag::<u64>::new("sum");
    let used = dag.node("used", n, same);
    let before = dag.node("before", n, same);
    let _after = dag.node("after", (before, used), add);
    assert_eq!(
        wrong(dag, used),
        concat!(
            r#"the dag "sum" can't be built: "#,
            r#"the node "before" leads nowhere: whatever takes what it gives leads nowhere either; "#,
            r#"the node "after" leads nowhere: nothing takes what it gives"#
        )
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let (_other, stranger) = Dag::<u64>::new("other");
    let (mut dag, n) = Dag::<u64>::new("");
    dag.concurrency_max(0);
    let one = dag.node("one", n, same);
    let again = dag.node("one", one, same);
    let _lost = dag.node("lost", one, same);
    let unnamed = dag.node("", again, same);
    let tab = dag.node("tab\t", [unnamed, stranger], sum);
    assert_eq!(
        wrong(dag, tab),
        concat!(
            r#"the dag "" can't be built: "#,
            r#"two nodes are named "one"; "#,
            r#"a node: the name "" is empty; "#,
            r#"a node: the name "tab\t" has a control character; "#,
            r#"the workflow: the name "" is empty; "#,
            r#"the node "tab\t" takes a handle of another dag; "#,
            "concurrency_max is 0: then nothing could run; ",
            r#"the node "lost" leads nowhere: nothing takes what it gives"#
        )
    );
}

#[tokio::test]
async fn a_dag_that_was_built_runs_as_often_as_wanted_and_at_the_same_time() {
    let (mut dag, n) = Dag::<u64>::new("sum");
    let a = dag.node("a", n, same);
    let added = dag.node("add", (a, n), add);
    let workflow: Workflow<u64, u64> = dag.output(added).unwrap();
    let (_, session) = recorded();
    let runs = (1..=3u64).map(|n| session.run(&workflow, n));
    let outcomes = futures::future::join_all(runs).await;
    let outputs = outcomes.into_iter().map(|it| it.unwrap().output);
    assert_eq!(outputs.collect::<Vec<_>>(), [2, 4, 6]);
}

#[test]
fn a_dag_of_many_nodes_is_built_in_no_time() {
    const NODES: usize = 20_000;
    let (mut dag, n) = Dag::<u64>::new("long");
    let mut last = n;
    for i in 0..NODES {
        last = dag.node(format!("node {i}"), last, same);
    }
    let info = dag.output(last).unwrap().info();
    assert_eq!((info.parts.len(), info.links.len()), (NODES, NODES + 1));
}
