//! The example that says how amounts are written. One that could mean two formats is refused.

use std::str::FromStr;

use crate::cell::amount::{AmountFormat, Grouping, MINUS_SIGNS, SignPlace, is_blank};

/// Longer examples are refused.
const MAX_EXAMPLE_BYTES: usize = 64;

impl FromStr for AmountFormat {
    type Err = String;

    fn from_str(example: &str) -> Result<AmountFormat, Self::Err> {
        let is_digit = |character: char| character.is_ascii_digit();
        let (Some(first), Some(last)) = (example.find(is_digit), example.rfind(is_digit)) else {
            return Err("give an amount as an example, such as `1,234.56`".into());
        };
        if example.len() > MAX_EXAMPLE_BYTES {
            return Err(format!("an example has at most {MAX_EXAMPLE_BYTES} bytes"));
        }
        let Marks { decimal_point, grouping, has_three_decimals } = marks(&example[first..=last])?;
        let (before, first_sign) = currency(&example[..first])?;
        let (after, last_sign) = currency(&example[last + 1..])?;
        let is_sign = |sign: char| sign == '+' || MINUS_SIGNS.contains(&sign);
        let sign = match (first_sign, last_sign) {
            (None, None) => SignPlace::Before,
            (Some(sign), None) if is_sign(sign) => SignPlace::Before,
            (None, Some(sign)) if is_sign(sign) => SignPlace::After,
            (Some('('), Some(')')) => SignPlace::Parentheses,
            _ => return Err("the sign must be `-` before or behind the digits, or `(` and `)`".into()),
        };
        Ok(AmountFormat {
            decimal_point,
            grouping,
            has_three_decimals,
            sign,
            before: before.into(),
            after: after.into(),
        })
    }
}

/// The marks of an example.
struct Marks {
    decimal_point: u8,
    grouping: Option<Grouping>,
    has_three_decimals: bool,
}

/// The marks of an example, from its first digit to its last: before decimals, and between thousands.
fn marks(number: &str) -> Result<Marks, String> {
    let mark = |(at, character): (usize, char)| (!character.is_ascii_digit()).then_some((at, character));
    let all: Vec<(usize, char)> = number.char_indices().filter_map(mark).collect();
    let Some((&(at, decimal), others)) = all.split_last() else {
        return Err(format!("it does not say how decimals are written: give it two, such as `{number}.00`"));
    };
    let decimals = &number[at + decimal.len_utf8()..];
    // More digits than are between the marks of thousands, so it is none of these.
    let is_long = others.is_empty() && at > 3;
    if decimals.len() == 3 && !is_long && others.iter().all(|&(_, other)| other == decimal) {
        return Err(match (others.is_empty(), decimal) {
            (true, '.' | ',') => {
                let other = if decimal == ',' { '.' } else { ',' };
                format!(
                    "`{decimal}` may stand between thousands or before decimals: give two decimals, such as \
                     `{number}{other}00`; if it has three, more digits before them, such as `1234{decimal}560`"
                )
            }
            _ => "it does not say how decimals are written: give it two, such as `1,234.56`".into(),
        });
    }
    let has_three_decimals = decimals.len() == 3 && decimals.ends_with('0');
    if !(decimals.len() == 2 || has_three_decimals) || !matches!(decimal, '.' | ',') {
        return Err("it must have two decimals, or a third that is 0, behind `.` or `,`".into());
    }
    let decimal_point = decimal as u8;
    let Some(&(_, mark)) = others.first() else {
        return Ok(Marks { decimal_point, grouping: None, has_three_decimals });
    };
    let grouping = Grouping::of(mark)
        .filter(|grouping| !grouping.is(decimal) && others.iter().all(|&(_, other)| grouping.is(other)))
        .ok_or_else(|| format!("`{mark}` cannot stand between thousands here"))?;
    let grouping = Some(grouping);
    let format = AmountFormat {
        decimal_point,
        grouping,
        has_three_decimals,
        sign: SignPlace::Before,
        before: "".into(),
        after: "".into(),
    };
    // The example itself must be written like itself; the largest amounts are no matter here.
    match format.without_marks(&number[..at]) {
        Some(_) => Ok(Marks { decimal_point, grouping, has_three_decimals }),
        None => Err(format!("between its `{mark}` there must be three digits, as in `{format}`")),
    }
}

