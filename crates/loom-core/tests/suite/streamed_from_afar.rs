//! What other tasks say of a run reaches its reader at once, not with the run's own next wake.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::StreamExt;
use futures::stream::BoxStream;
use loom_core::{Error, Happened, Loom, Result, RunContext, StreamItem};

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
    let mut stream = session.run(&hangs, "go").stream();
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

/// Polls a stream to its end on whichever thread wakes it, while it is being woken.
struct PollsInWake(Mutex<BoxStream<'static, StreamItem<()>>>, Mutex<Vec<bool>>);

impl Wake for PollsInWake {
    fn wake(self: Arc<Self>) {
        let Ok(mut stream) = self.0.try_lock() else {
            return;
        };
        let waker = Waker::from(self.clone());
        let mut task = Context::from_waker(&waker);
        while let Poll::Ready(Some(item)) = stream.as_mut().poll_next_unpin(&mut task) {
            if let StreamItem::Done(outcome) = item {
                self.1.lock().unwrap().push(outcome.is_ok());
            }
        }
    }
}

#[test]
fn an_executor_that_polls_while_it_is_woken_is_never_woken_under_a_lock() {
    // The run ends when the step's opening wakes it, or its closing, on the thread of the step.
    for before_it_opens in [true, false] {
        let kept: Arc<Mutex<Option<RunContext>>> = Arc::default();
        let done: Arc<AtomicU32> = Arc::default();
        let body: &'static _ = Box::leak(Box::new({
            let (kept, done) = (kept.clone(), done.clone());
            move |cx: RunContext, (): ()| {
                *kept.lock().unwrap() = Some(cx);
                let done = done.clone();
                std::future::poll_fn(move |_| match done.load(Ordering::SeqCst) {
                    0 => Poll::Pending,
                    _ => Poll::Ready(Ok::<_, Error>(())),
                })
            }
        }));
        let session = Loom::builder().build().session("alice");
        let stream = session.run(body, ()).stream().boxed();
        let reader = Arc::new(PollsInWake(Mutex::new(stream), Mutex::default()));
        reader.clone().wake();
        let cx = kept.lock().unwrap().take().unwrap();
        if before_it_opens {
            done.store(1, Ordering::SeqCst);
        }
        let step = move |(): ()| {
            done.store(1, Ordering::SeqCst);
            async { Ok::<_, Error>(()) }
        };
        let other = std::thread::spawn(move || {
            let _ = futures::executor::block_on(cx.step("child", &step, ()));
        });
        other.join().unwrap();
        assert_eq!(*reader.1.lock().unwrap(), [true]);
    }
}
