//! `RunStream`: a run seen while it goes on.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use futures::Stream;

use crate::event::Event;
use crate::handle::Handle;
use crate::outcome::Outcome;
use crate::owned_event::{Happened, OwnedEvent};
use crate::run::Run;
use crate::run_error::RunError;
use crate::tree::unpoisoned;

/// What a [`RunStream`] gives: events, and at the end the outcome.
#[derive(Debug)]
#[non_exhaustive]
pub enum StreamItem<T> {
    /// Something happened in the run or in anything nested in it.
    Event(Box<OwnedEvent>),
    /// The run ended; always the last item.
    Done(Result<Outcome<T>, RunError>),
}

/// Every event of a run, then its outcome.
///
/// No task runs behind it: polling the stream drives the run, a reader that stops reading stops
/// it, and dropping it cancels it. Adjacent pieces of one streamed reply arrive as one event if
/// they came in one poll; no other event is ever merged or left out.
#[must_use = "a stream does nothing until it is polled"]
pub struct RunStream<'a, T> {
    run: Option<Run<'a, T>>,
    done: Option<Result<Outcome<T>, RunError>>,
    queue: Arc<EventQueue>,
    handle: Handle,
}

impl<'a, T> RunStream<'a, T> {
    pub(crate) fn new(run: Run<'a, T>, queue: Arc<EventQueue>, handle: Handle) -> Self {
        Self {
            run: Some(run),
            done: None,
            queue,
            handle,
        }
    }

    /// A hold on the run, to cancel it from elsewhere.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

// Nothing in it is pinned in place: the run is boxed.
impl<T> Unpin for RunStream<'_, T> {}

impl<T> Stream for RunStream<'_, T> {
    type Item = StreamItem<T>;

    fn poll_next(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<Option<StreamItem<T>>> {
        // What earlier polls left goes first, so that the queue never holds more than one poll's
        // events; and the outcome comes only once the queue is drained.
        if let Some(event) = self.queue.pop() {
            return Poll::Ready(Some(StreamItem::Event(Box::new(event))));
        }
        if let Some(run) = &mut self.run
            && let Poll::Ready(result) = Pin::new(run).poll(task)
        {
            self.run = None;
            self.done = Some(result);
        }
        // What other tasks say while nobody polls the run wakes this one too.
        if let Some(event) = self.queue.pop_or_wait(task) {
            return Poll::Ready(Some(StreamItem::Event(Box::new(event))));
        }
        match (self.done.take(), &self.run) {
            (Some(result), _) => Poll::Ready(Some(StreamItem::Done(result))),
            (None, Some(_)) => Poll::Pending,
            (None, None) => Poll::Ready(None),
        }
    }
}

impl<T> fmt::Debug for RunStream<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RunStream({:?})", self.handle)
    }
}

/// The events of one run that its stream hasn't given yet.
#[derive(Default)]
pub(crate) struct EventQueue(Mutex<Queued>);

#[derive(Default)]
struct Queued {
    events: VecDeque<OwnedEvent>,
    /// Whom to wake for the next event; nobody while the run is polled, since who polls it looks
    /// here afterwards.
    reader: Option<Waker>,
}

impl EventQueue {
    pub(crate) fn push(&self, event: &Event<'_>) {
        unpoisoned(&self.0).add(OwnedEvent::of(event));
    }

    pub(crate) fn wake_reader(&self) {
        let reader = {
            let mut queued = unpoisoned(&self.0);
            match queued.events.is_empty() {
                true => None,
                false => queued.reader.take(),
            }
        };
        if let Some(reader) = reader {
            reader.wake();
        }
    }

    fn pop(&self) -> Option<OwnedEvent> {
        // Wakers are foreign code: never touched under the lock.
        let (event, reader) = {
            let mut queued = unpoisoned(&self.0);
            (queued.events.pop_front(), queued.reader.take())
        };
        drop(reader);
        event
    }

    /// The next event, or this task is woken once there is one.
    fn pop_or_wait(&self, task: &Context<'_>) -> Option<OwnedEvent> {
        let reader = task.waker().clone();
        let (event, before) = {
            let mut queued = unpoisoned(&self.0);
            let event = queued.events.pop_front();
            let next = event.is_none().then_some(reader);
            (event, std::mem::replace(&mut queued.reader, next))
        };
        drop(before);
        event
    }
}

impl Queued {
    fn add(&mut self, event: OwnedEvent) {
        match (self.events.back_mut(), event.what) {
            (
                Some(OwnedEvent {
                    span,
                    what: Happened::Delta { text: before },
                    ..
                }),
                Happened::Delta { text },
            ) if *span == event.span => {
                before.push_str(&text);
            }
            (_, what) => self.events.push_back(OwnedEvent { what, ..event }),
        }
    }
}
