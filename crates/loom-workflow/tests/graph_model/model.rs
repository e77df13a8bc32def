//! The model: runs a graph on paper, one end of a body at a time, and looks at everything again
//! after each.

use std::collections::{BTreeSet, VecDeque};

use loom_core::ErrorKind;
use serde_json::{Value, json};

use crate::loops::Loops;
use crate::shape::{Node, Place, Shape, name};
use crate::text;
use crate::trace::{Ended, Trace, Visit};
use crate::waits::{Active, may_begin};

/// What an earlier attempt at the same run left behind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Before {
    /// The visits that completed: these give at once what they gave, without their body.
    pub(crate) recorded: BTreeSet<(usize, u32)>,
    /// The visits that asked and have their answer.
    pub(crate) answered: BTreeSet<(usize, u32)>,
}

/// Runs the graph; `choose` says which of so many running bodies ends next. What completed and
/// what asked is added to what an attempt after this one finds.
pub(crate) fn run(shape: &Shape, before: &mut Before, choose: impl FnMut(usize) -> usize) -> Trace {
    let mut model = Model {
        shape,
        loops: Loops::of(shape),
        before: before.clone(),
        after: before,
        delivered: vec![Vec::new(); shape.nodes.len()],
        at_the_end: Vec::new(),
        ready: VecDeque::new(),
        begun: VecDeque::new(),
        running: Vec::new(),
        visits: vec![0; shape.nodes.len()],
        questions: Vec::new(),
        trace: Trace::new(),
    };
    model.trace.ended = match model.run(choose) {
        Ok(ended) => ended,
        Err((kind, message)) => Ended::Failed(kind, message),
    };
    model.trace
}

/// Why a run or a visit failed.
type Failure = (ErrorKind, String);

/// Something on its way: the edge it came by, and the value.
type Delivery = (usize, Value);

/// A visit that began and didn't end.
struct Open {
    node: usize,
    visit: u32,
    inputs: String,
    /// Known from the beginning for a visit whose body doesn't run.
    at_once: Option<Result<Value, Failure>>,
}

struct Model<'a> {
    shape: &'a Shape,
    loops: Loops,
    before: Before,
    after: &'a mut Before,
    delivered: Vec<Vec<Delivery>>,
    at_the_end: Vec<Delivery>,
    /// Nodes that may begin, in the order in which they came to it.
    ready: VecDeque<usize>,
    /// Visits whose body has yet to run.
    begun: VecDeque<Open>,
    /// Visits whose body runs.
    running: Vec<Open>,
    visits: Vec<u32>,
    questions: Vec<String>,
    trace: Trace,
}

