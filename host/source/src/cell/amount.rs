//! Amounts as an example says that they are written, such as `1.234,56 €`, `$1,234.56` or `(1 234.56)`: which marks
//! stand between thousands and before decimals, which currency signs, and where the sign stands.
//!
//! An example that could mean two formats is refused, and so is a cell that is not written exactly like it.
//! Optional are only the marks between thousands (all of them or none), decimals, the sign, and blanks between the
//! sign, currency signs and digits.

use std::borrow::Cow;
use std::fmt;

use host_core::rejected::Problem;

use crate::cell::total::total_cents;
use crate::cell::value;

/// The amount that a format is shown with, in hundredths.
const SHOWN_CENTS: i64 = 123_456;
/// Writers of spreadsheets and web pages use either.
pub(super) const MINUS_SIGNS: [char; 2] = ['-', '\u{2212}'];

/// How amounts are written. Written as text, it is an example from which it can be parsed again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AmountFormat {
    /// What stands before decimals: `.` or `,`.
    pub(super) decimal_point: u8,
    /// What stands between thousands.
    pub(super) grouping: Option<Grouping>,
    /// Whether decimals are three, of which the last is zero. Otherwise `1.250` is in no format.
    pub(super) has_three_decimals: bool,
    pub(super) sign: SignPlace,
    /// The currency sign before the digits, which every amount has.
    pub(super) before: Box<str>,
    /// The currency sign after the digits, which every amount has.
    pub(super) after: Box<str>,
}

/// What stands between thousands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grouping {
    Point,
    Comma,
    /// Any blank, also those at which lines are not broken.
    Blank,
    /// Straight or curly.
    Apostrophe,
}

/// Where the sign of an amount stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SignPlace {
    Before,
    After,
    /// Negative amounts are in parentheses, others have no sign.
    Parentheses,
}

impl AmountFormat {
    /// What stands before decimals: `.` or `,`.
    #[must_use]
    pub fn decimal_point(&self) -> u8 {
        self.decimal_point
    }

    /// An amount in hundredths.
    ///
    /// # Errors
    /// The [`Problem`] with the cell.
    pub fn cents(&self, cell: &[u8]) -> Result<i64, Problem> {
        let (negative, plain) = self.plain(cell)?;
        let cents = value::amount_cents(plain.as_bytes(), self.decimal_point);
        cents.map(|cents| if negative { -cents } else { cents }).map_err(|problem| match problem {
            Problem::Unexpected(_) | Problem::Incomplete => Problem::OtherForm,
            other => other,
        })
    }

    /// A sum of amounts in hundredths, which may be larger than an amount, and need not have their currency; `None` if
    /// it is not written like one.
    #[must_use]
    pub fn total_cents(&self, text: &[u8]) -> Option<i128> {
        let without_currency = AmountFormat { before: "".into(), after: "".into(), ..self.clone() };
        let (negative, plain) = self.plain(text).or_else(|_| without_currency.plain(text)).ok()?;
        let cents = total_cents(plain.as_bytes(), self.decimal_point)?;
        Some(if negative { -cents } else { cents })
    }

