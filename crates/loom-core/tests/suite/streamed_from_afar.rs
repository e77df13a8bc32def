//! What other tasks say of a run reaches its reader at once, not with the run's own next wake.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::StreamExt;
use loom_core::{Error, Happened, Result, RunContext, StreamItem};

use crate::recorded::recorded;

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicU32);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn what_another_thread_says_wakes_the_reader_and_what_the_run_says_itself_does_not() {
    let kept: Arc<Mutex<Option<RunContext>>> = Arc::default();
    let keeps = kept.clone();
    let hangs = move |cx: RunContext, _: String| {
        cx.delta("from here");
        *keeps.lock().unwrap() = Some(cx);
        futures::future::pending::<Result<String, Error>>()
    };
    let (_, session) = recorded();
    let mut stream = session.stream(&hangs, "go");
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(woken.clone());
    let task = &mut Context::from_waker(&waker);
    let mut read = || {
        let mut said = Vec::new();
        while let Poll::Ready(item) = stream.poll_next_unpin(task) {
            match item {
                Some(StreamItem::Event(event)) => said.push(event.what),
                other => panic!("it ended: {other:?}"),
            }
        }
        said
    };
    let [Happened::Opened { .. }, Happened::Delta { text }] = &read()[..] else {
        panic!("it opened and spoke")
    };
    assert_eq!(text, "from here");
    assert_eq!(woken.0.load(Ordering::Relaxed), 0, "it was polled then");

    let cx = kept.lock().unwrap().take().unwrap();
    let says = |text: &'static str| {
        let cx = cx.clone();
        std::thread::spawn(move || cx.delta(text)).join().unwrap();
    };
    says("from ");
    says("afar");
    assert_eq!(woken.0.load(Ordering::Relaxed), 1, "once until it looks");
    let [Happened::Delta { text }] = &read()[..] else {
        panic!("it spoke")
    };
    assert_eq!(text, "from afar");
    says("again");
    assert_eq!(woken.0.load(Ordering::Relaxed), 2);
}
