//! Which columns amounts are in, how they are written, what says their sign, and their currencies.

use host_core::text::{listed, printable};

use super::columns::{Choice, Table};
use super::finding::{About, Example, Finding, Flag, Reading};
use super::names::Role;
use super::readings::{self, fitting};
use crate::cell::value;
use crate::csv::field::Field;

/// What is in a column that says the sign of amounts: where they go out, and where they come in.
const SIGNS: [(&str, &str); 9] = [
    ("dr", "cr"),
    ("d", "c"),
    ("debit", "credit"),
    ("soll", "haben"),
    ("s", "h"),
    ("af", "bij"),
    ("dare", "avere"),
    ("debet", "credit"),
    ("-", "+"),
];
/// A column with more different values says something else.
const MAX_SIGNS: usize = 2;

/// Whether an amount says itself that it is negative.
fn has_sign(cell: &str) -> bool {
    cell.contains(['-', '(', '\u{2212}'])
}

impl Table {
    pub fn amount(&self) -> Finding {
        let (about, field) = (About::Amount, Field::Amount);
        let read = |at: usize| self.amounts(&self.cells(at));
        // Whole numbers may be anything.
        let fits = |at: usize| {
            let cells = self.cells(at);
            cells.iter().any(|cell| cell.contains(['.', ','])) && !read(at).is_empty()
        };
        let debit_and_credit = self.debit_and_credit();
        match self.choose(field, Role::Amount, debit_and_credit.is_none(), &fits) {
            Choice::One(at) => {
                self.read_as(about, field, at, read(at), readings::of_amounts(&self.cells(at)))
            }
            Choice::Several(columns) => self.several(about, field, &columns, &read),
            Choice::None => debit_and_credit
                .unwrap_or_else(|| Finding::open(about, "no column looks like an amount".into())),
        }
    }

    fn amounts(&self, cells: &[&str]) -> Vec<Reading> {
        fitting(readings::of_amounts(cells), cells)
    }

    /// Amounts that go out and such that come in, each in a column of their own: in each row, one is empty or zero.
    fn debit_and_credit(&self) -> Option<Finding> {
        let ([debit], [credit]) = (&*self.with_role(Role::Debit), &*self.with_role(Role::Credit)) else {
            return None;
        };
        let (out, into) = (self.cells(*debit), self.cells(*credit));
        let is_nothing = |cell: &str| cell.chars().all(|letter| matches!(letter, '0' | '.' | ','));
        let is_either = out
            .iter()
            .zip(&into)
            .all(|(out, into)| (is_nothing(out) || is_nothing(into)) && !(out.is_empty() && into.is_empty()));
        let filled: Vec<&str> = out.into_iter().chain(into).filter(|cell| !cell.is_empty()).collect();
        let mut readings = self.amounts(&filled);
        if !is_either || !self.has_header || filled.iter().any(|cell| has_sign(cell)) {
            return None;
        }
        for reading in &mut readings {
            let columns =
                [Flag::new("debit", &*self.names[*debit]), Flag::new("credit", &*self.names[*credit])];
            reading.flags.splice(0..0, columns);
            // The sign is that of the column.
            reading.examples.clear();
        }
        let what = format!("{} goes out, and {} comes in", self.name(*debit), self.name(*credit));
        Some(Finding { about: About::Amount, what, readings })
    }

    /// A column that says whether amounts go out, if their own signs do not. What its two values mean is known if they
    /// are among those that are in use; else it may be either.
    pub fn sign(&self, amount: &Finding) -> Option<Finding> {
        let [sign] = *self.with_role(Role::Sign) else { return None };
        let is_signed = |reading: &Reading| reading.flags.iter().any(|flag| flag.name == "debit");
        let amounts = self.with_role(Role::Amount);
        let are_signed = |at: &usize| self.cells(*at).iter().any(|cell| has_sign(cell));
        if !self.has_header || amount.readings.iter().any(is_signed) || amounts.iter().any(are_signed) {
            return None;
        }
        let mut values: Vec<&str> = Vec::new();
        for cell in self.cells(sign) {
            if !values.iter().any(|value| value.eq_ignore_ascii_case(cell)) {
                values.push(cell);
            }
        }
        let is_plain = |value: &&str| !value.is_empty() && !value.contains([',', '=']);
        if values.len() > MAX_SIGNS || !values.iter().all(is_plain) {
            return None;
        }
        let flag = |negative: &str, positive: Option<&str>| {
            let positive = positive.map_or(String::new(), |positive| format!(",{positive}"));
            let flags = vec![Flag::new("sign", format!("{}={negative}{positive}", self.names[sign]))];
            Reading { flags, examples: Vec::new() }
        };
        let is = |value: &str, known: &str| value.to_lowercase() == known;
        let known = |out: &str, into: &str| SIGNS.iter().any(|(dr, cr)| is(out, dr) && is(into, cr));
        let readings = match *values {
            [out, into] if known(out, into) => vec![flag(out, Some(into))],
            [into, out] if known(out, into) => vec![flag(out, Some(into))],
            [one, other] => vec![flag(one, Some(other)), flag(other, Some(one))],
            // All amounts have the same sign, and which one is not known.
            [only] if SIGNS.iter().any(|(dr, _)| is(only, dr)) => vec![flag(only, None)],
            _ => return None,
        };
        let shown: Vec<String> = values.iter().map(|value| (*value).to_owned()).collect();
        let mut what = format!("{} says the sign: {}", self.name(sign), listed(&shown, MAX_SIGNS));
        if readings.len() > 1 {
            what += ", of which one is negative";
        }
        Some(Finding { about: About::Sign, what, readings })
    }

    /// A column that is called so, and has texts that may be kept.
    pub fn currency(&self) -> Option<Finding> {
        let is_kept = |at: &usize| {
            let cells = self.cells(*at);
            cells.iter().any(|cell| !cell.is_empty())
                && cells.iter().all(|cell| value::currency(cell.as_bytes()).is_ok())
        };
        let columns: Vec<usize> = self.with_role(Role::Currency).into_iter().filter(is_kept).collect();
        let reading = |at: &usize| {
            let cell = self.cells(*at).into_iter().find(|cell| !cell.is_empty()).unwrap_or_default();
            let cell = printable(cell).into_owned();
            let flags = vec![Flag::new("currency", &*self.names[*at])];
            Reading { flags, examples: vec![Example { meaning: cell.clone(), cell }] }
        };
        let what = match columns.as_slice() {
            _ if !self.has_header => return None,
            [] => return None,
            [one] => format!("{} is kept", self.name(*one)),
            _ => "it may be each of several columns".to_owned(),
        };
        Some(Finding { about: About::Currency, what, readings: columns.iter().map(reading).collect() })
    }
}
