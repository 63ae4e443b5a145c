//! From one cell to one exact value. Nothing here rounds, guesses or repairs: a cell either means exactly one
//! value that the database can hold, or it is rejected with a [`Problem`].

use host_core::rejected::Problem;
use host_core::text::is_unprintable;

/// The longest currency.
const MAX_CURRENCY_BYTES: usize = 16;

/// A transaction id: a whole number of 64 bits.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn transaction_id(cell: &[u8]) -> Result<i64, Problem> {
    integer(trim(cell), "transaction ids are whole numbers of 64 bits")
}

/// A user id: a whole number of 64 bits.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn user_id(cell: &[u8]) -> Result<i64, Problem> {
    integer(trim(cell), "user ids are whole numbers of 64 bits")
}

/// An amount in hundredths. Grammar: `[+-] digit+ [point digit+]`; decimals after the second must
/// be zero; the hundredths must fit 64 bits. `point` is the decimal point, usually `.`
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn amount_cents(cell: &[u8], point: u8) -> Result<i64, Problem> {
    let (negative, digits) = sign(trim(cell))?;
    let cents = match usual_cents(digits, point) {
        Some(cents) => cents,
        None => any_cents(digits, point)?,
    };
    Ok(if negative { -cents } else { cents })
}

/// An amount as nearly all are: up to 16 digits, then no, one or two decimals. `None` if it is not one of these.
#[inline]
fn usual_cents(digits: &[u8], point: u8) -> Option<i64> {
    let (whole, tenths, hundredths) = match digits {
        [whole @ .., byte, tenths, hundredths] if *byte == point => (whole, *tenths, *hundredths),
        [whole @ .., byte, tenths] if *byte == point => (whole, *tenths, b'0'),
        whole => (whole, b'0', b'0'),
    };
    if whole.len() > SAFE_DIGITS - 2 {
        return None;
    }
    Some(number_of_digits(whole)? * 100 + number_of_digits(&[tenths, hundredths])?)
}

/// Any amount without its sign.
fn any_cents(digits: &[u8], point: u8) -> Result<i64, Problem> {
    let mut cents: i64 = 0;
    // The number of decimals so far; `None` before the point.
    let mut decimals: Option<u32> = None;
    for (i, &byte) in digits.iter().enumerate() {
        match (byte, decimals) {
            (b'0'..=b'9', Some(2..)) if byte != b'0' => return Err(Problem::TooPrecise),
            (b'0', Some(2..)) => {}
            (b'0'..=b'9', _) => {
                cents = scaled(cents, 10, byte - b'0')?;
                decimals = decimals.map(|count| count + 1);
            }
            (_, None) if byte == point && i > 0 => decimals = Some(0),
            _ => return Err(unexpected(&digits[i..])),
        }
    }
    match decimals {
        None => scaled(cents, 100, 0),
        Some(0) => Err(Problem::Incomplete),
        Some(1) => scaled(cents, 10, 0),
        Some(_) => Ok(cents),
    }
}

/// An amount that grows by decimal places.
#[inline]
fn scaled(cents: i64, factor: i64, digit: u8) -> Result<i64, Problem> {
    cents.checked_mul(factor).and_then(|cents| cents.checked_add(digit.into())).ok_or(AMOUNT_RANGE)
}

const AMOUNT_RANGE: Problem = Problem::OutOfRange("amounts lie within ±92233720368547758.07");

