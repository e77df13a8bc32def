//! Decimal numbers as text, compared exactly.

use serde_json::value::RawValue;

/// Whether both are one number, however it is written: `100`, `100.0` and `1e2`. What isn't JSON's
/// idea of a number is none, nor is one whose exponent doesn't fit into 64 bits.
pub(super) fn is_same_number(one: &str, other: &str) -> bool {
    Decimal::read(one).is_some_and(|it| Some(it) == Decimal::read(other))
}

/// A number, compared exactly, which floats of many digits are not.
#[derive(Debug, PartialEq)]
struct Decimal {
    negative: bool,
    /// Its digits without zeros at either end; none for zero.
    digits: String,
    /// The power of ten of the last digit.
    power: i64,
}

impl Decimal {
    fn read(text: &str) -> Option<Self> {
        // Only what JSON calls a number: `inf` and `0x64` are text, and so is what has blanks
        // around it.
        let json = serde_json::from_str::<&RawValue>(text).ok()?;
        if json.get().len() != text.len()
            || !text.starts_with(|it: char| it == '-' || it.is_ascii_digit())
        {
            return None;
        }
        let (negative, text) = match text.strip_prefix('-') {
            Some(text) => (true, text),
            None => (false, text),
        };
        let (digits, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let digits = format!("{whole}{fraction}");
        let shown = digits.trim_end_matches('0');
        if shown.is_empty() {
            // Zero, whatever its exponent and sign.
            return Some(Self {
                negative: false,
                digits: String::new(),
                power: 0,
            });
        }
        let zeros = i64::try_from(digits.len() - shown.len()).ok()?;
        let places = i64::try_from(fraction.len()).ok()?;
        // Of lengths in memory, so that the difference always fits; the sum may not.
        let power = exponent.parse::<i64>().ok()?.checked_add(zeros - places)?;
        Some(Self {
            negative,
            digits: shown.trim_start_matches('0').to_owned(),
            power,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_one_however_they_are_written() {
        let long = "7".repeat(10_000);
        let same = [
            ("100", "1e2"),
            ("100", "100.0"),
            ("-0.05", "-5E-2"),
            ("0", "-0.0e99999999999999999999"),
            ("1e400", "10e+399"),
            ("1e9223372036854775807", "1.0e9223372036854775807"),
            (&long, &format!("{long}.00")),
            (&format!("{long}e-9999"), &format!("7.{}", &long[1..])),
        ];
        for (one, other) in same {
            assert!(is_same_number(one, other), "{one} is {other}");
            assert!(is_same_number(other, one), "{other} is {one}");
        }
        assert!(!is_same_number(&long, &format!("{long}7")));
        assert!(!is_same_number("9007199254740992", "9007199254740993"));
    }

    #[test]
    fn a_number_whose_exponent_does_not_fit_is_text() {
        let far = [
            "10e9223372036854775807",
            "0.1e-9223372036854775808",
            "1e99999999999999999999",
        ];
        for number in far {
            assert_eq!(Decimal::read(number), None, "{number}");
        }
    }

    #[test]
    fn what_json_calls_no_number_is_text() {
        for text in [
            "", "-", " 1", "1 ", "+1", "01", "1.", ".5", "0x64", "inf", "null", "\"1\"",
        ] {
            assert_eq!(Decimal::read(text), None, "{text:?}");
        }
    }

    /// A number as it is written: sign, whole digits, digits behind the point, exponent.
    type Written = (bool, Vec<u8>, Vec<u8>, i128);

    fn digits(places: &[u8]) -> String {
        places.iter().map(|it| char::from(b'0' + it)).collect()
    }

    fn text((negative, whole, fraction, exponent): &Written) -> String {
        let sign = if *negative { "-" } else { "" };
        let whole = digits(whole);
        let whole = match whole.trim_start_matches('0') {
            "" => "0",
            whole => whole,
        };
        let point = if fraction.is_empty() { "" } else { "." };
        format!("{sign}{whole}{point}{}e{exponent}", digits(fraction))
    }

    /// The same by long arithmetic: one digit after another, an exponent that can't overflow.
    fn modelled((negative, whole, fraction, exponent): &Written) -> (bool, Vec<u8>, i128) {
        let mut places: Vec<u8> = whole.iter().chain(fraction).copied().collect();
        let mut power = *exponent - fraction.len() as i128;
        while places.last() == Some(&0) {
            places.pop();
            power += 1;
        }
        while places.first() == Some(&0) {
            places.remove(0);
        }
        match places.is_empty() {
            true => (false, places, 0),
            false => (*negative, places, power),
        }
    }

    fn written() -> impl Strategy<Value = Written> {
        let digit = || prop_oneof![Just(0u8), Just(0), 0..10u8];
        let limit = i128::from(i64::MAX);
        let exponent = prop_oneof![
            8 => -6..=6i128,
            1 => limit - 6..=limit + 6,
            1 => -limit - 6..=-limit + 6,
        ];
        let places = |least| prop::collection::vec(digit(), least..6);
        (any::<bool>(), places(1), places(0), exponent)
    }

    proptest! {
        #[test]
        fn any_two_numbers_are_one_if_long_arithmetic_says_so(one in written(), other in written()) {
            let fits = |it: &Written| {
                let zero = modelled(it).1.is_empty();
                zero || (i64::try_from(it.3).is_ok() && i64::try_from(modelled(it).2).is_ok())
            };
            let expected = fits(&one) && fits(&other) && modelled(&one) == modelled(&other);
            prop_assert_eq!(is_same_number(&text(&one), &text(&other)), expected);
        }

        #[test]
        fn any_number_is_itself_with_its_point_elsewhere(one in written(), zeros in 0..4usize) {
            prop_assume!(one.3.abs() < 100);
            let (negative, mut whole, fraction, exponent) = one.clone();
            whole.extend(fraction.iter().copied().chain(std::iter::repeat_n(0, zeros)));
            let moved = (negative, whole, vec![], exponent - (fraction.len() + zeros) as i128);
            prop_assert!(is_same_number(&text(&one), &text(&moved)));
        }
    }
}
