//! `RunStream`: a run seen while it is under way.

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

/// What a [`RunStream`] yields: events, and at the end the outcome.
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

impl<'a, T> Run<'a, T> {
    /// The run as a stream of everything that happens in it, and then its outcome.
    ///
    /// ```
    /// use futures::StreamExt;
    /// use loom_core::{Loom, Result, StreamItem};
    ///
    /// async fn shout(text: String) -> Result<String> {
    ///     Ok(text.to_uppercase())
    /// }
    ///
    /// # futures::executor::block_on(async {
    /// let session = Loom::builder().build().session("alice");
    /// let mut stream = session.run(&shout, "hello").stream();
    /// while let Some(item) = stream.next().await {
    ///     match item {
    ///         StreamItem::Event(event) => println!("{} {:?}", event.path, event.what),
    ///         StreamItem::Done(outcome) => assert_eq!(outcome?.output, "HELLO"),
    ///         _ => (),
    ///     }
    /// }
    /// # Ok::<(), loom_core::Error>(())
    /// # }).unwrap();
    /// ```
    pub fn stream(self) -> RunStream<'a, T>
    where
        T: 'a,
    {
        let queue = Arc::new(EventQueue::default());
        RunStream {
            handle: self.handle(),
            run: Some(self.with(|launch| launch.queue = Some(queue.clone()))),
            done: None,
            queue,
        }
    }
}

impl<T> RunStream<'_, T> {
    /// A handle on the run, to cancel it from elsewhere.
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
        if let Some(event) = self.queue.next(None) {
            return Poll::Ready(Some(StreamItem::Event(Box::new(event))));
        }
        if let Some(run) = &mut self.run
            && let Poll::Ready(result) = Pin::new(run).poll(task)
        {
            self.run = None;
            self.done = Some(result);
        }
        // What other tasks say while nobody polls the run wakes this one too.
        if let Some(event) = self.queue.next(Some(task.waker().clone())) {
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

/// The events of one run that its stream hasn't yielded yet.
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

    /// The next event; from now on, this reader is woken for further ones.
    fn next(&self, reader: Option<Waker>) -> Option<OwnedEvent> {
        // Wakers are foreign code: never touched under the lock.
        let (event, before) = {
            let mut queued = unpoisoned(&self.0);
            let before = std::mem::replace(&mut queued.reader, reader);
            (queued.events.pop_front(), before)
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
