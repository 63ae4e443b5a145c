//! What an amount may have meant, and the format that reads it so.

use host_core::rejected::Problem;
use host_core::text::shell_quoted;

use crate::cell::amount::AmountFormat;
use crate::cell::{thousands, value};

/// Amounts as people write them, without a currency: with the sign before them, behind them, in parentheses. An
/// amount without a sign fits all three, and means the first.
const AMOUNTS: [&[&str]; 3] = [
    &["1,234.56", "1.234,56", "1 234,56", "1 234.56", "1'234.56", "1'234,56"],
    &["1,234.56-", "1.234,56-", "1 234,56-"],
    &["(1,234.56)", "(1.234,56)", "(1 234,56)"],
];
/// Amounts whose decimals may be taken for thousands.
const THREE_DECIMALS: &[&str] = &["1,234.560", "1.234,560"];
/// How many formats a hint proposes for an amount.
const SHOWN_FORMATS: usize = 2;
/// Longer cells are not taken for amounts.
const MAX_AMOUNT_BYTES: usize = 64;

pub(super) fn hint(cell: &[u8], problem: Problem) -> Option<String> {
    match problem {
        Problem::OtherForm => {
            return Some("amounts must be written like the example in --amount-format".into());
        }
        Problem::DebitAndCredit => return Some("one of the two must be empty or zero".into()),
        Problem::SignTwice => {
            return Some("a minus sign could mean either direction here, so it must be removed".into());
        }
        Problem::Thousands => return thousands(cell, true),
        Problem::TooPrecise => return thousands(cell, false),
        Problem::Unexpected(_) if thousands::is_ambiguous(cell, b',') => return thousands(cell, true),
        Problem::Unexpected(_) => {}
        _ => return None,
    }
    let has_decimal_comma = value::amount_cents(cell, b',').is_ok();
    let text = str::from_utf8(cell).ok()?;
    let fitting = |amounts: &&[&str]| -> Vec<AmountFormat> {
        let formats = formats_like(text, amounts).into_iter();
        formats.filter(|format| format.cents(cell).is_ok()).collect()
    };
    let fitting = AMOUNTS.iter().map(fitting).find(|formats| !formats.is_empty()).unwrap_or_default();
    let fitting = fitting
        .iter()
        // There is a shorter option for that.
        .filter(|format| !(has_decimal_comma && format.decimal_point() == b','))
        .map(|format| format!("`--amount-format {}`", shell_quoted(&format.to_string())));
    let short = has_decimal_comma.then(|| "`--decimal-comma`".to_owned());
    let options: Vec<String> = short.into_iter().chain(fitting).take(SHOWN_FORMATS).collect();
    match options.as_slice() {
        [] => None,
        [_] if has_decimal_comma => {
            Some("amounts with a decimal comma are read with `--decimal-comma`".into())
        }
        options => Some(format!("amounts of this form are read with {}", options.join(" or "))),
    }
}

/// The formats of amounts that have the same currency as this one, or none: the likely ones first.
pub(crate) fn likely_formats(cell: &str) -> Vec<AmountFormat> {
    let amounts = AMOUNTS.iter().chain([&THREE_DECIMALS]);
    amounts.flat_map(|amounts| formats_like(cell, amounts)).collect()
}

/// Each of these amounts, with the currency of a cell.
fn formats_like(cell: &str, amounts: &[&str]) -> Vec<AmountFormat> {
    let text = cell.trim();
    let is_digit = |character: char| character.is_ascii_digit();
    let ends = (text.find(is_digit), text.rfind(is_digit));
    let ((Some(first), Some(last)), true) = (ends, text.len() <= MAX_AMOUNT_BYTES) else { return Vec::new() };
    let currency = |text: &str| text.trim_matches(|c: char| "+-\u{2212}() ".contains(c)).to_owned();
    let (before, after) = (currency(&text[..first]), currency(&text[last + 1..]));
    amounts.iter().filter_map(|amount| format!("{before}{amount}{after}").parse().ok()).collect()
}

/// Three digits behind a mark may be thousands; they may also be decimals if `can_be_decimals`.
fn thousands(cell: &[u8], can_be_decimals: bool) -> Option<String> {
    let mark = [b'.', b','].into_iter().find(|mark| thousands::is_ambiguous(cell, *mark))?;
    let (mark, format, decimals) = match mark {
        b'.' => (".", "1.234,56", "1234.560"),
        _ => (",", "1,234.56", "1234,560"),
    };
    let if_thousands =
        format!("if `{mark}` stands between thousands, amounts are read with `--amount-format {format}`");
    Some(match can_be_decimals {
        true => format!("{if_thousands}; if it stands before decimals, with `--amount-format {decimals}`"),
        false => if_thousands,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts() {
        let on = |cell: &str| hint(cell.as_bytes(), Problem::Unexpected('x')).unwrap_or_default();
        for (cell, expected) in [
            ("1,250.00", "with `--amount-format 1,234.56`"),
            ("12,50", "with `--decimal-comma`"),
            ("-1.250,00", "with `--amount-format 1.234,56`"),
            ("1 250,00", "with `--amount-format '1 234,56'`"),
            ("1'250.00", "with `--amount-format '1'\\''234.56'`"),
            ("$5", "with `--amount-format '$1,234.56'` or `--amount-format '$1.234,56'`"),
            ("-$5.00", "with `--amount-format '$1,234.56'`"),
            ("5,00 €", "with `--amount-format '1.234,56 €'`"),
            ("(12.50)", "with `--amount-format '(1,234.56)'`"),
            ("(€ 12,50)", "with `--amount-format '(€1.234,56)'`"),
            ("12.50-", "with `--amount-format 1,234.56-`"),
        ] {
            assert!(on(cell).contains(expected), "{cell}: {}", on(cell));
        }
        for nothing in ["", "NaN", "1e3", "1.2.3", "12,50,00", "0x10", "5 CR", "\u{1b}5"] {
            assert_eq!(on(nothing), "", "{nothing}");
        }
        assert_eq!(hint(b"1.2345", Problem::TooPrecise), None);
        assert_eq!(hint(b"1234.567", Problem::TooPrecise), None);
        // It may be either.
        let either = "if `,` stands between thousands, amounts are read with `--amount-format 1,234.56`; if it stands \
            before decimals, with `--amount-format 1234,560`";
        assert_eq!(on("-1,250"), either);
        assert_eq!(hint(b"1,250", Problem::Thousands).as_deref(), Some(either));
        let either = either.replace("1,234.56", "1.234:56").replace("1234,560", "1234.560");
        let either = either.replace("`,`", "`.`").replace(':', ",");
        assert_eq!(hint(b" 1.250", Problem::Thousands), Some(either));
        let thousands = "if `.` stands between thousands, amounts are read with `--amount-format 1.234,56`";
        assert_eq!(hint(b"1.234", Problem::TooPrecise).as_deref(), Some(thousands));
    }
}