impl Model<'_> {
    fn run(&mut self, mut choose: impl FnMut(usize) -> usize) -> Result<Ended, Failure> {
        self.send(&json!("go"), &self.shape.out(Place::Start));
        loop {
            self.find_ready();
            self.begin_ready()?;
            if let Some(mut open) = self.begun.pop_front() {
                match open.at_once.take() {
                    Some(result) => self.end(&open, result)?,
                    None => self.enter_body(open),
                }
            } else if !self.running.is_empty() {
                self.trace.running.push(self.running.len());
                let open = self.running.remove(choose(self.running.len()));
                self.leave_body(&open)?;
            } else {
                return self.ended();
            }
        }
    }

    fn ended(&mut self) -> Result<Ended, Failure> {
        if !self.questions.is_empty() {
            return Ok(Ended::Paused(std::mem::take(&mut self.questions)));
        }
        let stuck = self.delivered.iter().any(|it| !it.is_empty());
        assert!(!stuck, "nodes wait for each other: {:?}", self.delivered);
        let mut given = std::mem::take(&mut self.at_the_end);
        given.sort_by_key(|(edge, _)| *edge);
        if given.is_empty() {
            let message = "the graph ran to its end without anything reaching END";
            return Err((ErrorKind::Failed, message.to_owned()));
        }
        let hint = "build the graph with an output of type `Joined<_>`, or join them in a node";
        let output = self.gathered(&given, self.shape.end_joins, hint);
        let in_context = |(kind, message)| (kind, format!("END: {message}"));
        output.map(Ended::Output).map_err(in_context)
    }

    /// Adds the nodes that may begin now to those that might before.
    fn find_ready(&mut self) {
        let open = self.begun.iter().chain(&self.running);
        let edges = |it: &Vec<Delivery>| it.iter().map(|(edge, _)| *edge).collect();
        let delivered: Vec<Vec<usize>> = self.delivered.iter().map(edges).collect();
        let active = Active {
            running: open.map(|it| it.node).collect(),
            delivered: &delivered,
        };
        let has_any = |node: &usize| !delivered[*node].is_empty();
        for node in (0..delivered.len()).filter(has_any) {
            let may_begin = may_begin(self.shape, &self.loops, &active, node);
            let was_ready = self.ready.contains(&node);
            assert!(
                may_begin || !was_ready,
                "{} may no longer begin",
                name(node)
            );
            if may_begin && !was_ready {
                self.ready.push_back(node);
            }
        }
    }

    fn begin_ready(&mut self) -> Result<(), Failure> {
        let is_paused = !self.questions.is_empty();
        while !is_paused && self.begun.len() + self.running.len() < self.shape.concurrency_max {
            let Some(node) = self.ready.pop_front() else {
                break;
            };
            self.visits[node] += 1;
            self.check_limits(node)?;
            let mut given = std::mem::take(&mut self.delivered[node]);
            given.sort_by_key(|(edge, _)| *edge);
            self.begun.push_back(self.open(node, &given));
        }
        Ok(())
    }

    fn check_limits(&self, node: usize) -> Result<(), Failure> {
        let steps: u32 = self.visits.iter().sum();
        let reached = if self.loops.loops.is_empty() {
            return Ok(());
        } else if steps > self.shape.steps_max {
            format!("steps_max {}", self.shape.steps_max)
        } else if self.visits[node] > self.shape.visits_max {
            format!("visits_max {}", self.shape.visits_max)
        } else {
            return Ok(());
        };
        let message = format!("{}: {reached} reached", name(node));
        Err((ErrorKind::LimitReached, message))
    }

    fn open(&self, node: usize, given: &[Delivery]) -> Open {
        let visit = self.visits[node];
        let inputs = self.gathered(
            given,
            self.shape.nodes[node].joins,
            "take `Joined<_>` to join them",
        );
        let at_once = match &inputs {
            Err(failure) => Some(Err(failure.clone())),
            Ok(inputs) if self.before.recorded.contains(&(node, visit)) => {
                Some(self.result(node, visit, inputs))
            }
            Ok(_) => None,
        };
        Open {
            node,
            visit,
            inputs: inputs.unwrap_or_default(),
            at_once,
        }
    }

    fn gathered(&self, given: &[Delivery], joins: bool, hint: &str) -> Result<String, Failure> {
        let source = |(edge, _): &Delivery| self.shape.edges[*edge].0.name();
        let sources: Vec<String> = given.iter().map(source).collect();
        if given.len() > 1 && !joins {
            let quoted: Vec<String> = sources.iter().map(|it| format!("{it:?}")).collect();
            let message = format!(
                "{} deliveries where one is taken, from {}: {hint}",
                given.len(),
                quoted.join(" and ")
            );
            return Err((ErrorKind::Invalid, message));
        }
        let values = given.iter().map(|(_, value)| value);
        Ok(text::inputs(
            joins,
            sources.iter().map(String::as_str).zip(values),
        ))
    }

    fn enter_body(&mut self, open: Open) {
        self.trace.begun.push(Visit {
            node: name(open.node),
            visit: open.visit,
            inputs: open.inputs.clone(),
        });
        self.running.push(open);
    }

    fn leave_body(&mut self, open: &Open) -> Result<(), Failure> {
        let it: &Node = &self.shape.nodes[open.node];
        let visit = (open.node, open.visit);
        if it.asks_at == Some(open.visit) && !self.before.answered.contains(&visit) {
            self.questions
                .push(format!("{}/sure", path(open.node, open.visit)));
            self.after.answered.insert(visit);
            return Ok(());
        }
        self.end(open, self.result(open.node, open.visit, &open.inputs))
    }

    /// What a visit gives.
    fn result(&self, node: usize, visit: u32, inputs: &str) -> Result<Value, Failure> {
        let (name, it) = (name(node), &self.shape.nodes[node]);
        match it.fails_at == Some(visit) {
            true => Err((ErrorKind::Failed, format!("{name} fails"))),
            false => Ok(json!(text::output(&name, visit, inputs))),
        }
    }

    fn end(&mut self, open: &Open, result: Result<Value, Failure>) -> Result<(), Failure> {
        if result.is_ok() {
            self.trace.visited.push(name(open.node));
        }
        let it = &self.shape.nodes[open.node];
        if result.is_ok() || it.settled {
            // A failure that is a value is recorded like an output.
            self.after.recorded.insert((open.node, open.visit));
        }
        let value = match result {
            Ok(value) if it.settled => json!({"done": value}),
            Ok(value) => value,
            Err((kind, message)) if it.settled => {
                let message = format!("{}: {message}", path(open.node, open.visit));
                json!({"failed": {"kind": kind.as_str(), "message": message}})
            }
            Err(failure) => return Err(failure),
        };
        let edges = self.taken(open.node, &value)?;
        self.send(&value, &edges);
        Ok(())
    }

    /// The edges that what the node gave goes along.
    fn taken(&self, node: usize, value: &Value) -> Result<Vec<usize>, Failure> {
        let (it, out) = (&self.shape.nodes[node], self.shape.out(Place::Node(node)));
        if !it.is_routed() {
            return Ok(out);
        }
        let label = it.pick(text::visit_in(&text::plain(value)));
        out.get(label).map(|edge| vec![*edge]).ok_or_else(|| {
            let labels: Vec<String> = (0..out.len()).map(|it| it.to_string()).collect();
            let message = format!("no edge for the label \"{label}\"; there are {labels:?}");
            (ErrorKind::Invalid, format!("{}: {message}", name(node)))
        })
    }

    fn send(&mut self, value: &Value, edges: &[usize]) {
        for edge in edges {
            match self.shape.edges[*edge].1 {
                Place::Node(to) => self.delivered[to].push((*edge, value.clone())),
                Place::Start | Place::End => self.at_the_end.push((*edge, value.clone())),
            }
        }
    }
}

/// Where a visit stands in the run's tree.
fn path(node: usize, visit: u32) -> String {
    match visit {
        1 => format!("graph/{}", name(node)),
        nth => format!("graph/{}#{nth}", name(node)),
    }
}
