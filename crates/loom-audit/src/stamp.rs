//! `Stamp`: the time of an entry, for people; the order of entries is their number alone.

use std::fmt;
use std::time::SystemTime;

use jiff::Timestamp;
use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::{Serialize, Serializer};

/// A time in whole microseconds, spelled with six decimals and `Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    micros: i64,
}

impl Stamp {
    /// The time of the clock, whatever it says: what has no four-digit year after 1970 becomes the
    /// nearest that has, since no clock may keep a row from being written.
    pub(crate) fn of(at: SystemTime) -> Self {
        let micros = at
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |since| {
                i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
            });
        Self {
            micros: micros.min(Timestamp::MAX.as_microsecond()),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let stamp = Self {
            micros: text.parse::<Timestamp>().ok()?.as_microsecond(),
        };
        // A time has many spellings, and only one of them is ours.
        (stamp.micros >= 0 && stamp.to_string() == text).then_some(stamp)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = Timestamp::from_microsecond(self.micros).unwrap_or(Timestamp::MAX);
        write!(f, "{time:.6}")
    }
}

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = Stamp;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time with six decimals and Z")
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Stamp, E> {
                Stamp::read(text).ok_or_else(|| E::custom("not a time with six decimals and Z"))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn spelled(at: SystemTime) -> String {
        Stamp::of(at).to_string()
    }

    #[test]
    fn a_time_has_six_decimals_and_is_cut_not_rounded() {
        let at = SystemTime::UNIX_EPOCH + Duration::new(1_785_326_400, 123_456_999);
        assert_eq!(spelled(at), "2026-07-29T12:00:00.123456Z");
        assert_eq!(
            spelled(SystemTime::UNIX_EPOCH),
            "1970-01-01T00:00:00.000000Z"
        );
    }

    #[test]
    fn f044_times_no_calendar_has_become_the_nearest_it_has() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(7);
        let after = SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 50);
        assert_eq!(spelled(before), "1970-01-01T00:00:00.000000Z");
        assert!(
            spelled(after).starts_with("9999-12-30T"),
            "{}",
            spelled(after)
        );
        for at in [before, after] {
            assert_eq!(Stamp::read(&spelled(at)), Some(Stamp::of(at)));
        }
    }

    #[test]
    fn other_spellings_of_a_time_are_refused() {
        assert!(Stamp::read("2026-07-29T12:00:00.123456Z").is_some());
        for other in [
            "2026-07-29T12:00:00.123Z",
            "2026-07-29t12:00:00.123456z",
            "2026-07-29 12:00:00.123456Z",
            "2026-07-29T14:00:00.123456+02:00",
            "2026-07-29T12:00:00.1234567Z",
            "1969-07-29T12:00:00.123456Z",
            "now",
        ] {
            assert_eq!(Stamp::read(other), None, "{other}");
        }
    }
}