/// A number for the detector; NaN if the cell is empty. Grammar:
/// `[+-] digit+ [point digit+] [(e|E) [+-] digit+]`; it must be finite. `point` is the decimal point, usually `.`
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn number(cell: &[u8], point: u8) -> Result<f64, Problem> {
    let cell = trim(cell);
    if cell.is_empty() {
        return Ok(f64::NAN);
    }
    let (_, digits) = sign(cell)?;
    let rest = some_digits(digits)?;
    let rest = match rest {
        [byte, decimals @ ..] if *byte == point => some_digits(decimals)?,
        rest => rest,
    };
    let rest = match rest {
        [b'e' | b'E', exponent @ ..] => {
            let (_, exponent) = sign(exponent).map_err(|_| Problem::Incomplete)?;
            some_digits(exponent)?
        }
        rest => rest,
    };
    if !rest.is_empty() {
        return Err(unexpected(rest));
    }
    // It is ASCII. The standard library's grammar is a superset of ours, except for the point.
    let text = String::from_utf8_lossy(cell);
    let value = if point == b'.' { text.parse() } else { text.replace(char::from(point), ".").parse() };
    match value {
        Ok(value) if f64::is_finite(value) => Ok(value),
        _ => Err(Problem::OutOfRange("numbers lie within ±1.7e308")),
    }
}

/// A text for the detector, as it stands in the file. It has no NUL: that separates texts from each other when they
/// are passed, and no text that a person wrote contains it.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn text(cell: &[u8]) -> Result<&str, Problem> {
    if memchr::memchr(0, cell).is_some() {
        return Err(Problem::Unexpected('\0'));
    }
    str::from_utf8(cell).map_err(|_| Problem::InvalidUtf8)
}

/// A currency, as it stands in the file but for blanks around it; empty if there is none.
///
/// # Errors
/// The [`Problem`] with the cell.
pub fn currency(cell: &[u8]) -> Result<&str, Problem> {
    let text = text(trim(cell))?;
    if let Some(control) = text.chars().find(|character| is_unprintable(*character)) {
        return Err(Problem::Unexpected(control));
    }
    if text.len() > MAX_CURRENCY_BYTES {
        return Err(Problem::OutOfRange("currencies have at most 16 bytes"));
    }
    Ok(text)
}

/// Removes at least one digit; returns the rest.
fn some_digits(text: &[u8]) -> Result<&[u8], Problem> {
    match text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len()) {
        0 if text.is_empty() => Err(Problem::Incomplete),
        0 => Err(unexpected(text)),
        count => Ok(&text[count..]),
    }
}

/// This many digits always fit an `i64`.
const SAFE_DIGITS: usize = 18;

pub(crate) fn integer(cell: &[u8], range: &'static str) -> Result<i64, Problem> {
    let (negative, digits) = sign(cell)?;
    if let Some(value) = number_of_digits(digits) {
        return Ok(if negative { -value } else { value });
    }
    if let Some(i) = digits.iter().position(|byte| !byte.is_ascii_digit()) {
        return Err(unexpected(&digits[i..]));
    }
    // The sign is applied from the start: the smallest number has no positive counterpart.
    let sign = if negative { -1 } else { 1 };
    let add = |value: i64, &byte: &u8| value.checked_mul(10)?.checked_add(sign * i64::from(byte - b'0'));
    digits.iter().try_fold(0, add).ok_or(Problem::OutOfRange(range))
}

/// One to [`SAFE_DIGITS`] digits as a number; `None` if it is anything else. Whether all of them are digits is asked
/// once at the end, so that there is no branch for each.
#[inline]
fn number_of_digits(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > SAFE_DIGITS {
        return None;
    }
    let (mut value, mut are_digits) = (0_i64, true);
    for &byte in digits {
        let digit = byte.wrapping_sub(b'0');
        are_digits &= digit < 10;
        value = value.wrapping_mul(10).wrapping_add(digit.into());
    }
    are_digits.then_some(value)
}

/// Splits off a sign; the rest is not empty.
fn sign(cell: &[u8]) -> Result<(bool, &[u8]), Problem> {
    let (negative, digits) = match cell {
        [] => return Err(Problem::Empty),
        [b'-', digits @ ..] => (true, digits),
        [b'+', digits @ ..] => (false, digits),
        digits => (false, digits),
    };
    if digits.is_empty() { Err(Problem::Incomplete) } else { Ok((negative, digits)) }
}

