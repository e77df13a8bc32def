//! `Progress`: what the events of a run say of the nodes of a drawing.

use std::collections::HashMap;

use loom_core::{EffectKind, Happened, Name, OwnedEvent, RunId, SpanId, TraceId};

use super::state::{Seen, State};

/// How far a run has come, gathered from its events: it colours a [`Drawing`](crate::Drawing),
/// also while the run goes on.
///
/// It wants to see the events of a run from its beginning; of nodes below what it didn't see open
/// it knows nothing. Of several runs of one name, the one that began last counts; a run that is
/// resumed is the same run. The others are forgotten, also one that still goes on: so what it holds
/// grows with the names of the runs and the visits of the last run of each, not with the runs.
///
/// ```
/// use futures::StreamExt;
/// use loom_core::{Loom, Result, StreamItem};
/// use loom_workflow::{Progress, Workflow};
///
/// async fn load(id: u64) -> Result<u64> {
///     Ok(id)
/// }
///
/// # futures::executor::block_on(async {
/// let workflow = Workflow::chain("ticket").then(load).build();
/// let loom = Loom::builder().build();
/// let session = loom.session("alice");
/// let mut stream = session.run(&workflow, 7u64).stream();
/// let mut progress = Progress::default();
/// while let Some(item) = stream.next().await {
///     if let StreamItem::Event(event) = item {
///         progress.see(&event);
///     }
/// }
/// let tree = workflow.drawing().coloured_by(&progress).to_string();
/// assert!(tree.contains("✓ load -> END"));
/// # });
/// ```
#[derive(Clone, Debug, Default)]
pub struct Progress {
    /// The number of the run of each name that began last.
    by_name: HashMap<Name, usize>,
    runs: HashMap<usize, RunSeen>,
    runs_begun: usize,
    open: HashMap<(TraceId, SpanId), Open>,
}

/// The place of a node in a run, or of the run itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stop {
    run: usize,
    place: usize,
}

/// How a stop is told from others below the same stop. A nested run is no stop of its own: it
/// stands below the step or tool that runs it, and is named by that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Step(Name),
    Tool(Name),
}

/// What is known of one run.
#[derive(Clone, Debug)]
struct RunSeen {
    id: RunId,
    /// The visits of each place, the run's own first.
    visits: Vec<Vec<State>>,
    by_place: HashMap<(usize, Place), usize>,
    by_path: HashMap<String, Visit>,
}

#[derive(Clone, Copy, Debug)]
struct Visit {
    place: usize,
    nth: usize,
}

/// A span that is open: what is opened in it stands below the stop, and if the span is a visit, its
/// end is the visit's.
#[derive(Clone, Copy, Debug)]
struct Open {
    stop: Stop,
    visit: Option<Visit>,
}

impl Progress {
    /// How far the runs have come whose events these are.
    ///
    /// ```
    /// use loom_core::{Info, Kind};
    /// use loom_workflow::{Drawing, Progress};
    ///
    /// let nothing_yet = Progress::of(&[]);
    /// let step = Info::new("load", Kind::Function);
    /// assert_eq!(Drawing::of(&step).coloured_by(&nothing_yet).to_string(), "· load\n");
    /// ```
    pub fn of(events: &[OwnedEvent]) -> Self {
        let mut progress = Self::default();
        for event in events {
            progress.see(event);
        }
        progress
    }

    /// Takes note of one more event.
    ///
    /// ```
    /// use loom_core::{Loom, Result};
    /// use loom_testing::Recorder;
    /// use loom_workflow::{Progress, Workflow};
    ///
    /// async fn load(id: u64) -> Result<u64> {
    ///     Ok(id)
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let workflow = Workflow::chain("ticket").then(load).build();
    /// let recorder = Recorder::default();
    /// let loom = Loom::builder().observe(recorder.clone()).build();
    /// loom.session("alice").run(&workflow, 7u64).await?;
    ///
    /// let (mut progress, events) = (Progress::default(), recorder.events());
    /// progress.see(&events[0]);
    /// let begun = workflow.drawing().coloured_by(&progress).to_string();
    /// assert!(begun.starts_with("▶ ticket"));
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn see(&mut self, event: &OwnedEvent) {
        match &event.what {
            Happened::Opened { .. } => {
                if let Some(open) = self.opened(event) {
                    self.open.insert((event.trace, event.span), open);
                }
            }
            Happened::Closed { ending, .. } => {
                let closed = self.open.remove(&(event.trace, event.span));
                if let Some((run, visit)) = closed.and_then(|it| Some((it.stop.run, it.visit?)))
                    && let Some(run) = self.runs.get_mut(&run)
                {
                    run.visits[visit.place][visit.nth] = State::of(*ending);
                }
            }
            _ => (),
        }
    }

