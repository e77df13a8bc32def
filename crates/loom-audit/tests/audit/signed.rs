//! Lines that are signed with the right key and yet aren't what a writer writes: a reader takes
//! one spelling of one meaning, and nothing else.

use loom_audit::{FORMAT, Report, Verdict, verify};
use ring::{digest, hmac};

use crate::composed::{KEY_HEX, composed_log, fixed_key};

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// The log of these lines with hashes, links and signatures made anew, as who has the key can.
pub(crate) fn signed_anew(lines: &[String]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &bytes(KEY_HEX));
    let mut head = "0".repeat(64);
    let mut log = String::new();
    for line in lines {
        let (header, seal) = line.split_once(",\"mac\":").unwrap();
        let (_, content) = seal.split_once(",\"salt\":\"").unwrap();
        let (salt, payload) = content.split_once("\",\"payload\":").unwrap();
        let payload = payload.strip_suffix('}').unwrap();
        let hashed = [&[2], &bytes(salt)[..], payload.as_bytes()].concat();
        let ph = hex(digest::digest(&digest::SHA256, &hashed).as_ref());
        let header = with_value(&with_value(header, "prev", &head), "ph", &ph);
        let leaf = digest::digest(&digest::SHA256, &[b"\0", header.as_bytes()].concat());
        let mac = hmac::sign(&key, &[FORMAT.as_bytes(), leaf.as_ref()].concat());
        head = hex(leaf.as_ref());
        let mac = hex(mac.as_ref());
        log += &format!("{header},\"mac\":\"{mac}\",\"salt\":\"{salt}\",\"payload\":{payload}}}\n");
    }
    log
}

/// The header with another value of this field of hex digits.
fn with_value(header: &str, key: &str, value: &str) -> String {
    let Some(at) = header.rfind(&format!("\"{key}\":\"")) else {
        return header.to_owned();
    };
    let start = at + key.len() + 4;
    format!(
        "{}{value}{}",
        &header[..start],
        &header[start + value.len()..]
    )
}

/// What is found in the composed log after an edit of one line and all signatures made anew.
fn found(index: usize, from: &str, to: &str) -> Report {
    let mut lines = composed_log().lines();
    assert!(
        lines[index].contains(from),
        "{from} isn't in {}",
        lines[index]
    );
    lines[index] = lines[index].replacen(from, to, 1);
    verify(signed_anew(&lines).as_bytes(), &[fixed_key()], &[])
}

#[test]
fn what_a_writer_wrote_signed_anew_is_what_it_wrote() {
    let audit = composed_log();
    assert_eq!(signed_anew(&audit.lines()).as_bytes(), audit.bytes());
}

#[test]
fn f027_another_spelling_is_refused_even_if_it_is_signed() {
    for (from, to) in [
        ("\"seq\":6", "\"seq\": 6"),
        ("\"seq\":6", "\"seq\":6.0"),
        ("\"seq\":6", "\"seq\":6,\"seq\":6"),
        ("\"v\":1", "\"v\":1,\"x\":1"),
        ("\"v\":1", "\"v\":2"),
        ("\"v\":1,\"log\"", "\"log\""),
        ("\"seq\":6,\"ds\":5", "\"ds\":5,\"seq\":6"),
        (".006000Z", ".006Z"),
        ("T00:00:00.006000Z", "T01:00:00.006000+01:00"),
        (
            "01960000-0000-7000-8000-000000000001",
            "01960000000070008000000000000001",
        ),
        ("\"user\":\"alice\"", "\"user\":\"\\u0061lice\""),
        ("\"user\":\"alice\"", "\"user\":null"),
        ("\"user\":\"alice\"", "\"user\":\"alice\",\"user\":\"bob\""),
        ("\"user\":\"alice\"", "\"user\":\"\""),
        (
            "\"span\":\"65033a18a378cab9\"",
            "\"span\":\"65033A18A378CAB9\"",
        ),
        ("\"user\":\"alice\"", "\"user\":\"alice\",\"by\":\"alice\""),
        ("\"user\":\"alice\"", "\"by\":\"alice\""),
        ("\"user\":\"alice\"", "\"by\":\"\""),
        ("\"kind\":\"event\"", "\"kind\":\"accident\""),
    ] {
        let report = found(5, from, to);
        assert_eq!(
            report.verdict,
            Verdict::Forged,
            "{from} as {to}: {report:?}"
        );
        assert_eq!(report.findings[0].line, 6, "{from} as {to}");
    }
}

