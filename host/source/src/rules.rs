//! How files are to be read; and the part of these rules that determines a file's values, in a form that the
//! ledger keeps and that can be read back.

use host_core::facts::Reading;
use jiff::tz::TimeZone;

use crate::cell::timestamp::TimestampRules;
use crate::csv::field::ColumnMap;
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
    /// How timestamps are written.
    pub timestamps: TimestampRules,
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
            lines: LineRules::default(),
            encoding: Encoding::Utf8,
            has_header: true,
            columns: ColumnMap::default(),
            decimal_point: b'.',
            timestamps: TimestampRules::default(),
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
    /// The byte between fields, unless a file's first line names another.
    #[must_use]
    pub fn delimiter(&self) -> u8 {
        self.delimiter.unwrap_or(DEFAULT_DELIMITER)
    }

    /// The part of these rules that the ledger keeps.
    #[must_use]
    pub fn reading(&self) -> Reading {
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
        Some(InputRules {
            // Where `,` was asked for, a run on a file that names another delimiter was refused, so the ledger has
            // none of which this is not true.
            delimiter: Some(u8::try_from(reading.delimiter).ok()?).filter(|byte| *byte != DEFAULT_DELIMITER),
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
            decimal_point: if reading.decimal_comma { b',' } else { b'.' },
            timestamps: TimestampRules { form: reading.timestamp_format.parse().ok()?, zone },
            ..InputRules::default()
        })
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
                skip_lines: 4,
                header_contains: Some("Ref".into()),
                skip_last: 1,
                stop_at: Some("Total".into()),
                trailer: Some("T,{rows}".into()),
            },
        ];
        for form in ["iso", "epoch-seconds", "epoch-millis", "epoch-micros"] {
            let reading = Reading { timestamp_format: form.into(), ..kept[0].clone() };
            assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), reading);
        }
        for reading in kept {
            assert_eq!(InputRules::of_reading(&reading).unwrap().reading(), reading);
            let json = serde_json::to_string(&reading).unwrap();
            assert_eq!(serde_json::from_str::<Reading>(&json).unwrap(), reading);
        }
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