    /// Whether an amount is negative, and its digits, without marks between thousands.
    fn plain<'a>(&self, cell: &'a [u8]) -> Result<(bool, Cow<'a, str>), Problem> {
        let text = str::from_utf8(cell).map_err(|_| Problem::InvalidUtf8)?.trim_matches(is_blank);
        if text.is_empty() {
            return Err(Problem::Empty);
        }
        // The sign may be on either side of a currency sign, but only once.
        let (outer, text) = self.split_first_sign(text);
        let text = text.strip_prefix(&*self.before).ok_or(Problem::OtherForm)?.trim_start_matches(is_blank);
        let (first, text) = if outer.is_some() { (outer, text) } else { self.split_first_sign(text) };
        let (outer, text) = self.split_last_sign(text);
        let text = text.strip_suffix(&*self.after).ok_or(Problem::OtherForm)?.trim_end_matches(is_blank);
        let (last, text) = if outer.is_some() { (outer, text) } else { self.split_last_sign(text) };
        let negative = match (first, last) {
            (Some('('), None) | (None, Some(')')) => return Err(Problem::OtherForm),
            (first, last) => first.or(last).is_some_and(|sign| sign != '+'),
        };
        Ok((negative, self.magnitude(text)?))
    }

    /// Digits, with marks between thousands or without, and perhaps decimals: without the marks.
    fn magnitude<'a>(&self, text: &'a str) -> Result<Cow<'a, str>, Problem> {
        let end = text.find(char::from(self.decimal_point)).unwrap_or(text.len());
        let (whole, decimals) = text.split_at(end);
        let is_number = whole.starts_with(|first: char| first.is_ascii_digit())
            && decimals.bytes().skip(1).all(|byte| byte.is_ascii_digit());
        if !is_number {
            return Err(Problem::OtherForm);
        }
        let may_be_exchanged = !self.has_three_decimals && decimals.len() == ",000".len();
        match self.without_marks(whole).ok_or(Problem::OtherForm)? {
            // `1,000` is a thousand with the marks exchanged.
            Cow::Borrowed(whole) if whole.len() <= 3 && may_be_exchanged => Err(Problem::OtherForm),
            Cow::Borrowed(_) => Ok(Cow::Borrowed(text)),
            Cow::Owned(whole) => Ok(Cow::Owned(whole + decimals)),
        }
    }

    /// Removes the marks between thousands, if there are any; `None` if there is one that is not between thousands.
    /// With marks, the first digit is not zero: `0,125` has a decimal comma.
    pub(super) fn without_marks<'a>(&self, whole: &'a str) -> Option<Cow<'a, str>> {
        let Some(grouping) = self.grouping else { return Some(Cow::Borrowed(whole)) };
        let mut groups = whole.split(|character| grouping.is(character));
        let first = groups.next()?;
        let mut plain = String::new();
        for group in groups {
            if group.len() != 3 {
                return None;
            }
            plain.push_str(group);
        }
        if plain.is_empty() {
            return Some(Cow::Borrowed(whole));
        }
        let is_first = (1..=3).contains(&first.len()) && !first.starts_with('0');
        is_first.then(|| Cow::Owned(format!("{first}{plain}")))
    }

    /// Splits off a sign at the beginning, if it may stand there, and blanks behind it.
    fn split_first_sign<'a>(&self, text: &'a str) -> (Option<char>, &'a str) {
        let sign = text.chars().next().filter(|first| match self.sign {
            SignPlace::Before => *first == '+' || MINUS_SIGNS.contains(first),
            SignPlace::Parentheses => *first == '(',
            SignPlace::After => false,
        });
        (sign, text[sign.map_or(0, char::len_utf8)..].trim_start_matches(is_blank))
    }

    /// The same at the end.
    fn split_last_sign<'a>(&self, text: &'a str) -> (Option<char>, &'a str) {
        let sign = text.chars().next_back().filter(|last| match self.sign {
            SignPlace::After => *last == '+' || MINUS_SIGNS.contains(last),
            SignPlace::Parentheses => *last == ')',
            SignPlace::Before => false,
        });
        (sign, text[..text.len() - sign.map_or(0, char::len_utf8)].trim_end_matches(is_blank))
    }

    /// Writes an amount in hundredths, with marks between thousands and all decimals.
    #[must_use]
    pub fn write(&self, cents: i64) -> String {
        let whole = (cents.unsigned_abs() / 100).to_string();
        let mut text = String::new();
        for (i, digit) in whole.chars().enumerate() {
            if i > 0 && (whole.len() - i).is_multiple_of(3) {
                text.extend(self.grouping.map(Grouping::mark));
            }
            text.push(digit);
        }
        let decimals = cents.unsigned_abs() % 100;
        let (before, after) = (&self.before, &self.after);
        // Letters are not written next to digits, signs are.
        let is_word = before.ends_with(char::is_alphabetic) || before.ends_with('.');
        let gap = if is_word { " " } else { "" };
        let third = if self.has_three_decimals { "0" } else { "" };
        let end = if after.is_empty() { "" } else { " " };
        let text =
            format!("{before}{gap}{text}{}{decimals:02}{third}{end}{after}", char::from(self.decimal_point));
        match self.sign {
            _ if cents >= 0 => text,
            SignPlace::Before => format!("-{text}"),
            SignPlace::After => format!("{text}-"),
            SignPlace::Parentheses => format!("({text})"),
        }
    }
}

