//! `1.000` may be a thousand, or one with three decimals; `1.250` is 1,250 in one country and 1.25 in another. What an
//! amount-format's example does not decide is neither.

use crate::cell::value::trim;

/// Whether what is read as three decimals may as well be thousands: one to three digits, of which the first is not zero,
/// the mark, and three digits. Anything else is not: thousands are three digits each.
#[inline]
#[must_use]
pub(crate) fn is_ambiguous(cell: &[u8], point: u8) -> bool {
    let cell = trim(cell);
    match cell.strip_prefix(b"-").or_else(|| cell.strip_prefix(b"+")).unwrap_or(cell) {
        [whole @ .., mark, a, b, c] if *mark == point => {
            (1..=3).contains(&whole.len())
                && !whole.starts_with(b"0")
                && whole.iter().chain([a, b, c]).all(u8::is_ascii_digit)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_behind_up_to_three_may_be_thousands() {
        for cell in ["1.000", "1.250", "12.500", "999.990", "-1.000", "+1.000", " 1.000\t", "1.234"] {
            assert!(is_ambiguous(cell.as_bytes(), b'.'), "{cell}");
            assert!(!is_ambiguous(cell.as_bytes(), b','), "{cell}");
            assert!(is_ambiguous(cell.replace('.', ",").as_bytes(), b','), "{cell}");
        }
        for cell in [
            "", "1", "1000", "1.00", "1.0000", "1234.000", "0.500", "000.500", ".000", "--1.000", "1.00x",
            "x.000",
        ] {
            assert!(!is_ambiguous(cell.as_bytes(), b'.'), "{cell}");
        }
    }
}
