//! `Progress`: what the events of a run say of the nodes of a drawing.

use std::collections::HashMap;

use loom_core::{EffectKind, Happened, Name, OwnedEvent, Recorder, RunId, SpanId, TraceId};

use super::state::{Seen, State};

/// How far a run has come, gathered from its events: it colours a [`Drawing`](crate::Drawing),
/// also while the run goes on.
///
/// It wants to see the events of a run from its beginning; of nodes below what it didn't see open
/// it knows nothing. Of several runs of one name, the one that began last counts; a run that is
/// resumed is the same run.
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
/// let mut stream = session.stream(&workflow, 7u64);
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
    stops: Vec<StopSeen>,
    by_place: HashMap<(Option<Stop>, Place), Stop>,
    by_path: HashMap<(Stop, String), Visit>,
    open: HashMap<(TraceId, SpanId), Open>,
}

/// The place in a run of a node, or of the run itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stop(usize);

/// How a stop is told from others below the same stop. A nested run is no stop of its own: it
/// stands below the step or tool that runs it, and is named by that.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Place {
    Root(Name),
    Step(Name),
    Tool(Name),
}

#[derive(Clone, Debug)]
struct StopSeen {
    root: Stop,
    run: RunId,
    visits: Vec<State>,
}

#[derive(Clone, Copy, Debug)]
struct Visit {
    stop: Stop,
    nth: usize,
}

/// A span that is open: what is opened in it stands below the stop, and if the span is a visit of
/// that stop itself, its end is the visit's.
#[derive(Clone, Copy, Debug)]
struct Open {
    stop: Stop,
    visit: Option<Visit>,
}

impl Progress {
    /// How far the runs have come that this recorder saw.
    ///
    /// ```
    /// use loom_core::{Info, Kind, Recorder};
    /// use loom_workflow::{Drawing, Progress};
    ///
    /// let nothing_yet = Progress::of(&Recorder::default());
    /// let step = Info::new("load", Kind::Function);
    /// assert_eq!(Drawing::of(&step).coloured_by(&nothing_yet).to_string(), "· load\n");
    /// ```
    pub fn of(recorder: &Recorder) -> Self {
        let mut progress = Self::default();
        for event in recorder.events() {
            progress.see(&event);
        }
        progress
    }

    /// Takes note of one more event.
    pub fn see(&mut self, event: &OwnedEvent) {
        match &event.what {
            Happened::Opened { .. } => self.opened(event),
            Happened::Closed { ending, .. } => {
                let closed = self.open.remove(&(event.trace, event.span));
                if let Some(visit) = closed.and_then(|it| it.visit) {
                    self.stops[visit.stop.0].visits[visit.nth] = State::of(*ending);
                }
            }
            _ => (),
        }
    }

    fn opened(&mut self, event: &OwnedEvent) {
        // A slash in a name is escaped, so only a root has none in its path.
        let is_root = !event.path.contains('/');
        let parent = event.parent_span.filter(|_| !is_root);
        let above = parent.and_then(|it| self.open.get(&(event.trace, it)).copied());
        let name = event.name.clone();
        let open = match (event.effect, above) {
            _ if is_root => self.visited(None, Place::Root(name), event),
            (_, None) => return,
            (EffectKind::Step, Some(above)) => {
                self.visited(Some(above.stop), Place::Step(name), event)
            }
            (EffectKind::Tool, Some(above)) => {
                self.visited(Some(above.stop), Place::Tool(name), event)
            }
            (
                EffectKind::Workflow | EffectKind::Agent | EffectKind::Turn | EffectKind::Model,
                Some(above),
            ) => Open {
                visit: None,
                ..above
            },
        };
        self.open.insert((event.trace, event.span), open);
    }

    /// A visit begins, or, where its path was seen before, begins again in a resumed run.
    fn visited(&mut self, above: Option<Stop>, place: Place, event: &OwnedEvent) -> Open {
        let stop = self.stop(above, place, &event.run);
        let seen = &mut self.stops[stop.0];
        let visit = *self
            .by_path
            .entry((seen.root, event.path.clone()))
            .or_insert(Visit {
                stop,
                nth: seen.visits.len(),
            });
        let visits = &mut self.stops[visit.stop.0].visits;
        match visits.get_mut(visit.nth) {
            Some(state) => *state = State::Running,
            None => visits.push(State::Running),
        }
        Open {
            stop,
            visit: Some(visit),
        }
    }

    fn stop(&mut self, above: Option<Stop>, place: Place, run: &RunId) -> Stop {
        let new = Stop(self.stops.len());
        let known = self.by_place.get(&(above, place.clone())).copied();
        // Another run of the same name begins anew; below it everything is new too.
        let known = known.filter(|it| above.is_some() || self.stops[it.0].run == *run);
        known.unwrap_or_else(|| {
            self.by_place.insert((above, place), new);
            self.stops.push(StopSeen {
                root: above.map_or(new, |it| self.stops[it.0].root),
                run: run.clone(),
                visits: Vec::new(),
            });
            new
        })
    }

    /// The last run of this name.
    pub(super) fn root(&self, name: &Name) -> Option<Stop> {
        let root = (None, Place::Root(name.clone()));
        self.by_place.get(&root).copied()
    }

    /// The stop at a place below another.
    pub(super) fn below(&self, stop: Option<Stop>, place: Place) -> Option<Stop> {
        let at = (Some(stop?), place);
        self.by_place.get(&at).copied()
    }

    /// What became of a stop. As long as one of several visits goes on or waits, so does the stop.
    pub(super) fn seen(&self, stop: Option<Stop>) -> Seen {
        let visits = stop.map_or(&[][..], |it| &self.stops[it.0].visits);
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