impl Grouping {
    pub(super) fn of(mark: char) -> Option<Grouping> {
        [Grouping::Point, Grouping::Comma, Grouping::Blank, Grouping::Apostrophe]
            .into_iter()
            .find(|grouping| grouping.is(mark))
    }

    pub(super) fn is(self, character: char) -> bool {
        match self {
            Grouping::Point => character == '.',
            Grouping::Comma => character == ',',
            Grouping::Blank => is_blank(character) && character != '\t',
            Grouping::Apostrophe => matches!(character, '\'' | '\u{2019}'),
        }
    }

    fn mark(self) -> char {
        match self {
            Grouping::Point => '.',
            Grouping::Comma => ',',
            Grouping::Blank => ' ',
            Grouping::Apostrophe => '\'',
        }
    }
}

/// Blanks, also those at which lines are not broken, which spreadsheets put into numbers.
pub(super) fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\u{a0}' | '\u{2009}' | '\u{202f}')
}

impl fmt::Display for AmountFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Only a negative amount shows where a sign stands, if that is not before the digits.
        let is_negative = self.sign != SignPlace::Before;
        f.write_str(&self.write(if is_negative { -SHOWN_CENTS } else { SHOWN_CENTS }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn format(example: &str) -> AmountFormat {
        example.parse().unwrap_or_else(|error| panic!("{example}: {error}"))
    }

    /// Examples, and how each is shown.
    const EXAMPLES: [(&str, &str); 29] = [
        ("1,234.56", "1,234.56"),
        ("-9,999,999.00", "1,234.56"),
        ("1.234,56", "1.234,56"),
        ("1 234,56", "1 234,56"),
        ("1\u{202f}234,56", "1 234,56"),
        ("1 234.56", "1 234.56"),
        ("1'234.56", "1'234.56"),
        ("1\u{2019}234,56", "1'234,56"),
        ("12.50", "1234.56"),
        ("12,50", "1234,56"),
        ("(1,234.56)", "(1,234.56)"),
        ("1234.56-", "1234.56-"),
        ("1.234,56 +", "1.234,56-"),
        ("1.234,56\u{2212}", "1.234,56-"),
        ("$1,234.56", "$1,234.56"),
        ("($1,234.56)", "($1,234.56)"),
        ("$(1,234.56)", "($1,234.56)"),
        ("-$ 1,234.56", "$1,234.56"),
        ("€ 1.234,56", "€1.234,56"),
        ("1.234,56 €", "1.234,56 €"),
        ("1.234,56- EUR", "1.234,56 EUR-"),
        ("CHF 1'234.56", "CHF 1'234.56"),
        ("R$ 1.234,56", "R$1.234,56"),
        ("Rs. 1,234.56", "Rs. 1,234.56"),
        ("$1,234.56 USD", "$1,234.56 USD"),
        ("1234.560", "1234.560"),
        ("1,234.560", "1,234.560"),
        ("12345,000", "1234,560"),
        ("(KD 1'234.560)", "(KD 1'234.560)"),
    ];

    #[test]
    fn an_example_says_the_format() {
        for (example, shown) in EXAMPLES {
            let format = format(example);
            assert_eq!(format.to_string(), shown, "{example}");
            assert_eq!(shown.parse().as_ref(), Ok(&format), "{example}");
        }
    }

    const OTHER: Result<i64, Problem> = Err(Problem::OtherForm);

    #[test]
    fn cells() {
        let cases: &[(&str, &str, Result<i64, Problem>)] = &[
            ("1,234.56", "1,234.56", Ok(123_456)),
            ("1,234.56", "1234.56", Ok(123_456)),
            ("1,234.56", "-1,234", Ok(-123_400)),
            ("1,234.56", "\u{2212}0.5", Ok(-50)),
            ("1,234.56", "+ 12", Ok(1_200)),
            ("1,234.56", "99,999,999.990", Ok(9_999_999_999)),
            ("1,234.56", "92,233,720,368,547,758.07", Ok(i64::MAX)),
            (
                "1,234.56",
                "92,233,720,368,547,758.08",
                Err(Problem::OutOfRange("amounts lie within ±92233720368547758.07")),
            ),
            ("1,234.56", "1,234.567", Err(Problem::TooPrecise)),
            ("1,234.56", "  ", Err(Problem::Empty)),
            ("1,234.56", "1,23", OTHER),
            ("1,234.56", "1.234", OTHER),
            ("1.234,56", "1,000", OTHER),
            ("1.234,56", "123,000", OTHER),
            ("1.234,56", "1234,000", Ok(123_400)),
            ("1.234,56", "1.234,500", Ok(123_450)),
            ("1,234.56", "12,50", OTHER),
            ("1,234.56", "1,2345", OTHER),
            ("1,234.56", "1234,567", OTHER),
            ("1,234.56", ",234", OTHER),
            ("1,234.56", "1,,234", OTHER),
            ("1,234.56", "1,234,", OTHER),
            // It may be a decimal comma.
            ("1,234.56", "0,125", OTHER),
            ("1,234.56", "1.234,56", OTHER),
            ("1,234.56", "1,234.5.6", OTHER),
            ("1,234.56", "1,234.", OTHER),
            ("1,234.56", "1,234.56-", OTHER),
            ("1,234.56", "(1,234.56)", OTHER),
            ("1,234.56", "--1", OTHER),
            ("1,234.56", "1,-23", OTHER),
            ("1,234.56", "-", OTHER),
            ("1,234.56", "$1.00", OTHER),
            ("1,234.56", "1e3", OTHER),
            ("1,234.56", "٣", OTHER),
            ("1 234,56", "1\u{a0}234 567,5", Ok(123_456_750)),
            ("1 234,56", "1\t234", OTHER),
            ("1 234,56", "1  234", OTHER),
            ("1'234.56", "1\u{2019}234'567.00", Ok(123_456_700)),
            ("1234.56", "1,234.56", OTHER),
            ("1234.56-", "12.50-", Ok(-1_250)),
            ("1234.56-", "12.50 \u{2212}", Ok(-1_250)),
            ("1234.56-", "12.50+", Ok(1_250)),
            ("1234.56-", "12.50", Ok(1_250)),
            ("1234.56-", "-12.50", OTHER),
            ("1234.56-", "-12.50-", OTHER),
            ("(1,234.56)", "(12.50)", Ok(-1_250)),
            ("(1,234.56)", "( 12.50 )", Ok(-1_250)),
            ("(1,234.56)", "12.50", Ok(1_250)),
            ("(1,234.56)", "(12.50", OTHER),
            ("(1,234.56)", "12.50)", OTHER),
            ("(1,234.56)", "((12.50))", OTHER),
            ("(1,234.56)", "()", OTHER),
            ("(1,234.56)", "-12.50", OTHER),
            ("($1,234.56)", "$(12.50)", Ok(-1_250)),
            ("($1,234.56)", "($12.50)", Ok(-1_250)),
            ("($1,234.56)", "$12.50", Ok(1_250)),
            ("($1,234.56)", "($(12.50))", OTHER),
            ("$1,234.56", "-$12.50", Ok(-1_250)),
            ("$1,234.56", "$-12.50", Ok(-1_250)),
            ("$1,234.56", "-$-12.50", OTHER),
            // It may be of another currency.
            ("$1,234.56", "12.50", OTHER),
            ("$1,234.56", "€12.50", OTHER),
            ("$1,234.56", "$$12.50", OTHER),
            ("$1,234.56", "$", OTHER),
            ("€ 1.234,56", "€\u{a0}-1.234,56", Ok(-123_456)),
            ("1.234,56 €", "-12€", Ok(-1_200)),
            ("1.234,56- EUR", "12,50 EUR-", Ok(-1_250)),
            ("1.234,56- EUR", "12,50- EUR", Ok(-1_250)),
            ("1.234,56- EUR", "12,50-EUR-", OTHER),
            ("Rs. 1,234.56", "Rs.12", Ok(1_200)),
            ("1234.56", "12.500", OTHER),
            ("1234.560", "12.500", Ok(1_250)),
            ("1234.560", "12.50", Ok(1_250)),
            ("1234.560", "12.505", Err(Problem::TooPrecise)),
            ("1234.560", "1,234.560", OTHER),
            ("1,234.560", "1,234.500", Ok(123_450)),
            ("1,234.560", "1,234", Ok(123_400)),
            ("1,234.560", "1.234,500", OTHER),
        ];
        for (example, cell, expected) in cases {
            assert_eq!(format(example).cents(cell.as_bytes()), *expected, "{example}: {cell}");
        }
        assert_eq!(format("12.50").cents(b"5\xff"), Err(Problem::InvalidUtf8));
    }

    #[test]
    fn sums_are_written_like_amounts_and_may_be_larger() {
        for (example, text, cents) in [
            ("$1,234.56", "-$123,456,789,012,345,678,901.50", Some(-12_345_678_901_234_567_890_150)),
            ("(1.234,56 €)", "(1.250,00 €)", Some(-125_000)),
            ("1.234,56", "1.250", Some(125_000)),
            ("1.234,56", "1,250", None),
            ("1,234.56", "1,234.567", None),
            ("1,234.56", "", None),
            ("$1,234.56", "-1,234.56", Some(-123_456)),
            ("$1,234.56", "€1,234.56", None),
        ] {
            assert_eq!(format(example).total_cents(text.as_bytes()), cents, "{example}: {text}");
        }
    }

    fn any_format() -> impl Strategy<Value = AmountFormat> {
        (0..EXAMPLES.len()).prop_map(|i| format(EXAMPLES[i].0))
    }

    proptest! {
        #[test]
        fn every_amount_that_is_written_is_read_as_itself(
            format in any_format(),
            cents in -i64::MAX..=i64::MAX,
        ) {
            let written = format.write(cents);
            prop_assert_eq!(format.cents(written.as_bytes()), Ok(cents), "{}", written);
        }

        /// Against a reader that knows nothing but digits: what a format accepts has no other meaning.
        #[test]
        fn what_is_read_is_written_back_with_the_same_digits(
            cell in "[-+(]?(\\$|€ ?|CHF |Rs\\. )?[0-9]{1,3}([.,' ]?[0-9]{3}){0,2}([.,][0-9]{1,3})?( ?(€|EUR|USD))?[-)]?",
        ) {
            for (example, _) in EXAMPLES {
                let format = format(example);
                let Ok(cents) = format.cents(cell.as_bytes()) else { continue };
                let digits = |text: &str| {
                    // It has a point of its own.
                    let text = text.replace("Rs.", "Rs");
                    let point = char::from(format.decimal_point());
                    let (whole, decimals) = text.rsplit_once(point).unwrap_or((&text, ""));
                    let only = |text: &str| text.chars().filter(char::is_ascii_digit).collect::<String>();
                    let (whole, decimals) = (only(whole), only(decimals));
                    format!("{}.{}", whole.trim_start_matches('0'), decimals.trim_end_matches('0'))
                };
                let written = format.write(cents);
                prop_assert_eq!(digits(&cell), digits(&written), "{} {}", cell, written);
                prop_assert!(cents == 0 || (cents < 0) == cell.contains(['-', '(']));
            }
        }

        #[test]
        fn a_format_is_shown_as_an_example_of_itself(
            example in "[-+(]?[$€a-zA-Z .]{0,3}[0-9]{1,3}([.,' ][0-9]{3})?[.,][0-9]{2,3}[ €a-zA-Z.]{0,3}[-)]?",
            cents in -i64::MAX..=i64::MAX,
        ) {
            if let Ok(format) = example.parse::<AmountFormat>() {
                prop_assert_eq!(format.to_string().parse(), Ok(format.clone()), "{}", format);
                prop_assert_eq!(format.cents(format.write(cents).as_bytes()), Ok(cents), "{}", format);
            }
        }

        #[test]
        fn no_text_makes_a_format_panic(example: String, cell: Vec<u8>) {
            let _ = example.parse::<AmountFormat>();
            for (example, _) in EXAMPLES {
                let _ = format(example).cents(&cell);
            }
        }
    }
}