    fn opened(&mut self, event: &OwnedEvent) -> Option<Open> {
        // A slash in a name is escaped, so only a root has none in its path.
        if !event.path.contains('/') {
            let run = self.run(&event.name, &event.run);
            return self.visited(run, 0, &event.path);
        }
        let parent = (event.trace, event.parent_span?);
        let above = self.open.get(&parent).copied()?;
        let place = match event.effect {
            EffectKind::Step => Place::Step(event.name.clone()),
            EffectKind::Tool => Place::Tool(event.name.clone()),
            EffectKind::Workflow | EffectKind::Agent | EffectKind::Turn | EffectKind::Model => {
                return Some(Open {
                    visit: None,
                    ..above
                });
            }
        };
        let run = above.stop.run;
        let place = self.runs.get_mut(&run)?.place(above.stop.place, place);
        self.visited(run, place, &event.path)
    }

    /// The number of this run. Another one of the same name begins anew, and the older is forgotten.
    fn run(&mut self, name: &Name, id: &RunId) -> usize {
        let last = self.by_name.get(name).copied();
        if let Some(last) = last.filter(|it| self.runs.get(it).is_some_and(|run| run.id == *id)) {
            return last;
        }
        if let Some(last) = last {
            self.runs.remove(&last);
            self.open.retain(|_, open| open.stop.run != last);
        }
        let new = self.runs_begun;
        self.runs_begun += 1;
        self.by_name.insert(name.clone(), new);
        self.runs.insert(
            new,
            RunSeen {
                id: id.clone(),
                visits: vec![Vec::new()],
                by_place: HashMap::new(),
                by_path: HashMap::new(),
            },
        );
        new
    }

    fn visited(&mut self, run: usize, place: usize, path: &str) -> Option<Open> {
        let visit = self.runs.get_mut(&run)?.visited(place, path);
        Some(Open {
            stop: Stop { run, place },
            visit: Some(visit),
        })
    }

    /// The last run of this name.
    pub(super) fn root(&self, name: &Name) -> Option<Stop> {
        let run = self.by_name.get(name).copied();
        run.map(|run| Stop { run, place: 0 })
    }

    /// The stop at a place below another.
    pub(super) fn below(&self, stop: Option<Stop>, place: Place) -> Option<Stop> {
        let Stop { run, place: above } = stop?;
        let place = self.runs.get(&run)?.by_place.get(&(above, place)).copied();
        place.map(|place| Stop { run, place })
    }

    /// What became of a stop. As long as one of several visits goes on or waits, so does the stop.
    pub(super) fn seen(&self, stop: Option<Stop>) -> Seen {
        let run_and_place = stop.and_then(|it| Some((self.runs.get(&it.run)?, it.place)));
        let visits = run_and_place.map_or(&[][..], |(run, place)| &run.visits[place]);
        let going_on = [State::Running, State::Paused].into_iter();
        let state = going_on
            .into_iter()
            .find(|it| visits.contains(it))
            .or(visits.last().copied());
        Seen {
            state: state.unwrap_or(State::NotTaken),
            visits: visits.len(),
        }
    }
}

impl RunSeen {
    /// The number of this place below another.
    fn place(&mut self, above: usize, place: Place) -> usize {
        let new = self.visits.len();
        let number = *self.by_place.entry((above, place)).or_insert(new);
        if number == new {
            self.visits.push(Vec::new());
        }
        number
    }

    /// A visit begins, or, where its path was seen before, begins again in a resumed run.
    fn visited(&mut self, place: usize, path: &str) -> Visit {
        let nth = self.visits[place].len();
        let new = Visit { place, nth };
        let visit = *self.by_path.entry(path.to_owned()).or_insert(new);
        let visits = &mut self.visits[visit.place];
        match visits.get_mut(visit.nth) {
            Some(state) => *state = State::Running,
            None => visits.push(State::Running),
        }
        visit
    }
}
