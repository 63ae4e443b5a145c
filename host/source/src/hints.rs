//! Guesses at what was meant, for help lines. Nothing here is acted upon: a value means exactly one thing or
//! is rejected, but the user is told what may have been meant.
//!
//! Every command in a help line works when it is copied into a shell.

mod amount;

pub(crate) use self::amount::likely_formats;

use host_core::rejected::{Kind, Problem, RejectedRow, RowProblem};
use host_core::text::{nearest, printable, shell_file, shell_quoted};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::cell::excel::{self, DaySystem};
use crate::cell::timestamp::TimestampRules;
use crate::cell::{iso, pattern, value};
use crate::csv::field::{Field, LABEL_COLUMNS};

/// Delimiters that people use, as `--delimiter` takes them.
const DELIMITERS: [(char, &str); 4] = [(';', ";"), ('\t', "tab"), ('|', "|"), (',', ",")];
/// The beginning of the line that tells Excel the delimiter.
const EXCEL_HINT: &str = "sep=";
/// A byte order mark of UTF-8, read as Latin-1.
const MISREAD_MARK: &str = "ï»¿";

/// A hint for a missing column; `name` is the one by which `--column` gives it another, or the option that names it,
/// `column` the one that was looked for; `header_line` is that of a record further down that looks like the header.
pub(crate) fn on_header(name: &str, column: &str, found: &[String], header_line: Option<u64>) -> String {
    let first = found.first().map_or("", String::as_str);
    let starts_with = |beginning: &str| first.get(..beginning.len()) == Some(beginning);
    if first.get(..EXCEL_HINT.len()).is_some_and(|start| start.eq_ignore_ascii_case(EXCEL_HINT)) {
        return on_excel_hint(found);
    }
    if let Some(line) = header_line {
        return format!("line {line} looks like the header: pass `--skip-lines {}`", line - 1);
    }
    if starts_with(MISREAD_MARK) {
        return "the file begins with the byte order mark of UTF-8: leave out `--encoding`".into();
    }
    if let Some((delimiter, argument)) = other_delimiter(found) {
        let shown = delimiter.escape_debug();
        let argument = shell_quoted(argument);
        return format!("its columns look separated by `{shown}`: pass `--delimiter {argument}`");
    }
    if let Some(positions) = positions_in(found) {
        let columns: Vec<String> =
            positions.iter().map(|(field, at)| format!(" --column {}={at}", field.name())).collect();
        return format!(
            "its first line looks like a row; if there is no header, name the columns by their positions: \
             `--no-header{}`",
            columns.concat()
        );
    }
    let names = || found.iter().map(String::as_str);
    if let Some(option) = name.strip_prefix("--") {
        return match nearest(column, names()) {
            // The others name more than a column.
            Some(near) if ["debit", "credit", "currency"].contains(&option) => {
                format!("is it `{}`? Then pass `--{option} {}`", printable(near), shell_quoted(near))
            }
            Some(near) => format!("is it `{}`? Then name it so in --{option}", printable(near)),
            None => format!("name it in --{option} as the header has it"),
        };
    }
    match nearest(column, names()).or_else(|| nearest(name, names())) {
        Some(near) => {
            let argument = format!("{name}={near}");
            format!("is it `{}`? Then pass `--column {}`", printable(near), shell_quoted(&argument))
        }
        None => {
            let is_known = name.parse::<Field>().is_ok() || LABEL_COLUMNS.contains(&name);
            let asked = if is_known { "" } else { "the detector asks for it; " };
            let without = without(name).map_or(String::new(), |without| format!("; {without}"));
            format!("{asked}if it has another name, pass `--column {}=NAME`{without}", shell_quoted(name))
        }
    }
}

/// What to do about a file that has no such column at all.
pub(crate) fn without(name: &str) -> Option<&'static str> {
    match name.parse() {
        Ok(Field::TransactionId) => Some("if there is none, pass `--transaction-ids none`"),
        Ok(Field::UserId) => {
            Some("if there is none, pass `--user-ids none`, and all rows are of one user, 0")
        }
        _ => None,
    }
}

/// A line such as `sep=;` is understood, but this one was not.
fn on_excel_hint(found: &[String]) -> String {
    let delimiter = DELIMITERS.iter().find(|(known, _)| found.iter().any(|name| name.contains(*known)));
    let pass = delimiter.map(|(_, argument)| format!(", and pass `--delimiter {}`", shell_quoted(argument)));
    format!(
        "its first line begins like the one that tells Excel the delimiter (`sep=;`), but names none: leave it out \
         with `--skip-lines 1`{}",
        pass.unwrap_or_default()
    )
}

