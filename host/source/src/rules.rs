//! How files are to be read; and the part of these rules that determines a file's values, in a form that the
//! ledger keeps and that can be read back.

use std::str::FromStr;

use host_core::facts::{IdKind, Reading};
use host_core::rejected::Problem;
use jiff::tz::TimeZone;

use crate::cell::amount::AmountFormat;
use crate::cell::timestamp::TimestampRules;
use crate::cell::{thousands, total::total_cents, value};
use crate::composed::{AmountColumns, SignColumn, TimestampColumns};
use crate::csv::field::{ColumnMap, Field, position_from_zero};
use crate::csv::records::Dialect;
use crate::input::encoding::Encoding;
use crate::tally::RejectLimit;
use crate::trailer::Trailer;

/// What separates fields unless something else is known.
const DEFAULT_DELIMITER: u8 = b',';

/// How files are to be read.
#[derive(Clone, Debug)]
pub struct InputRules {
    /// The byte between fields; `None` if it is `,` unless a file's first line names another.
    pub delimiter: Option<u8>,
    /// The byte around fields that contain delimiters or line breaks.
    pub quote: u8,
    /// Which lines of a file are its header and its rows.
    pub lines: LineRules,
    /// The text encoding.
    pub encoding: Encoding,
    /// Whether the first record names the columns.
    pub has_header: bool,
    /// Columns that have other names in the file.
    pub columns: ColumnMap,
    /// The decimal point of amounts, and of numbers in further columns.
    pub decimal_point: u8,
    /// How amounts are written, if not as plain numbers.
    pub amount_format: Option<AmountFormat>,
    /// Whether plain amounts such as `1.250` are rejected, which may be in thousands. Only runs of earlier hosts are
    /// replayed without this.
    pub rejects_three_decimals: bool,
    /// Which columns amounts are in.
    pub amount_columns: AmountColumns,
    /// How timestamps are written.
    pub timestamps: TimestampRules,
    /// What the files have as ids of transactions.
    pub transaction_ids: IdKind,
    /// What they have as ids of users.
    pub user_ids: IdKind,
    /// The columns that make up a timestamp, if it is more than one.
    pub timestamp_columns: Option<TimestampColumns>,
    /// The column of currencies, if they are to be kept.
    pub currency: Option<String>,
    /// How many records may be rejected.
    pub max_rejects: RejectLimit,
    /// Whether an empty file among others is an error.
    pub strict_files: bool,
    /// The number of rows in a batch, at most.
    pub batch_rows: usize,
}

/// Which lines of a file are its header and its rows. What is left out at the end is left out in this order: from
/// `stop_at` on, then `skip_last`, then the trailer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineRules {
    /// How many physical lines at the beginning are left out.
    pub skip_lines: u32,
    /// The header is the first record that has this text in a cell.
    pub header_contains: Option<String>,
    /// How many records at the end are left out.
    pub skip_last: u32,
    /// The first line that begins with this text, also after a quote, and all that follows it is left out.
    pub stop_at: Option<String>,
    /// What the last record must be.
    pub trailer: Option<Trailer>,
}

impl Default for InputRules {
    fn default() -> InputRules {
        InputRules {
            delimiter: None,
            quote: b'"',
            lines: LineRules::default(),
            encoding: Encoding::Utf8,
            has_header: true,
            columns: ColumnMap::default(),
            decimal_point: b'.',
            amount_format: None,
            rejects_three_decimals: true,
            amount_columns: AmountColumns::default(),
            timestamps: TimestampRules::default(),
            transaction_ids: IdKind::default(),
            user_ids: IdKind::default(),
            timestamp_columns: None,
            currency: None,
            max_rejects: RejectLimit::default(),
            strict_files: false,
            batch_rows: 8_192,
        }
    }
}

impl LineRules {
    /// How many records at the end are not rows.
    pub(crate) fn held_back(&self) -> usize {
        self.skip_last as usize + usize::from(self.trailer.is_some())
    }
}

