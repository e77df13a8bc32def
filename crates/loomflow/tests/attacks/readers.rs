//! Attacks by readers of streams, and by bodies that would keep their thread to themselves.

use std::thread;

use futures::StreamExt;
use futures::executor::block_on;
use loomflow::{
    CancelReason, Error, Happened, Loom, MemoryJournal, Result, RunContext, RunErrorKind,
    StreamItem,
};

use crate::executors::{assert_ended, nested};
use crate::support_b::{guarded, plain, poke, rig};

#[test]
fn others_get_their_turn_every_256_effects() {
    async fn many(cx: RunContext, n: u64) -> Result<u64> {
        let mut sum = 0;
        for _ in 0..n {
            sum = cx
                .step("one", &|n: u64| async move { Ok::<_, Error>(n + 1) }, sum)
                .await?;
        }
        Ok(sum)
    }
    async fn delta(cx: RunContext, n: u64) -> Result<u64> {
        for _ in 0..n {
            let below = |cx: RunContext, n: u64| many(cx, n);
            cx.step("below", &below, 10u64).await?;
        }
        Ok(n)
    }
    let loom = Loom::builder().build();
    let session = loom.session("alice");
    for polled in 0..2 {
        let (mut run, mut polls) = (session.run(&many, 10_000u64), 1);
        let mut deep = session.run(&delta, 1_000u64);
        match polled {
            0 => {
                while poke(&mut run).is_pending() {
                    polls += 1;
                }
            }
            _ => {
                while poke(&mut deep).is_pending() {
                    polls += 1;
                }
            }
        }
        assert!((39..200).contains(&polls), "{polls}");
    }
    // A stream hands out no more than that in one poll, and a cancel in between is heard.
    let mut stream = session.run(&many, 10_000u64).stream();
    let handle = stream.handle();
    let (mut events, mut done) = (0, None);
    block_on(async {
        while let Some(item) = stream.next().await {
            assert!(done.is_none());
            match item {
                StreamItem::Event(_) => events += 1,
                StreamItem::Done(ended) => done = Some(ended),
                _ => (),
            }
            handle.cancel();
        }
    });
    assert!(events < 1_200, "{events}");
    assert_eq!(
        done.unwrap().unwrap_err().kind(),
        RunErrorKind::Cancelled(CancelReason::Requested)
    );
}

#[test]
fn a_reader_that_cancels_or_drops_at_any_item_sees_each_closing_before_the_end() {
    guarded(|| {
        for cancels in [true, false] {
            for at in 1..200 {
                let rig = plain();
                let workflow = nested();
                let mut stream = rig.loom.session("alice").run(&workflow, 1u64).stream();
                let handle = stream.handle();
                let (mut opened, mut closed, mut items, mut done) = (0, 0, 0, None);
                block_on(async {
                    while let Some(item) = stream.next().await {
                        assert!(done.is_none(), "nothing follows the end");
                        items += 1;
                        match item {
                            StreamItem::Event(event) => match event.what {
                                Happened::Opened { .. } => opened += 1,
                                Happened::Closed { .. } => closed += 1,
                                _ => (),
                            },
                            StreamItem::Done(ended) => done = Some(ended),
                            _ => (),
                        }
                        match (items == at, cancels) {
                            (true, true) => handle.cancel(),
                            (true, false) => break,
                            _ => (),
                        }
                    }
                });
                assert!(cancels || items == at || done.is_some());
                if cancels {
                    assert_eq!(opened, closed);
                    assert!(done.is_some());
                }
                drop(stream);
                assert_ended(&rig, at, &["cancelled (requested)", "cancelled (dropped)"]);
                if items < at {
                    break;
                }
            }
        }
    });
}

#[test]
fn two_streams_at_once_see_their_own_runs_alone() {
    let rig = rig(|it| it.journal(MemoryJournal::default()));
    let (first, second) = (nested(), nested());
    let session = rig.loom.session("alice").id("s");
    let mut streams = [
        session.run(&first, 1u64).stream(),
        session.run(&second, 1u64).stream(),
    ];
    let ids = [
        streams[0].handle().run_id().clone(),
        streams[1].handle().run_id().clone(),
    ];
    let (mut done, mut turn) = (0, 0);
    block_on(async {
        while done < 2 {
            turn = 1 - turn;
            match streams[turn].next().await {
                Some(StreamItem::Event(event)) => {
                    let own = event.run.as_str().starts_with(ids[turn].as_str());
                    assert!(own, "{event:?} in the stream of {:?}", ids[turn]);
                }
                Some(StreamItem::Done(ended)) => {
                    done += 1;
                    assert_eq!(ended.unwrap().output, 6);
                }
                _ => (),
            }
        }
    });
    assert_ended(&rig, 0, &[]);
}

#[test]
fn a_reader_that_stops_reading_stops_the_run() {
    let rig = plain();
    let workflow = nested();
    let mut stream = rig.loom.session("alice").run(&workflow, 1u64).stream();
    assert!(block_on(stream.next()).is_some());
    let events = rig.recorder.events().len();
    thread::yield_now();
    assert_eq!(rig.recorder.events().len(), events);
    assert_eq!(rig.loom.running(), 1);
    drop(stream);
    assert_ended(&rig, 0, &["cancelled (dropped)"]);
}
