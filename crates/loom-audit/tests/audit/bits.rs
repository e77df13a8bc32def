//! Changes that somebody makes without a key, one bit or byte at a time: all of them.

use loom_audit::{Expected, Verdict, verify};

use crate::composed::{composed_log, fixed_key, small_log, smallest_log};

/// Of these changed logs, the verdicts that call one whole; there must be none.
fn unseen(
    expected: &Expected,
    changed: impl Iterator<Item = (String, Vec<u8>)>,
) -> (usize, Vec<String>) {
    let keys = [fixed_key()];
    let mut count = 0;
    let mut unseen = Vec::new();
    for (change, log) in changed {
        count += 1;
        let verdict = verify(&log, &keys, std::slice::from_ref(expected)).verdict;
        if verdict.exit_code() == 0 || verdict == Verdict::Unanchored {
            unseen.push(format!("{change}: {verdict}"));
        }
    }
    (count, unseen)
}

#[test]
fn f017_every_flipped_bit_is_seen() {
    let audit = smallest_log();
    let log = audit.bytes();
    let flips = (0..log.len() * 8).map(|bit| {
        let mut flipped = log.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (format!("bit {bit}"), flipped)
    });
    let seen = unseen(&audit.anchor().into(), flips);
    assert_eq!(seen, (log.len() * 8, vec![]));
}

#[test]
fn f017_a_flipped_bit_is_found_in_its_line() {
    let audit = small_log();
    let (log, lines) = (audit.bytes(), audit.lines());
    let mut start = 0;
    for (index, line) in lines.iter().enumerate() {
        for at in [start, start + line.len() / 2, start + line.len() - 2] {
            let mut flipped = log.clone();
            flipped[at] ^= 1;
            let report = verify(&flipped, &[fixed_key()], &[audit.anchor().into()]);
            assert_eq!(report.findings[0].line, index as u64 + 1, "{report:?}");
        }
        start += line.len() + 1;
    }
}

#[test]
fn f018_every_byte_inserted_or_deleted_is_seen() {
    let audit = smallest_log();
    let log = audit.bytes();
    let inserted = (0..=log.len()).flat_map(|at| {
        let log = &log;
        b"\0\n\r \",0a}\xff".iter().map(move |byte| {
            let mut longer = log.clone();
            longer.insert(at, *byte);
            (format!("byte {byte} at {at}"), longer)
        })
    });
    let deleted = (0..log.len()).map(|at| {
        let mut shorter = log.clone();
        shorter.remove(at);
        (format!("byte {at} deleted"), shorter)
    });
    let seen = unseen(&audit.anchor().into(), inserted.chain(deleted));
    assert_eq!(seen, ((log.len() + 1) * 10 + log.len(), vec![]));
}

#[test]
fn a_log_cut_at_any_byte_is_torn_or_unanchored_and_never_called_attacked() {
    let audit = small_log();
    let (log, anchor) = (audit.bytes(), Expected::from(audit.anchor()));
    for size in 0..log.len() {
        let cut = &log[..size];
        let at_boundary = size == 0 || cut.ends_with(b"\n");
        let without = verify(cut, &[fixed_key()], &[]).verdict;
        let expected = match at_boundary {
            true => Verdict::Unanchored,
            false => Verdict::Torn,
        };
        assert_eq!(without, expected, "cut at {size}");
        let with = verify(cut, &[fixed_key()], std::slice::from_ref(&anchor)).verdict;
        assert_eq!(with, Verdict::Truncated, "cut at {size}");
    }
}

#[test]
fn a_tear_behind_the_anchor_is_torn_and_says_how_far_the_log_is_whole() {
    let audit = small_log();
    let mut log = audit.bytes();
    let whole = log.len() as u64;
    log.extend_from_slice(b"{\"v\":1,\"log\":\"0196");
    let report = verify(&log, &[fixed_key()], &[audit.anchor().into()]);
    assert_eq!(
        (report.verdict, report.size, report.anchored, report.head),
        (Verdict::Torn, 5, 5, audit.anchor().head)
    );
    let torn = &report.findings[0];
    assert_eq!(
        torn.to_string(),
        format!("torn: line 6, byte {}: the line has no end", whole + 18)
    );
}

#[test]
fn a_broken_line_that_a_later_one_vouches_for_is_damage_not_a_tear() {
    let audit = composed_log();
    let mut lines = audit.lines();
    lines[4].replace_range(10..20, "\0\0\0\0\0\0\0\0\0\0");
    let log = lines.join("\n") + "\n";
    let report = verify(log.as_bytes(), &[fixed_key()], &[audit.anchor().into()]);
    let found: Vec<_> = report
        .findings
        .iter()
        .map(|it| (it.verdict, it.line))
        .collect();
    assert_eq!(
        (report.verdict, found),
        (Verdict::Damaged, vec![(Verdict::Damaged, 5)])
    );
}