/// A delimiter that would split the header into more columns.
fn other_delimiter(found: &[String]) -> Option<(char, &'static str)> {
    let count = |delimiter: char| found.iter().map(|name| name.matches(delimiter).count()).sum::<usize>();
    let (delimiter, argument) = DELIMITERS.into_iter().max_by_key(|(delimiter, _)| count(*delimiter))?;
    let is_likely = match found.len() {
        1 => count(delimiter) > 0,
        columns => count(delimiter) > 2 * columns,
    };
    is_likely.then_some((delimiter, argument))
}

/// The likely positions of the columns, from 1, if the header looks like a row.
fn positions_in(found: &[String]) -> Option<[(Field, usize); 4]> {
    let iso = TimestampRules::default();
    let is_time =
        |cell: &String| !matches!(iso.micros(cell.as_bytes()), Err(problem) if problem != Problem::HasOffset);
    let is_id = |cell: &String| value::transaction_id(cell.as_bytes()).is_ok();
    let is_amount =
        |cell: &String| [b'.', b','].iter().any(|point| value::amount_cents(cell.as_bytes(), *point).is_ok());
    if found.iter().filter(|cell| is_time(cell) || is_id(cell) || is_amount(cell)).count() < 2 {
        return None;
    }
    let mut free: Vec<usize> = (0..found.len()).collect();
    let mut take = |fits: &dyn Fn(&String) -> bool| {
        let place = free.iter().position(|at| fits(&found[*at]))?;
        Some(free.remove(place) + 1)
    };
    let timestamp = take(&is_time);
    let amount = take(&|cell| is_amount(cell) && !is_id(cell));
    let (transaction_id, user_id) = (take(&is_id), take(&is_id));
    let amount = amount.or_else(|| take(&is_amount));
    Some([
        (Field::TransactionId, transaction_id.unwrap_or(1)),
        (Field::UserId, user_id.unwrap_or(2)),
        (Field::Amount, amount.unwrap_or(3)),
        (Field::Timestamp, timestamp.unwrap_or(4)),
    ])
}

/// What may have been meant by an invalid record.
pub(crate) fn on_row(row: &RejectedRow) -> Option<String> {
    on_total(row).or_else(|| on_problem(row))
}

/// How a line begins that sums up those above it, in lower case.
const TOTALS: [&str; 5] = ["total", "grand total", "sum", "summe", "gesamt"];
/// A longer beginning is not proposed.
const MAX_BEGINNING_BYTES: usize = 40;

fn on_total(row: &RejectedRow) -> Option<String> {
    let line = row.raw.strip_prefix(b"\"").unwrap_or(&row.raw);
    let cell = line.split(|byte| *byte == row.delimiter || *byte == b'"').next()?;
    let beginning = str::from_utf8(cell).ok().filter(|text| text.len() <= MAX_BEGINNING_BYTES)?.trim_end();
    let is_total = TOTALS.iter().any(|total| beginning.to_lowercase().starts_with(total));
    is_total.then(|| {
        let argument = shell_quoted(beginning);
        format!("if that is a total and not a row, `--stop-at {argument}` leaves out it and what follows")
    })
}

fn on_problem(row: &RejectedRow) -> Option<String> {
    match &row.problem {
        RowProblem::FieldCount { expected, found } => on_line(row, *expected, *found),
        RowProblem::Value { kind, problem, .. } if is_of_database(*problem) => {
            Some(on_no_row(*kind, *problem, row.column.as_deref().unwrap_or_default()))
        }
        RowProblem::Value { kind: Kind::Timestamp, value, problem } => on_timestamp(value, *problem),
        RowProblem::Value { kind: Kind::TransactionId, value, problem } => on_transaction_id(value, *problem),
        RowProblem::Value { kind: Kind::UserId, value, problem } => on_user_id(value, *problem),
        RowProblem::Value { kind: Kind::Amount, value, problem: Problem::OutOfRange(_) } => {
            let fits = |point| value::amount_cents(value, point).is_ok();
            (fits(b'.') || fits(b',')).then(|| {
                format!("`amount` of both tables can be widened: `{}`", widened("amount", "DECIMAL(19, 2)"))
            })
        }
        RowProblem::Value { kind: Kind::Amount, value, problem } => amount::hint(value, *problem),
        RowProblem::Value { .. } => None,
    }
}

