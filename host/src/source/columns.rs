//! The header line: which field of a record is which column. Columns are found by name, in any
//! order and case, with blanks around a name ignored; columns that nobody asked for are ignored.

use std::path::Path;

use csv::ByteRecord;

use super::SourceError;

/// Names under which each of the four columns is known; the first is its own.
const TRANSACTION_ID: &[&str] = &["transaction_id"];
const USER_ID: &[&str] = &["user_id"];
const AMOUNT: &[&str] = &["amount"];
const TIMESTAMP: &[&str] = &["timestamp", "transaction_timestamp"];

/// Where each column's field is in a record, from 0.
#[derive(Debug)]
pub struct Columns {
    /// All names as they stand in the file.
    pub names: Vec<String>,
    pub transaction_id: usize,
    pub user_id: usize,
    pub amount: usize,
    pub timestamp: usize,
    /// Of the columns that the detector asked for, in its order.
    pub attributes: Vec<usize>,
}

impl Columns {
    /// Finds the columns in the header record.
    pub fn find(file: &Path, header: &ByteRecord, attributes: &[String]) -> Result<Columns, SourceError> {
        let names: Vec<String> =
            header.iter().map(|name| String::from_utf8_lossy(name).trim().to_owned()).collect();
        let of = |wanted: &[&str], for_detector| position(file, &names, wanted, for_detector);
        Ok(Columns {
            transaction_id: of(TRANSACTION_ID, false)?,
            user_id: of(USER_ID, false)?,
            amount: of(AMOUNT, false)?,
            timestamp: of(TIMESTAMP, false)?,
            attributes: attributes.iter().map(|name| of(&[name.as_str()], true)).collect::<Result<_, _>>()?,
            names,
        })
    }
}

fn position(
    file: &Path,
    names: &[String],
    wanted: &[&str],
    for_detector: bool,
) -> Result<usize, SourceError> {
    let mut places = names
        .iter()
        .enumerate()
        .filter(|(_, name)| wanted.iter().any(|wanted| name.eq_ignore_ascii_case(wanted)))
        .map(|(place, _)| place);
    match (places.next(), places.next()) {
        (Some(place), None) => Ok(place),
        (Some(first), Some(second)) => Err(SourceError::DuplicateColumn {
            file: file.to_owned(),
            column: wanted[0].to_owned(),
            first: first + 1,
            second: second + 1,
        }),
        (None, _) => Err(SourceError::MissingColumn {
            file: file.to_owned(),
            column: wanted[0].to_owned(),
            found: names.to_vec(),
            for_detector,
        }),
    }
}
