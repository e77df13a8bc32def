//! W3C trace context: the ids that audit rows and exported spans share.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};

macro_rules! trace_id {
    ($(#[$doc:meta])* $id:ident($number:ident), $as_number:ident, $format:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $id($number);

        impl $id {
            /// Takes its bytes, big-endian; `None` for zero, which W3C reserves for "invalid".
            pub fn new(id: $number) -> Option<Self> {
                (id != 0).then_some(Self(id))
            }

            /// The id as a number, big-endian.
            pub fn $as_number(self) -> $number {
                self.0
            }
        }

        impl fmt::Display for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, $format, self.0)
            }
        }

        impl fmt::Debug for $id {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($id), "({})"), self)
            }
        }

        impl serde::Serialize for $id {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
    };
}

trace_id! {
    /// A W3C trace id: 16 bytes, shown as 32 lower-case hex digits, never all zero.
    TraceId(u128), as_u128, "{:032x}"
}

trace_id! {
    /// A W3C span id: 8 bytes, shown as 16 lower-case hex digits, never all zero.
    SpanId(u64), as_u64, "{:016x}"
}

impl SpanId {
    /// The `n`-th span id of a run with this seed.
    ///
    /// SplitMix64 (Steele, Lea, Flood 2014) is a bijection, so no two spans of a run share an id.
    pub(crate) fn nth(seed: u64, n: u64) -> Self {
        let mut z = seed.wrapping_add(n.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        // Exactly one input gives 0; any constant outside the run's other ids would do.
        Self(if z == 0 { 1 } else { z })
    }
}

/// A caller's place in its own trace: what a W3C `traceparent` header says.
///
/// Source: W3C Trace Context, version 00 (`00-<32 hex trace>-<16 hex parent>-<2 hex flags>`).
///
/// ```
/// use loom_core::TraceParent;
///
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let parent: TraceParent = header.parse()?;
/// assert_eq!(parent.to_string(), header);
/// assert!("00-0-0-01".parse::<TraceParent>().is_err());
/// # Ok::<(), loom_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace the caller is in.
    pub trace_id: TraceId,
    /// The caller's span, which becomes the root span's parent.
    pub span_id: SpanId,
    /// Whether the caller recorded its span.
    pub sampled: bool,
}

impl FromStr for TraceParent {
    type Err = Error;

    fn from_str(header: &str) -> Result<Self> {
        parse(header).ok_or_else(|| {
            Error::invalid(format!(
                "the traceparent {:?} isn't `00-<32 hex>-<16 hex>-<2 hex>` in lower case with non-zero ids",
                crate::name::shortened(header)
            ))
        })
    }
}

fn parse(header: &str) -> Option<TraceParent> {
    let mut parts = header.split('-');
    let mut hex = |digits: usize| {
        let part = parts.next().filter(|part| part.len() == digits)?;
        let is_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        match part.bytes().all(is_hex) {
            true => u128::from_str_radix(part, 16).ok(),
            false => None,
        }
    };
    let (version, trace, span, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
    // A later version may append fields; version 00 may not, and ff is forbidden.
    if version == 0xff || (version == 0 && parts.next().is_some()) {
        return None;
    }
    Some(TraceParent {
        trace_id: TraceId::new(trace)?,
        span_id: SpanId::new(u64::try_from(span).ok()?)?,
        sampled: flags & 1 == 1,
    })
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{}-{}-{:02x}",
            self.trace_id,
            self.span_id,
            u8::from(self.sampled)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_traceparent_that_w3c_forbids_is_refused() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert!(good.parse::<TraceParent>().is_ok());
        assert!(
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more"
                .parse::<TraceParent>()
                .is_ok()
        );
        for bad in [
            "",
            "00",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
        ] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn span_ids_of_one_run_differ() {
        let mut seen: Vec<_> = (0..10_000).map(|n| SpanId::nth(7, n)).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), 10_000);
    }
}