/// Whether it is not the cell that is at fault, but what the database has.
fn is_of_database(problem: Problem) -> bool {
    matches!(problem, Problem::NoSuchRow | Problem::SeveralRows | Problem::OfNoRun)
}

/// For an id that is not exactly one row's; `column` is its column in the file.
fn on_no_row(kind: Kind, problem: Problem, column: &str) -> String {
    match (problem, kind) {
        (Problem::NoSuchRow, Kind::TransactionId) => {
            let argument = shell_quoted(&format!("source_id={column}")).into_owned();
            format!("if these are the ids that the rows had in their own files, pass `--column {argument}`")
        }
        (Problem::NoSuchRow, _) => "has the file with that row been ingested?".into(),
        (Problem::SeveralRows, _) => "name such rows by their `transaction_id`".into(),
        _ => "feedback is for rows that a run has written".into(),
    }
}

/// Whether it may be an id of another kind.
fn is_other_id(problem: Problem) -> bool {
    matches!(problem, Problem::Unexpected(_) | Problem::OutOfRange(_) | Problem::Incomplete)
}

fn on_transaction_id(value: &[u8], problem: Problem) -> Option<String> {
    const TEXTS: &str = "ids that are not such numbers are read with `--transaction-ids text`, unless they are to be kept as keys";
    match problem {
        // It is a number of 64 bits, and is to be the key.
        Problem::OutOfRange(_) if value::transaction_id(value).is_ok() => Some(format!(
            "`transaction_id` of both tables can be widened: `{}`",
            widened("transaction_id", "BIGINT")
        )),
        problem => is_other_id(problem).then(|| TEXTS.into()),
    }
}

fn on_user_id(value: &[u8], problem: Problem) -> Option<String> {
    const TEXTS: &str = "ids that are not such numbers are read with `--user-ids text`";
    match problem {
        // It is a number of 64 bits.
        Problem::OutOfRange(_) if value::user_id(value).is_ok_and(|id| id > 0) => Some(format!(
            "`user_id` of both tables can be widened: `{}`; or read ids as texts: `--user-ids text`",
            widened("user_id", "BIGINT")
        )),
        problem => is_other_id(problem).then(|| TEXTS.into()),
    }
}

/// Statements that give a column of both tables this type.
fn widened(column: &str, to: &str) -> String {
    format!(
        "ALTER TABLE transactions ALTER {column} TYPE {to}; ALTER TABLE anomalies ALTER {column} TYPE {to}"
    )
}

fn on_line(row: &RejectedRow, expected: usize, found: usize) -> Option<String> {
    let filled_with = |byte: u8| row.raw.iter().all(|other| *other == byte);
    let without = |what: &str, code: &str| {
        let file = shell_file(&row.file);
        Some(format!("{what}: remove it, for instance with `tr -d '{code}' < {file} > without.csv`"))
    };
    if filled_with(b'\x1a') {
        return without("the line is the mark (^Z) that ends a file on DOS", r"\032");
    }
    if filled_with(0) {
        return without(
            "the line consists of zero bytes, as in a file that was not written to its end",
            r"\000",
        );
    }
    let ends_in_delimiter = row.raw.last().is_some_and(|last| b",;|\t".contains(last));
    (found == expected + 1 && ends_in_delimiter)
        .then(|| "the line ends in a delimiter, and the header does not".into())
}

/// The strptime patterns of formats in common use.
const PATTERNS: [&str; 18] = [
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d %H:%M:%S%.f",
    "%d.%m.%Y",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d/%m/%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M:%S",
    "%m/%d/%Y %H:%M:%S",
    "%m/%d/%Y %I:%M:%S %p",
    "%m/%d/%Y %I:%M %p",
    "%d %b %Y %H:%M:%S",
    "%d-%b-%Y %H:%M:%S",
];
/// Longer cells are not taken for times.
const MAX_TIME_BYTES: usize = 64;