/// Removes blanks around a number or a timestamp, which have no meaning.
pub(crate) fn trim(cell: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(start) = cell.iter().position(|byte| !blank(byte)) else { return &[] };
    // There is a byte that is not a blank, so there is a last one.
    let end = cell.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &cell[start..end]
}

/// The problem with the character that `rest` starts with.
pub(crate) fn unexpected(rest: &[u8]) -> Problem {
    let head = &rest[..rest.len().min(4)];
    let valid = match str::from_utf8(head) {
        Ok(text) => text,
        Err(error) => str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default(),
    };
    valid.chars().next().map_or(Problem::InvalidUtf8, Problem::Unexpected)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts() {
        let cases: &[(&str, Result<i64, Problem>)] = &[
            ("0.10", Ok(10)),
            ("0", Ok(0)),
            ("-0", Ok(0)),
            ("12", Ok(1_200)),
            ("12.5", Ok(1_250)),
            ("-12.5", Ok(-1_250)),
            ("+12.50", Ok(1_250)),
            ("007.00", Ok(700)),
            (" 12.50\t", Ok(1_250)),
            ("12.500000000000000000000", Ok(1_250)),
            ("92233720368547758.07", Ok(i64::MAX)),
            ("-92233720368547758.07", Ok(-i64::MAX)),
            ("92233720368547758.08", Err(AMOUNT_RANGE)),
            ("-92233720368547758.1", Err(AMOUNT_RANGE)),
            ("92233720368547759", Err(AMOUNT_RANGE)),
            ("99999999999999999999999999", Err(AMOUNT_RANGE)),
            ("12.505", Err(Problem::TooPrecise)),
            ("99999999.991", Err(Problem::TooPrecise)),
            ("", Err(Problem::Empty)),
            ("  ", Err(Problem::Empty)),
            ("-", Err(Problem::Incomplete)),
            ("12.", Err(Problem::Incomplete)),
            (".5", Err(Problem::Unexpected('.'))),
            ("-.5", Err(Problem::Unexpected('.'))),
            ("1.2.3", Err(Problem::Unexpected('.'))),
            ("12,50", Err(Problem::Unexpected(','))),
            ("1e3", Err(Problem::Unexpected('e'))),
            ("NaN", Err(Problem::Unexpected('N'))),
            ("inf", Err(Problem::Unexpected('i'))),
            ("$5", Err(Problem::Unexpected('$'))),
            ("5 €", Err(Problem::Unexpected(' '))),
            ("€5", Err(Problem::Unexpected('€'))),
            ("--5", Err(Problem::Unexpected('-'))),
            ("1\0", Err(Problem::Unexpected('\0'))),
        ];
        for (cell, expected) in cases {
            assert_eq!(amount_cents(cell.as_bytes(), b'.'), *expected, "{cell:?}");
        }
        assert_eq!(amount_cents(b"5\xff", b'.'), Err(Problem::InvalidUtf8));
        assert_eq!(amount_cents(b"-12,50", b','), Ok(-1_250));
        assert_eq!(amount_cents(b"12.50", b','), Err(Problem::Unexpected('.')));
        assert_eq!(amount_cents(b"1.234,50", b','), Err(Problem::Unexpected('.')));
    }

    #[test]
    fn numbers() {
        let cases: &[(&str, Result<f64, Problem>)] = &[
            ("0", Ok(0.0)),
            ("-12.50", Ok(-12.5)),
            (" +3\t", Ok(3.0)),
            ("1e-9", Ok(1e-9)),
            ("1.5E+300", Ok(1.5e300)),
            ("123456789012345678901234567890", Ok(123_456_789_012_345_678_901_234_567_890.0)),
            ("1e-999", Ok(0.0)),
            ("1e999", Err(Problem::OutOfRange("numbers lie within ±1.7e308"))),
            ("-", Err(Problem::Incomplete)),
            ("1.", Err(Problem::Incomplete)),
            ("1e", Err(Problem::Incomplete)),
            ("1e+", Err(Problem::Incomplete)),
            (".5", Err(Problem::Unexpected('.'))),
            ("NaN", Err(Problem::Unexpected('N'))),
            ("-inf", Err(Problem::Unexpected('i'))),
            ("1,5", Err(Problem::Unexpected(','))),
            ("1.5.", Err(Problem::Unexpected('.'))),
            ("0x10", Err(Problem::Unexpected('x'))),
            ("1_000", Err(Problem::Unexpected('_'))),
        ];
        for (cell, expected) in cases {
            assert_eq!(number(cell.as_bytes(), b'.'), *expected, "{cell:?}");
        }
        assert!(number(b" ", b'.').unwrap().is_nan());
        assert_eq!(number(b"-1,5e2", b','), Ok(-150.0));
        assert_eq!(number(b"1.5", b','), Err(Problem::Unexpected('.')));
    }

    #[test]
    fn currencies() {
        assert_eq!(currency(b" EUR\t"), Ok("EUR"));
        assert_eq!(currency("€".as_bytes()), Ok("€"));
        assert_eq!(currency(b"  "), Ok(""));
        assert_eq!(currency(b"0123456789abcdef"), Ok("0123456789abcdef"));
        assert!(matches!(currency(b"0123456789abcdefg"), Err(Problem::OutOfRange(_))));
        assert_eq!(currency(b"E\0R"), Err(Problem::Unexpected('\0')));
        assert_eq!(currency(b"E\x1bR"), Err(Problem::Unexpected('\u{1b}')));
        assert_eq!(currency(b"E\xffR"), Err(Problem::InvalidUtf8));
    }

    #[test]
    fn ids() {
        assert_eq!(transaction_id(b"9223372036854775807"), Ok(i64::MAX));
        assert!(matches!(transaction_id(b"9223372036854775808"), Err(Problem::OutOfRange(_))));
        assert_eq!(transaction_id(b"-9223372036854775808"), Ok(i64::MIN));
        assert!(matches!(transaction_id(b"-9223372036854775809"), Err(Problem::OutOfRange(_))));
        assert_eq!(transaction_id(b"-00000000000000000000000000005"), Ok(-5));
        assert_eq!(user_id(b" 2703186189652095 "), Ok(2_703_186_189_652_095));
        assert!(matches!(user_id(b"9223372036854775808"), Err(Problem::OutOfRange(_))));
        assert_eq!(user_id(b"-5"), Ok(-5));
        assert_eq!(user_id(b"1.0"), Err(Problem::Unexpected('.')));
        assert_eq!(user_id(b"1 2"), Err(Problem::Unexpected(' ')));
        assert_eq!(user_id(b""), Err(Problem::Empty));
    }

    proptest! {
        /// Against `rust_decimal`, which is independent of our parser.
        #[test]
        fn every_amount_is_what_a_decimal_library_reads(cents in -i64::MAX..=i64::MAX) {
            let text = rust_decimal::Decimal::new(cents, 2).to_string();
            prop_assert_eq!(amount_cents(text.as_bytes(), b'.'), Ok(cents));
        }

        /// As the standard library reads them.
        #[test]
        fn every_id_is_a_whole_number_of_64_bits(id: i64, zeros in 0_usize..30) {
            let digits = format!("{}{}", "0".repeat(zeros), id.unsigned_abs());
            let text = if id < 0 { format!("-{digits}") } else { digits };
            prop_assert_eq!(transaction_id(text.as_bytes()), Ok(id));
        }

        #[test]
        fn no_bytes_make_a_parser_panic(cell: Vec<u8>) {
            let _ = (transaction_id(&cell), user_id(&cell));
            let _ = (amount_cents(&cell, b'.'), amount_cents(&cell, b','));
            let _ = (number(&cell, b'.'), number(&cell, b','));
        }
    }
}