#[test]
fn f025_what_no_writer_says_is_refused_even_if_it_is_signed() {
    let what = |index, from, to| found(index, from, to).findings[0].what.clone();
    let said = [
        what(
            5,
            "\"name\":\"helper\"",
            "\"name\":\"helper\",\"end\":\"failed\"",
        ),
        what(5, "\"action\":\"run_started\"", "\"action\":\"run_began\""),
        what(5, "\"actor\":\"agent\"", "\"actor\":\"model\""),
        what(14, "\"end\":\"completed\"", "\"end\":\"failed\""),
        what(
            14,
            "\"end\":\"completed\"",
            "\"end\":\"completed\",\"why\":\"requested\"",
        ),
        what(
            5,
            "\"name\":\"helper\",\"trace\"",
            "\"name\":\"helper\",\"replayed\":false,\"trace\"",
        ),
        what(5, "65033a18a378cab9", "0000000000000000"),
        what(5, "\"ds\":5", "\"ds\":6"),
        what(5, "\"ds\":5", "\"ds\":3"),
        what(
            0,
            "\"kind\":\"open\"",
            "\"kind\":\"open\",\"user\":\"alice\"",
        ),
        what(0, "933007a5314c9534", "0000000000000000"),
        what(
            0,
            "\"format\":\"loom-audit/1\"",
            "\"format\":\"loom-audit/2\"",
        ),
        what(14, "65033a18a378cab9", "0000000000000001"),
    ];
    assert_eq!(
        said,
        [
            "no row says \"run_started\" with the end \"failed\"",
            "no row says \"run_began\" without an end",
            "\"model\" isn't who does \"run_started\"",
            "no row says \"run_completed\" with the end \"failed\"",
            "\"run_completed\" has no reason to give",
            "replayed is written only when it is true",
            "a span is all zero",
            "it says 6 entries were safe before entry 6 was",
            "it says 3 entries are safe, and an earlier one says 4",
            "an open entry has fields of an event",
            "it names the key \"0000000000000000\", and is signed with 933007a5314c9534",
            "the format \"loom-audit/2\" isn't \"loom-audit/1\"",
            "it closes 0000000000000001, which isn't open",
        ]
    );
}

#[test]
fn f019_lines_left_out_or_closed_twice_are_refused_even_if_they_are_signed() {
    let lines = composed_log().lines();
    let without_open = verify(signed_anew(&lines[1..]).as_bytes(), &[fixed_key()], &[]);
    assert_eq!(
        without_open.findings[0].what,
        "it is entry 2, where entry 1 should be"
    );
    let mut twice = lines.clone();
    let again = lines[3].replace("\"seq\":4,\"ds\":3", "\"seq\":5,\"ds\":4");
    twice.truncate(4);
    twice.push(again);
    let twice = verify(signed_anew(&twice).as_bytes(), &[fixed_key()], &[]);
    assert_eq!(twice.verdict, Verdict::Forged);
    assert!(
        twice.findings[0].what.ends_with("which isn't open"),
        "{twice:?}"
    );
}

#[test]
fn f023_a_log_of_two_ids_is_the_wrong_log_even_if_it_is_signed() {
    let report = found(7, "01960000-0000", "01970000-0000");
    assert_eq!(report.verdict, Verdict::WrongLog, "{report:?}");
    assert_eq!(report.findings[0].line, 8);
}

#[test]
fn nothing_follows_an_entry_of_the_largest_number() {
    let mut lines = composed_log().lines();
    lines.truncate(2);
    let largest = format!("\"seq\":{}", u64::MAX);
    lines[0] = lines[0].replace("\"seq\":1", &largest);
    for seq in [u64::MAX, 0, 2] {
        let mut lines = lines.clone();
        lines[1] = lines[1].replace("\"seq\":2", &format!("\"seq\":{seq}"));
        let log = signed_anew(&lines) + "not a line";
        let report = verify(log.as_bytes(), &[fixed_key()], &[]);
        assert_eq!(report.verdict, Verdict::Forged, "{seq}: {report:?}");
        let follows = report.findings.iter().any(|it| {
            it.line == 2
                && it
                    .what
                    .ends_with("where entry 18446744073709551616 should be")
        });
        assert!(follows, "{seq}: {report:?}");
    }
}

#[test]
fn who_asked_may_be_the_anonymous_partition() {
    let report = found(5, "\"user\":\"alice\"", "\"user\":\"alice\",\"by\":\"\"");
    assert_eq!(report.verdict, Verdict::Unanchored, "{report:?}");
}