fn on_timestamp(cell: &[u8], problem: Problem) -> Option<String> {
    match problem {
        Problem::HasOffset => {
            return Some("pass `--timezone UTC`, or the zone whose local time is to be stored".into());
        }
        Problem::UnknownZone => {
            return Some(
                "`Z`, `UTC` and offsets are understood, and names such as `Europe/Berlin` with \
                 `--timestamp-format '%Y-%m-%d %H:%M:%S %Q'`"
                    .into(),
            );
        }
        Problem::NoSuch(_) | Problem::Ambiguous | Problem::FinerThanMicroseconds => return None,
        _ => {}
    }
    let text = str::from_utf8(cell).ok().filter(|text| text.len() <= MAX_TIME_BYTES)?.trim();
    if let Some(meaning) = on_number(text) {
        return Some(meaning);
    }
    if iso::parse_date(text.as_bytes()).is_ok() {
        return Some("dates without a time are read, as midnight, with `--date-only`".into());
    }
    let fitting: Vec<String> = PATTERNS
        .iter()
        .filter(|pattern| pattern::read(text.as_bytes(), pattern).is_ok())
        .map(|pattern| format!("`--timestamp-format {}`", shell_quoted(pattern)))
        .collect();
    (!fitting.is_empty()).then(|| format!("times of this form are read with {}", fitting.join(" or ")))
}

/// A number where a time should be.
fn on_number(text: &str) -> Option<String> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if whole.is_empty() || !(whole.bytes().chain(decimals.bytes())).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (unit, form) = match (whole.len(), decimals) {
        (9 | 10, "") => ("seconds", "epoch-seconds"),
        (9 | 10, _) => ("seconds", "'%s%.f'"),
        (12 | 13, "") => ("milliseconds", "epoch-millis"),
        (15 | 16, "") => ("microseconds", "epoch-micros"),
        (14, "") => return Some("times of this form are read with `--timestamp-format %Y%m%d%H%M%S`".into()),
        (8, "") => return Some("times of this form are read with `--timestamp-format %Y%m%d`".into()),
        (5, _) => return on_day_number(text),
        (1..=4, "") => {
            return Some(
                "counts of hours or days since 1970 are read with `--timestamp-format epoch-hours` or \
                 `--timestamp-format epoch-days`"
                    .into(),
            );
        }
        _ => return None,
    };
    Some(format!("{unit} since 1970 are read with `--timestamp-format {form}`"))
}

/// Days as spreadsheets count them.
fn on_day_number(text: &str) -> Option<String> {
    let micros = excel::micros(text.as_bytes(), DaySystem::From1900, b'.').ok()?;
    let time = Timestamp::from_microsecond(micros).ok()?.to_zoned_datetime(TimeZone::UTC);
    let shown = time.strftime("%Y-%m-%d %H:%M:%S");
    Some(format!("as Excel's day number it would be {shown}; these are read with `--timestamp-format excel`"))
}

/// Delimiters that people use, and how `--delimiter` takes them.
pub(crate) fn delimiters() -> impl Iterator<Item = (char, &'static str)> {
    DELIMITERS.into_iter()
}

