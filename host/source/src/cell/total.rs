//! Sums of amounts: exact, and larger than a single amount may be.

use std::fmt;

/// A sum in hundredths, shown as `-1234.50`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total(pub i128);

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let cents = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", cents / 100, cents % 100)
    }
}

/// A sum in hundredths, written like an amount: `[+-] digit+ [point digit+]`, where decimals after the second are
/// zero; `None` if it is anything else.
#[must_use]
pub fn total_cents(text: &[u8], point: u8) -> Option<i128> {
    let text = text.trim_ascii();
    let digits = text.strip_prefix(b"-").or_else(|| text.strip_prefix(b"+")).unwrap_or(text);
    let (whole, decimals) = match digits.iter().position(|byte| *byte == point) {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, &b"0"[..]),
    };
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let (kept, rest) = decimals.split_at(decimals.len().min(2));
    if !is_number(whole) || !is_number(decimals) || rest.iter().any(|digit| *digit != b'0') {
        return None;
    }
    let kept = kept.iter().copied().chain(std::iter::repeat(b'0')).take(2);
    let mut cents: i128 = 0;
    for digit in whole.iter().copied().chain(kept) {
        cents = cents.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    Some(if text.starts_with(b"-") { -cents } else { cents })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums() {
        for (text, point, cents) in [
            ("0", '.', Some(0)),
            ("12.5", '.', Some(1_250)),
            (" -1234,560 ", ',', Some(-123_456)),
            ("+7", '.', Some(700)),
            ("99999999999999999999.99", '.', Some(9_999_999_999_999_999_999_999)),
            ("", '.', None),
            ("-", '.', None),
            (".5", '.', None),
            ("5.", '.', None),
            ("1.001", '.', None),
            ("1,000.00", '.', None),
            ("1e3", '.', None),
            ("--1", '.', None),
            ("1.2.3", '.', None),
            (&"9".repeat(40), '.', None),
        ] {
            assert_eq!(total_cents(text.as_bytes(), point as u8), cents, "{text}");
        }
        for (cents, shown) in [
            (0, "0.00"),
            (-5, "-0.05"),
            (123_456, "1234.56"),
            (i128::MIN, "-1701411834604692317316873037158841057.28"),
        ] {
            assert_eq!(Total(cents).to_string(), shown);
        }
    }
}
