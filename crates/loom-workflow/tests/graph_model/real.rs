//! The real thing: the graph in a loom, with bodies that end when they are told to.

use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::channel::oneshot;
use loom_core::{
    Error, ErrorKind, Loom, MemoryJournal, Outcome, Result, RunContext, RunError, RunErrorKind,
    RunId, Session,
};
use loom_workflow::{Delivered, Graph, Joined, Workflow};
use serde_json::Value;

use crate::shape::{Node, Place, Shape, name};
use crate::text;
use crate::trace::{Ended, Trace, Visit};

/// A run of a graph that may go on after its questions were answered, each time in a fresh loom.
pub(crate) struct RealRun<'a> {
    shape: &'a Shape,
    journal: Option<Arc<MemoryJournal>>,
    run: Option<RunId>,
    questions: Vec<String>,
}

impl<'a> RealRun<'a> {
    pub(crate) fn new(shape: &'a Shape) -> Self {
        RealRun {
            shape,
            journal: None,
            run: None,
            questions: Vec::new(),
        }
    }

    /// A run that can wait for answers.
    pub(crate) fn recorded(shape: &'a Shape) -> Self {
        RealRun {
            journal: Some(Arc::default()),
            ..Self::new(shape)
        }
    }

    /// Runs the graph, or goes on with what waited; `choose` says which of so many running bodies
    /// ends next.
    pub(crate) fn go(&mut self, choose: impl FnMut(usize) -> usize) -> Trace {
        let loom = match &self.journal {
            None => Loom::builder().build(),
            Some(journal) => Loom::builder().journal(journal.clone()).build(),
        };
        let session = loom.session("alice").id("one");
        let stage = Arc::new(Stage::default());
        let graph = built(self.shape, &stage);
        // Journals are given up after a while, which takes a clock.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        let _clock = runtime.enter();
        let result = match self.shape.end_joins {
            true => {
                let graph = graph.build_as::<Value, Joined<Value>>().unwrap();
                let outcome = stage.drive(self.attempt(&session, &graph), choose);
                outcome.map(|it| written(it, |output| all_inputs(true, &output)))
            }
            false => {
                let graph = graph.build().unwrap();
                let outcome = stage.drive(self.attempt(&session, &graph), choose);
                outcome.map(|it| written(it, |output| text::plain(&output)))
            }
        };
        self.traced(&stage, result)
    }

    async fn attempt<O: loom_core::Data>(
        &self,
        session: &Session,
        graph: &Workflow<Value, O>,
    ) -> Result<Outcome<O>, RunError> {
        let Some(run) = &self.run else {
            return session.run(graph, Value::from("go")).await;
        };
        for question in &self.questions {
            session.answer(run, question, true).await.unwrap();
        }
        session.resume(run, graph).await
    }

    fn traced(&mut self, stage: &Stage, result: Result<(String, Vec<String>), RunError>) -> Trace {
        let mut trace = std::mem::replace(&mut *stage.trace.lock().unwrap(), Trace::new());
        (trace.ended, trace.visited) = match result {
            Ok((output, visited)) => (Ended::Output(output), visited),
            Err(error) => {
                let report = error.report().unwrap();
                self.run = Some(report.run_id.clone());
                let visited = report.visited.iter().map(ToString::to_string).collect();
                (self.ended(&error), visited)
            }
        };
        trace
    }

    fn ended(&mut self, error: &RunError) -> Ended {
        if error.kind() != RunErrorKind::Paused {
            return Ended::Failed(error.error().kind(), error.message().to_owned());
        }
        let questions = error.questions().iter();
        self.questions = questions.map(|it| it.path.clone()).collect();
        Ended::Paused(self.questions.clone())
    }
}

fn written<O>(outcome: Outcome<O>, write: impl Fn(O) -> String) -> (String, Vec<String>) {
    let (output, report) = outcome.into_parts();
    let visited = report.visited.iter().map(ToString::to_string);
    (write(output), visited.collect())
}