impl InputRules {
    /// The characters between and around fields.
    pub(crate) fn dialect(&self) -> Dialect {
        Dialect { delimiter: self.delimiter(), quote: self.quote }
    }

    /// The byte between fields, unless a file's first line names another.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.delimiter.unwrap_or(DEFAULT_DELIMITER)
    }

    /// The columns that files do not have.
    #[must_use]
    pub fn absent(&self) -> Vec<Field> {
        [(Field::TransactionId, self.transaction_ids), (Field::UserId, self.user_ids)]
            .into_iter()
            .filter(|(_, kind)| *kind == IdKind::None)
            .map(|(field, _)| field)
            .collect()
    }

    /// An amount in hundredths, without what other cells say of its sign.
    ///
    /// # Errors
    /// The [`Problem`] with the cell.
    #[inline]
    pub fn amount_cents(&self, cell: &[u8]) -> Result<i64, Problem> {
        match &self.amount_format {
            None => {
                let cents = value::amount_cents(cell, self.decimal_point)?;
                let is_ambiguous = || thousands::is_ambiguous(cell, self.decimal_point);
                if self.rejects_three_decimals && is_ambiguous() {
                    return Err(Problem::Thousands);
                }
                Ok(cents)
            }
            Some(format) => format.cents(cell),
        }
    }

    /// A sum of amounts in hundredths: written as they are, or as a number with the same decimal point; `None` if it is
    /// neither, or may be two.
    #[must_use]
    pub fn total_cents(&self, text: &[u8]) -> Option<i128> {
        let of_format = self.amount_format.as_ref().and_then(|format| format.total_cents(text));
        let is_ambiguous =
            || self.rejects_three_decimals && thousands::is_ambiguous(text, self.decimal_point);
        of_format.or_else(|| total_cents(text, self.decimal_point).filter(|_| !is_ambiguous()))
    }

    /// Whether all columns that are needed are given by positions, as is needed without a header.
    #[must_use]
    pub fn has_all_positions(&self) -> bool {
        let is_needed = |field: Field| match field {
            Field::Amount => !matches!(self.amount_columns, AmountColumns::DebitOrCredit { .. }),
            Field::Timestamp => self.timestamp_columns.is_none(),
            Field::TransactionId | Field::UserId => !self.absent().contains(&field),
        };
        self.columns.is_all_positions(is_needed)
            && self.columns_of_options().all(|column| position_from_zero(column).is_some())
    }

    /// An option that names a column which `--column` names, too, and that column.
    #[must_use]
    pub fn column_named_twice(&self) -> Option<(&'static str, &'static str)> {
        let is_mapped = |field: Field| self.columns.get(field.name()).is_some();
        if matches!(self.amount_columns, AmountColumns::DebitOrCredit { .. }) && is_mapped(Field::Amount) {
            return Some(("--debit", Field::Amount.name()));
        }
        (self.timestamp_columns.is_some() && is_mapped(Field::Timestamp))
            .then(|| ("--timestamp-columns", Field::Timestamp.name()))
    }

    /// The columns that options of their own name.
    fn columns_of_options(&self) -> impl Iterator<Item = &str> {
        let of_amounts = match &self.amount_columns {
            AmountColumns::Amount => [None, None],
            AmountColumns::Signed(sign) => [Some(&*sign.column), None],
            AmountColumns::DebitOrCredit { debit, credit } => [Some(&**debit), Some(&**credit)],
        };
        let of_timestamps = self.timestamp_columns.iter().flat_map(TimestampColumns::iter);
        of_amounts.into_iter().flatten().chain(of_timestamps).chain(self.currency.as_deref())
    }

    /// Gives the columns that options name other names.
    pub fn rename_columns_of_options(&mut self, rename: impl Fn(&str) -> String) {
        match &mut self.amount_columns {
            AmountColumns::Amount => {}
            AmountColumns::Signed(sign) => sign.column = rename(&sign.column),
            AmountColumns::DebitOrCredit { debit, credit } => {
                (*debit, *credit) = (rename(debit), rename(credit));
            }
        }
        if let Some(columns) = &mut self.timestamp_columns {
            *columns = columns.renamed(|column| rename(column));
        }
        if let Some(column) = &mut self.currency {
            *column = rename(column);
        }
    }

    /// The part of these rules that the ledger keeps.
    #[must_use]
    pub fn reading(&self) -> Reading {
        let (debit, credit, sign) = match &self.amount_columns {
            AmountColumns::Amount => (None, None, None),
            AmountColumns::Signed(column) => (None, None, Some(column.to_string())),
            AmountColumns::DebitOrCredit { debit, credit } => {
                (Some(debit.clone()), Some(credit.clone()), None)
            }
        };
        Reading {
            delimiter: self.delimiter().into(),
            encoding: self.encoding.name().to_owned(),
            no_header: !self.has_header,
            columns: self
                .columns
                .iter()
                .map(|(name, in_file)| (name.to_owned(), in_file.to_owned()))
                .collect(),
            decimal_comma: self.decimal_point == b',',
            timestamp_format: self.timestamps.form.to_string(),
            timezone: self.timestamps.zone.as_ref().and_then(TimeZone::iana_name).map(str::to_owned),
            transaction_ids: self.transaction_ids,
            user_ids: self.user_ids,
            quote: self.quote.into(),
            timestamp_columns: self.timestamp_columns.as_ref().map(ToString::to_string),
            amount_format: self.amount_format.as_ref().map(ToString::to_string),
            rejects_three_decimals: self.rejects_three_decimals,
            debit,
            credit,
            sign,
            currency: self.currency.clone(),
            skip_lines: self.lines.skip_lines,
            header_contains: self.lines.header_contains.clone(),
            skip_last: self.lines.skip_last,
            stop_at: self.lines.stop_at.clone(),
            trailer: self.lines.trailer.as_ref().map(Trailer::to_string),
        }
    }

    /// The rules that this describes; `None` if this host does not know a name in it.
    #[must_use]
    pub fn of_reading(reading: &Reading) -> Option<InputRules> {
        let mut columns = ColumnMap::default();
        let are_distinct = reading.columns.iter().all(|(name, in_file)| columns.add(name, in_file));
        let zone = match &reading.timezone {
            Some(name) => Some(TimeZone::get(name).ok()?),
            None => None,
        };
        let decimal_point = if reading.decimal_comma { b',' } else { b'.' };
        Some(InputRules {
            // Where `,` was asked for, a run on a file that names another delimiter was refused, so the ledger has
            // none of which this is not true.
            delimiter: Some(u8::try_from(reading.delimiter).ok()?).filter(|byte| *byte != DEFAULT_DELIMITER),
            quote: u8::try_from(reading.quote).ok()?,
            lines: LineRules {
                skip_lines: reading.skip_lines,
                header_contains: reading.header_contains.clone(),
                skip_last: reading.skip_last,
                stop_at: reading.stop_at.clone(),
                trailer: reading.trailer.as_deref().map(str::parse).transpose().ok()?,
            },
            encoding: Encoding::by_name(&reading.encoding)?,
            has_header: !reading.no_header,
            columns: are_distinct.then_some(columns)?,
            decimal_point,
            amount_format: parsed(reading.amount_format.as_deref())?,
            rejects_three_decimals: reading.rejects_three_decimals,
            amount_columns: amount_columns(reading)?,
            timestamps: TimestampRules { form: reading.timestamp_format.parse().ok()?, zone, decimal_point },
            timestamp_columns: parsed(reading.timestamp_columns.as_deref())?,
            currency: reading.currency.clone(),
            transaction_ids: reading.transaction_ids,
            user_ids: reading.user_ids,
            ..InputRules::default()
        })
    }
}

