//! Clocks may say what they like.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use loom_audit::{Verdict, verify};
use loom_core::{Clock, Loom};

use crate::composed::{fixed, fixed_key, refund};

/// Says these times in turn, over and over.
struct Jumping {
    seconds: Vec<u64>,
    readings: AtomicUsize,
}

impl Jumping {
    fn between(seconds: &[u64]) -> Self {
        Self {
            seconds: seconds.to_vec(),
            readings: AtomicUsize::new(0),
        }
    }
}

impl Clock for Jumping {
    fn now(&self) -> SystemTime {
        let reading = self.readings.fetch_add(1, Ordering::Relaxed);
        let seconds = self.seconds[reading % self.seconds.len()];
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }
}

#[test]
fn f044_a_clock_that_jumps_changes_no_verdict() {
    let now = 1_785_326_400;
    let hour = 3600;
    let ten_years = 10 * 365 * 24 * hour;
    for times in [
        vec![now],
        vec![now, now - hour],
        vec![now + ten_years, now, now - hour, 0],
        vec![u64::MAX >> 2, 0],
    ] {
        let audit = fixed().clock(Jumping::between(&times)).build().unwrap();
        for _ in 0..3 {
            let loom = Loom::builder()
                .clock(Jumping::between(&times))
                .install(audit.clone())
                .build();
            futures::executor::block_on(loom.session("alice").run(&refund, 7_u64)).unwrap_err();
        }
        assert_eq!(audit.verify().verdict, Verdict::Ok, "{times:?}");
        let unanchored = verify(&audit.bytes(), &[fixed_key()], &[]);
        assert_eq!(unanchored.verdict, Verdict::Unanchored, "{times:?}");
        let seqs: Vec<u64> = audit.rows().iter().map(|row| row.seq).collect();
        assert_eq!(seqs, (2..=13).collect::<Vec<_>>());
    }
}
