//! What must be recorded of a composition: computed from the plan, without running it.

use loomflow::{CancelReason, Ending, ErrorKind};

use crate::plan::{Answer, Leaf, Plan, label_of};

/// The spans of a run that nobody stops: where each stands and how it ends, in order of opening.
pub(crate) struct Oracle {
    pub(crate) spans: Vec<(String, Ending)>,
    pub(crate) visited: Vec<String>,
    pub(crate) result: Result<(), ErrorKind>,
}

/// How a part comes out: with a result, or never, because it sleeps inside a time limit.
enum Coming {
    Done(Result<(), ErrorKind>),
    Hanging,
}

use Coming::{Done, Hanging};

#[derive(Default)]
struct Simulation {
    spans: Vec<(String, Option<Ending>)>,
    /// How many time limits enclose the part that is simulated.
    limits: u32,
}

impl Oracle {
    pub(crate) fn of(plan: &Plan) -> Self {
        let mut simulation = Simulation::default();
        // A root that is no run itself is wrapped in one of its name.
        let coming = match plan {
            Plan::Chain(..) | Plan::Route(..) | Plan::Agent(..) => simulation.part(plan, ""),
            Plan::Leaf(..) | Plan::Timed(..) => simulation.effect(
                &plan.name(),
                plan.name().contains("forbidden"),
                |it, path| it.part(plan, path),
            ),
        };
        let Done(result) = coming else {
            panic!("a root hangs without a time limit")
        };
        let ended =
            |(path, ending): (String, Option<Ending>)| (path, ending.expect("every span ends"));
        let spans: Vec<_> = simulation.spans.into_iter().map(ended).collect();
        Self {
            visited: visited(&spans),
            spans,
            result,
        }
    }
}

/// The completed steps right below the root, unless those are an agent's turns or a nested run.
fn visited(spans: &[(String, Ending)]) -> Vec<String> {
    let is_step = |segment: &str| !segment.contains(':');
    let own = spans
        .iter()
        .filter(|(path, ending)| path.matches('/').count() == 1 && *ending == Ending::Completed);
    let names = own
        .filter_map(|(path, _)| path.split('/').nth(1))
        .filter(|name| is_step(name));
    // Below a wrapped root there are no steps, but perhaps the run it wraps.
    let root = spans
        .first()
        .map(|(path, _)| path.clone())
        .unwrap_or_default();
    names
        .filter(|name| **name != root)
        .map(str::to_owned)
        .collect()
}

impl Simulation {
    /// An effect that passes the door: opens, is denied or has a body, closes.
    fn effect(
        &mut self,
        path: &str,
        denied: bool,
        body: impl FnOnce(&mut Self, &str) -> Coming,
    ) -> Coming {
        let index = self.spans.len();
        self.spans.push((path.to_owned(), None));
        let coming = if denied {
            Done(Err(ErrorKind::Denied))
        } else {
            body(self, path)
        };
        if let Done(result) = &coming {
            self.spans[index].1 = Some(match result {
                Ok(()) => Ending::Completed,
                Err(ErrorKind::Denied) => Ending::Denied,
                Err(_) => Ending::Failed,
            });
        }
        coming
    }

    /// A part in a context of this path; `""` is the bare root.
    fn part(&mut self, plan: &Plan, path: &str) -> Coming {
        let below = |name: &str| {
            if path.is_empty() {
                name.to_owned()
            } else {
                format!("{path}/{name}")
            }
        };
        let run = below(&plan.name());
        match plan {
            Plan::Leaf(_, leaf) => self.leaf(*leaf),
            Plan::Chain(_, parts) => self.effect(&run, false, |it, run| it.chain(parts, run)),
            Plan::Route(_, parts, picked) => {
                self.effect(&run, false, |it, run| it.route(parts, *picked, run))
            }
            Plan::Agent(_, turns, answer) => {
                self.effect(&run, false, |it, run| it.agent(turns, *answer, run))
            }
            Plan::Timed(_, part) => self.timed(part, path),
        }
    }

    fn leaf(&self, leaf: Leaf) -> Coming {
        Done(match leaf {
            Leaf::Gives | Leaf::Waits(_) => Ok(()),
            Leaf::Fails => Err(ErrorKind::Failed),
            Leaf::IsInvalid => Err(ErrorKind::Invalid),
            Leaf::Panics | Leaf::PanicsAtOnce => Err(ErrorKind::Panicked),
            Leaf::Forbidden => Err(ErrorKind::Denied),
            Leaf::Sleeps if self.limits > 0 => return Hanging,
            Leaf::Sleeps => Ok(()),
        })
    }

    fn step(&mut self, name: &str, part: &Plan, run: &str) -> Coming {
        self.effect(
            &format!("{run}/{name}"),
            name.contains("forbidden"),
            |it, path| it.part(part, path),
        )
    }

    fn chain(&mut self, parts: &[Plan], run: &str) -> Coming {
        for part in parts {
            match self.step(&part.name(), part, run) {
                Done(Ok(())) => (),
                other => return other,
            }
        }
        Done(Ok(()))
    }

    fn route(&mut self, parts: &[Plan], picked: usize, run: &str) -> Coming {
        // The classifier is a closure: the first step, without a name of its own.
        let _ = self.effect(&format!("{run}/step_1"), false, |_, _| Done(Ok(())));
        match parts.get(picked) {
            Some(part) => self.step(&format!("route_{}", label_of(parts, picked)), part, run),
            None => Done(Err(ErrorKind::Invalid)),
        }
    }

    fn agent(&mut self, turns: &[Vec<Plan>], answer: Answer, run: &str) -> Coming {
        for (turn, parts) in turns.iter().enumerate() {
            let coming = self.effect(&format!("{run}/turn:{turn}"), false, |it, turn| {
                it.turn(parts, turn)
            });
            if let Hanging = coming {
                return Hanging;
            }
        }
        let result = match answer {
            Answer::Text => Ok(()),
            Answer::Fails => Err(ErrorKind::Upstream),
            Answer::Panics => Err(ErrorKind::Panicked),
        };
        self.effect(&format!("{run}/turn:{}", turns.len()), false, |it, turn| {
            it.effect(&format!("{turn}/model:model"), false, |_, _| Done(result))
        })
    }

    /// A turn that calls tools: their errors are results, but one that hangs holds the turn up.
    fn turn(&mut self, parts: &[Plan], turn: &str) -> Coming {
        let _ = self.effect(&format!("{turn}/model:model"), false, |_, _| Done(Ok(())));
        let mut hangs = false;
        for (i, part) in parts.iter().enumerate() {
            let name = part.name();
            let path = format!("{turn}/tool:{name}[c{}]", i + 1);
            let coming = self.effect(&path, name.contains("forbidden"), |it, path| {
                it.part(part, path)
            });
            hangs |= matches!(coming, Hanging);
        }
        if hangs { Hanging } else { Done(Ok(())) }
    }

    fn timed(&mut self, part: &Plan, path: &str) -> Coming {
        let first = self.spans.len();
        self.limits += 1;
        let coming = self.part(part, path);
        self.limits -= 1;
        if let Done(result) = coming {
            return Done(result);
        }
        for (_, ending) in &mut self.spans[first..] {
            ending.get_or_insert(Ending::Cancelled {
                why: CancelReason::TimedOut,
            });
        }
        Done(Err(ErrorKind::Timeout))
    }
}