/// What a text means, if there is one; `None` if it means nothing.
fn parsed<T: FromStr>(text: Option<&str>) -> Option<Option<T>> {
    text.map(|text| text.parse().ok()).map_or(Some(None), |parsed: Option<T>| parsed.map(Some))
}

fn amount_columns(reading: &Reading) -> Option<AmountColumns> {
    let sign: Option<SignColumn> = parsed(reading.sign.as_deref())?;
    match (&reading.debit, &reading.credit, sign) {
        (None, None, None) => Some(AmountColumns::Amount),
        (None, None, Some(sign)) => Some(AmountColumns::Signed(sign)),
        (Some(debit), Some(credit), None) => {
            Some(AmountColumns::DebitOrCredit { debit: debit.clone(), credit: credit.clone() })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_means_the_same_when_it_is_read_again() {
        let kept = [
            InputRules::default().reading(),
            Reading {
                delimiter: '\t',
                encoding: "windows-1252".into(),
                no_header: true,
                columns: [("amount".to_owned(), "3".to_owned()), ("city".to_owned(), "5".to_owned())].into(),
                decimal_comma: true,
                timestamp_format: "%d/%m/%Y %H:%M".into(),
                timezone: Some("Europe/Berlin".into()),
                transaction_ids: IdKind::None,
                user_ids: IdKind::Text,
                quote: '\'',
                skip_lines: 4,
                header_contains: Some("Ref".into()),
                skip_last: 1,
                stop_at: Some("Total".into()),
                trailer: Some("T,{rows}".into()),
                ..InputRules::default().reading()
            },
            Reading {
                decimal_comma: true,
                amount_format: Some("(€1.234,56)".into()),
                sign: Some("type=DR,CR".into()),
                timestamp_columns: Some("Date,Time,Zone".into()),
                currency: Some("Currency".into()),
                ..InputRules::default().reading()
            },
            Reading {
                debit: Some("Soll".into()),
                credit: Some("Haben".into()),
                ..InputRules::default().reading()
            },
        ];
        let forms = [
            "iso",
            "iso-date",
            "epoch-days",
            "epoch-hours",
            "epoch-seconds",
            "epoch-millis",
            "epoch-micros",
            "excel",
            "excel-1904",
        ];
        for form in forms {
            let reading = Reading { timestamp_format: form.into(), ..kept[0].clone() };
            assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), reading);
        }
        for reading in kept {
            assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), reading);
            let json = serde_json::to_string(&reading).unwrap();
            assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
        }
        // One without the other, and what no host has written.
        for reading in [
            Reading { debit: Some("a".into()), ..InputRules::default().reading() },
            Reading { sign: Some("a".into()), ..InputRules::default().reading() },
            Reading { amount_format: Some("1,234".into()), ..InputRules::default().reading() },
        ] {
            assert!(InputRules::of_reading(&reading).is_none(), "{reading:?}");
        }
    }

    /// The digest of a ledger row is made of its JSON, so that of earlier hosts must come out the same.
    #[test]
    fn what_earlier_hosts_kept_is_written_as_it_was() {
        let earlier = r#"{"delimiter":",","encoding":"utf-8","no_header":false,"columns":{},"decimal_comma":false,"timestamp_format":"iso","timezone":null}"#;
        let reading: Reading = serde_json::from_str(earlier).unwrap();
        let rules = InputRules::of_reading(&reading).unwrap();
        let since = Reading { rejects_three_decimals: true, ..rules.reading() };
        assert_eq!(since, InputRules::default().reading());
        assert_eq!(serde_json::to_string(&reading).unwrap(), earlier);
        // What they accepted is read as it was.
        assert_eq!((rules.amount_cents(b"1.250"), rules.total_cents(b"1.250")), (Ok(125), Some(125)));
        let rules = InputRules::default();
        assert_eq!(
            (rules.amount_cents(b"1.250"), rules.total_cents(b"1.250")),
            (Err(Problem::Thousands), None)
        );
    }

    /// The ledger's digest covers it, so it must be written as it was.
    #[test]
    fn what_earlier_hosts_kept_is_the_same() {
        let json = concat!(
            r#"{"delimiter":";","encoding":"utf-8","no_header":false,"columns":{},"decimal_comma":true,"#,
            r#""timestamp_format":"iso","timezone":null}"#
        );
        let reading: Reading = serde_json::from_str(json).unwrap();
        assert_eq!(serde_json::to_string(&reading).unwrap(), json);
        assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), reading);
    }
}