/// What stands before or behind the digits of an example: a currency sign, and the sign of the amount.
fn currency(text: &str) -> Result<(&str, Option<char>), String> {
    let is_sign = |character: char| matches!(character, '+' | '(' | ')') || MINUS_SIGNS.contains(&character);
    let mut rest = text.trim_matches(is_blank);
    let mut sign = None;
    if let Some(first) = rest.chars().next().filter(|first| is_sign(*first)) {
        (sign, rest) = (Some(first), &rest[first.len_utf8()..]);
    } else if let Some(last) = rest.chars().next_back().filter(|last| is_sign(*last)) {
        (sign, rest) = (Some(last), &rest[..rest.len() - last.len_utf8()]);
    }
    let rest = rest.trim_matches(is_blank);
    if ["DR", "CR"].iter().any(|word| rest.eq_ignore_ascii_case(word)) {
        return Err(format!("`{rest}` is no currency; a column that says the sign is named with `--sign`"));
    }
    // A sign of a currency (Unicode's category Sc is mostly U+20A0 to U+20CF), or its name.
    let is_currency = |character: char| {
        character.is_alphabetic()
            || matches!(character, '$' | '.' | '¢' | '£' | '¤' | '¥' | '؋' | '৳' | '฿' | '៛' | '﷼')
            || ('\u{20a0}'..='\u{20cf}').contains(&character)
    };
    // With a point alone, `.50` would have two meanings.
    let wrong = rest.chars().find(|character| !is_currency(*character));
    match wrong.or_else(|| rest.chars().all(|character| character == '.').then(|| rest.chars().next())?) {
        None => Ok((rest, sign)),
        Some(wrong) => Err(format!("`{}` is not part of an amount or a currency", wrong.escape_debug())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_example_with_two_meanings_is_refused() {
        for (example, expected) in [
            ("", "give an amount as an example"),
            ("$", "give an amount as an example"),
            (
                "1,234",
                "`,` may stand between thousands or before decimals: give two decimals, such as `1,234.00`",
            ),
            ("1.234", "such as `1.234,00`; if it has three, more digits before them, such as `1234.560`"),
            ("1234", "does not say how decimals are written: give it two, such as `1234.00`"),
            ("1,234,567", "does not say how decimals are written"),
            ("1 234", "does not say how decimals are written"),
            ("1.5", "two decimals"),
            ("1,234.567", "two decimals"),
            ("1234.567", "two decimals"),
            ("123.450", "may stand between thousands"),
            ("1234.5600", "two decimals"),
            ("1234'56", "two decimals"),
            ("1,234,56", "`,` cannot stand between thousands"),
            ("1.234,567.89", "`.` cannot stand between thousands"),
            ("1_234.56", "`_` cannot stand between thousands"),
            ("12,34.56", "three digits, as in `1,234.56`"),
            ("1,2345.56", "three digits"),
            ("1234,567.89", "three digits"),
            ("0,123.45", "three digits"),
            ("1,,234.56", "three digits"),
            ("-1,234.56-", "the sign must be"),
            ("(1,234.56", "the sign must be"),
            ("1,234.56)", "the sign must be"),
            ("(1,234.56-)", "`)` is not part"),
            ("--1.50", "`-` is not part"),
            ("-$-1.50", "`-` is not part"),
            ("1,234.56 CR", "`--sign`"),
            ("1,234.56%", "`%` is not part"),
            ("1,234.56 a b", "` ` is not part"),
            (".12.50", "`.` is not part"),
            ("1,234.56e", ""),
            ("\"1.50", "`\\\"` is not part"),
            ("\n1.50", "`\\n` is not part"),
        ] {
            match example.parse::<AmountFormat>() {
                Ok(format) => assert!(expected.is_empty(), "{example}: {format}"),
                Err(error) => assert!(!expected.is_empty() && error.contains(expected), "{example}: {error}"),
            }
        }
        assert!(format!("{}1.50", "x".repeat(MAX_EXAMPLE_BYTES)).parse::<AmountFormat>().is_err());
    }
}