/// The strptime patterns of formats in common use.
pub(crate) fn patterns() -> impl Iterator<Item = &'static str> {
    PATTERNS.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(found: &[&str]) -> String {
        let found: Vec<String> = found.iter().map(|name| (*name).to_owned()).collect();
        on_header("user_id", "user_id", &found, None)
    }

    #[test]
    fn headers() {
        assert_eq!(
            header(&["transaction_id;user_id;amount;timestamp"]),
            "its columns look separated by `;`: pass `--delimiter ';'`"
        );
        assert!(header(&["a\tb"]).ends_with("pass `--delimiter tab`"));
        assert!(header(&["a|b"]).ends_with("pass `--delimiter '|'`"));
        assert!(header(&["a,b;c"]).contains("--delimiter"));
        assert!(header(&["sep=;;"]).ends_with("with `--skip-lines 1`, and pass `--delimiter ';'`"));
        assert!(header(&["sep=", ""]).ends_with("with `--skip-lines 1`"));
        let preamble = [String::from("Account: 7")];
        assert!(on_header("user_id", "user_id", &preamble, Some(6)).ends_with("pass `--skip-lines 5`"));
        assert!(header(&["ï»¿user_id", "b"]).ends_with("leave out `--encoding`"));
        let positions = "`--no-header --column transaction_id=2 --column user_id=3 --column amount=4 --column timestamp=1`";
        assert!(header(&["2024-01-01 00:00:00", "5", "7", "1.50"]).ends_with(positions));
        assert!(header(&["2024-01-01 00:00:00Z", "5", "7", "1"]).ends_with(positions));
        assert_eq!(header(&["a", "User Id"]), "is it `User Id`? Then pass `--column 'user_id=User Id'`");
        let neither = "if it has another name, pass `--column user_id=NAME`; if there is none, pass `--user-ids none`, and all rows are of one user, 0";
        assert_eq!(header(&["a", "b"]), neither);
        assert_eq!(header(&["a b; c", "d"]), neither);
    }

    #[test]
    fn a_column_that_an_option_names() {
        let found = ["Betrag Soll".to_owned(), "x".to_owned()];
        assert_eq!(
            on_header("--debit", "Betrag_Soll", &found, None),
            "is it `Betrag Soll`? Then pass `--debit 'Betrag Soll'`"
        );
        assert_eq!(
            on_header("--sign", "Betrag_Soll", &found, None),
            "is it `Betrag Soll`? Then name it so in --sign"
        );
        assert_eq!(
            on_header("--currency", "Currency", &found, None),
            "name it in --currency as the header has it"
        );
    }

    #[test]
    fn a_name_that_was_given_is_not_taken_for_the_columns_own() {
        let found = ["User Id".to_owned(), "x".to_owned()];
        for given in ["User_ID", "nothing like it"] {
            let help = on_header("user_id", given, &found, None);
            assert_eq!(help, "is it `User Id`? Then pass `--column 'user_id=User Id'`");
        }
        for given in ["user_idd", "User_Ids"] {
            assert!(
                on_header("user_idd", given, &found, None).contains("pass `--column 'user_idd=User Id'`")
            );
        }
    }

    #[test]
    fn timestamps() {
        let cases = [
            ("45292.5563657407", Problem::Unexpected('2'), "2024-01-01 13:21:10"),
            ("45292", Problem::Unexpected('2'), "2024-01-01 00:00:00"),
            ("1704115270", Problem::Unexpected('1'), "epoch-seconds"),
            ("1704115270123", Problem::Unexpected('1'), "epoch-millis"),
            ("1704115270123456", Problem::Unexpected('1'), "epoch-micros"),
            ("1704115270.5", Problem::Unexpected('1'), "'%s%.f'"),
            ("20240101", Problem::Unexpected('0'), "%Y%m%d`"),
            ("2024-01-01", Problem::Incomplete, "`--date-only`"),
            ("2024-01-01 13:21", Problem::Incomplete, "`--timestamp-format '%Y-%m-%d %H:%M'`"),
            ("31/12/2023", Problem::Unexpected('/'), "with `--timestamp-format %d/%m/%Y`"),
            ("01/02/2023", Problem::Unexpected('/'), "%d/%m/%Y` or `--timestamp-format %m/%d/%Y`"),
            ("01/02/2023 01:30 PM", Problem::OtherForm, "'%m/%d/%Y %I:%M %p'"),
            ("2024-01-01 00:00:00 CET", Problem::UnknownZone, "%Q"),
            ("2024-01-01 00:00:00Z", Problem::HasOffset, "--timezone UTC"),
        ];
        for (cell, problem, expected) in cases {
            let hint = on_timestamp(cell.as_bytes(), problem).unwrap_or_default();
            assert!(hint.contains(expected), "{cell}: {hint}");
        }
        for nothing in ["", "NaN", "99999999999999999999", "2024-02-30", "x"] {
            assert_eq!(on_timestamp(nothing.as_bytes(), Problem::Incomplete), None, "{nothing}");
        }
    }

    #[test]
    fn totals() {
        let hint = |raw: &str, delimiter| {
            let problem = RowProblem::FieldCount { expected: 4, found: 2 };
            let (file, line, byte_offset) = ("f".into(), 9, 99);
            let (header, column, raw) = (None, None, raw.as_bytes().to_vec());
            on_row(&RejectedRow {
                file,
                file_position: 1,
                header,
                delimiter,
                line,
                byte_offset,
                column,
                problem,
                raw,
            })
        };
        for (raw, delimiter, argument) in [
            ("Total,,5.00,", b',', "`--stop-at Total` "),
            ("\"Grand Total\";5.00", b';', "`--stop-at 'Grand Total'` "),
            ("SUMME 2024 ;5,00", b';', "`--stop-at 'SUMME 2024'` "),
        ] {
            assert!(hint(raw, delimiter).is_some_and(|hint| hint.contains(argument)), "{raw}");
        }
        for raw in ["1,7", "a Total,5.00", ",Total", " Total"] {
            assert_eq!(hint(raw, b','), None, "{raw}");
        }
    }

    /// A help line must not suggest what would be a usage error.
    #[test]
    fn patterns_that_are_proposed_are_valid() {
        for pattern in PATTERNS.iter().chain(&["%s%.f", "%Y%m%d%H%M%S", "%Y%m%d", "%Y-%m-%d %H:%M:%S %Q"]) {
            assert_eq!(pattern::check(pattern), Ok(()), "{pattern}");
        }
    }
}