/// The graph as a user would declare it.
fn built(shape: &Shape, stage: &Arc<Stage>) -> Graph {
    let mut graph = Workflow::graph("graph")
        .steps_max(shape.steps_max)
        .visits_max(shape.visits_max)
        .concurrency_max(shape.concurrency_max);
    for (i, node) in shape.nodes.iter().enumerate() {
        graph = with_node(graph, i, node, stage);
        if shape.out(Place::Node(i)).is_empty() {
            graph = graph.sink(name(i));
        }
    }
    for (number, (from, to)) in shape.edges.iter().enumerate() {
        let out = shape.out(*from);
        let router = match from {
            Place::Node(from) => Some(&shape.nodes[*from]).filter(|it| it.is_routed()),
            Place::Start | Place::End => None,
        };
        graph = match router {
            None => graph.edge(from.name(), to.name()),
            Some(it) if out[0] == number => {
                let it = it.clone();
                let label = move |given: &str| it.pick(text::visit_in(given));
                let label_and_target = |(label, edge): (usize, &usize)| {
                    (label.to_string(), shape.edges[*edge].1.name())
                };
                graph.router(
                    from.name(),
                    label,
                    out.iter().enumerate().map(label_and_target),
                )
            }
            // It stands beside the first one of its router.
            Some(_) => graph,
        };
    }
    graph
}

fn with_node(graph: Graph, i: usize, node: &Node, stage: &Arc<Stage>) -> Graph {
    let body = Body {
        name: name(i),
        node: node.clone(),
        stage: stage.clone(),
    };
    let body = Arc::new(body);
    let graph = match node.joins {
        true => graph.node(name(i), move |cx: RunContext, all: Joined<Value>| {
            let body = body.clone();
            async move { body.run(&cx, all_inputs(true, &all)).await }
        }),
        false => graph.node(name(i), move |cx: RunContext, one: Value| {
            let body = body.clone();
            async move { body.run(&cx, text::plain(&one)).await }
        }),
    };
    match node.settled {
        true => graph.settle(name(i)),
        false => graph,
    }
}

fn all_inputs(joins: bool, all: &[Delivered<Value>]) -> String {
    text::inputs(joins, all.iter().map(|it| (it.source.as_str(), &it.value)))
}

/// What a node runs.
struct Body {
    name: String,
    node: Node,
    stage: Arc<Stage>,
}

impl Body {
    async fn run(&self, cx: &RunContext, inputs: String) -> Result<String> {
        let visit = text::visit_in(&cx.path());
        let told_to_end = self.stage.enter(Visit {
            node: self.name.clone(),
            visit,
            inputs: inputs.clone(),
        });
        told_to_end.await.unwrap();
        if self.node.asks_at == Some(visit) {
            let sure: bool = cx.ask("sure", "Sure?").await?;
            assert!(sure);
        }
        match self.node.fails_at == Some(visit) {
            true => Err(Error::new(
                ErrorKind::Failed,
                format!("{} fails", self.name),
            )),
            false => Ok(text::output(&self.name, visit, &inputs)),
        }
    }
}

/// Where bodies run until they are told to end.
struct Stage {
    trace: Mutex<Trace>,
    running: Mutex<Vec<(String, oneshot::Sender<()>)>>,
}

impl Default for Stage {
    fn default() -> Self {
        Stage {
            trace: Mutex::new(Trace::new()),
            running: Mutex::default(),
        }
    }
}

impl Stage {
    fn enter(&self, visit: Visit) -> oneshot::Receiver<()> {
        let (end, told_to_end) = oneshot::channel();
        let mut running = self.running.lock().unwrap();
        let twice = running.iter().any(|(node, _)| *node == visit.node);
        assert!(!twice, "{} runs twice at the same time", visit.node);
        running.push((visit.node.clone(), end));
        self.trace.lock().unwrap().begun.push(visit);
        told_to_end
    }

    /// Polls the run until it only waits for its bodies, and tells the chosen one to end, until
    /// the run is over.
    fn drive<T, E>(
        &self,
        run: impl Future<Output = Result<T, E>>,
        mut choose: impl FnMut(usize) -> usize,
    ) -> Result<T, E> {
        let mut run = pin!(run);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(woken.clone());
        loop {
            while woken.0.swap(false, Ordering::Relaxed) {
                if let Poll::Ready(result) = run.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return result;
                }
            }
            let mut running = self.running.lock().unwrap();
            assert!(!running.is_empty(), "the run waits, but no body runs");
            self.trace.lock().unwrap().running.push(running.len());
            let (_, end) = {
                let chosen = choose(running.len());
                running.remove(chosen)
            };
            end.send(()).unwrap();
        }
    }
}

/// Whether the run was woken.
struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}
