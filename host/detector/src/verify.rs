//! The gate for everything that a guest returns. What passes is safe to store and to show; anything else is a
//! [`Violation`], which ends the run.

use host_core::anomaly::Anomaly;
use host_core::column::{ColumnRequest, is_same};
use host_core::state::State;
use host_core::text::{is_unprintable, printable_up_to};
use thiserror::Error;

use crate::contract::settings::{MAX_VALUE_BYTES, is_of_kind};
use crate::contract::types::{Metadata, Ordering};

/// The longest reason, in bytes; the contract says so.
pub const MAX_REASON_BYTES: usize = 1_000;
/// The largest part of a state, in bytes; the contract says so.
pub const MAX_STATE_PART_BYTES: usize = 16 << 20;
const MAX_STATE_PARTS: u32 = 1_000_000;
/// Of all parts of an instance.
const MAX_STATE_BYTES: usize = 1 << 30;
const MAX_NAME_BYTES: usize = 64;
const MAX_DESCRIPTION_BYTES: usize = 4_096;
const MAX_SETTINGS: usize = 100;
const MAX_COLUMNS: usize = 100;

/// The rule of the contract that a guest broke.
#[derive(Debug, Error, PartialEq)]
#[non_exhaustive]
pub enum Violation {
    /// More anomalies than rows, or more than allowed.
    #[error("it returned {found} anomalies; at most {allowed} are allowed")]
    TooMany {
        /// Anomalies returned.
        found: usize,
        /// The rows of the batch, or the limit if that is lower.
        allowed: usize,
    },
    /// An index beyond the batch.
    #[error("it flagged row {row} of a batch that has {rows} (counted from 0)")]
    OutOfRange {
        /// The index.
        row: u32,
        /// Rows of the batch.
        rows: usize,
    },
    /// Not strictly increasing.
    #[error("it flagged row {row} after row {previous}; anomalies must be strictly increasing by row")]
    Order {
        /// The index.
        row: u32,
        /// The one before it.
        previous: u32,
    },
    /// NaN or infinite.
    #[error("it gave row {row} the score {score}; scores must be finite")]
    Score {
        /// The index.
        row: u32,
        /// The score.
        score: f64,
    },
    /// A reason that is too long.
    #[error("it gave row {row} a reason of {bytes} bytes; at most {MAX_REASON_BYTES} are allowed")]
    LongReason {
        /// The index.
        row: u32,
        /// The reason's length.
        bytes: usize,
    },
    /// A reason that is not one line of printable text.
    #[error("it gave row {row} a reason with the character {}; reasons are one line of printable text", .character.escape_unicode())]
    UnprintableReason {
        /// The index.
        row: u32,
        /// The character.
        character: char,
    },
    /// Not one score per row.
    #[error("it gave {found} scores for {rows} rows")]
    ScoreCount {
        /// Scores returned.
        found: usize,
        /// Rows of the batch.
        rows: usize,
    },
    /// A state that is not one.
    #[error("its state has {what}")]
    State {
        /// What is wrong with it.
        what: String,
    },
    /// An invalid description of itself.
    #[error("it describes itself with {what}")]
    Metadata {
        /// What is wrong with it.
        what: String,
    },
}

/// Checks the anomalies of a batch of `rows` rows, of which at most `limit` may be anomalous.
///
/// # Errors
/// The first rule that is broken.
pub fn anomalies(found: &[Anomaly], rows: usize, limit: usize) -> Result<(), Violation> {
    let allowed = rows.min(limit);
    if found.len() > allowed {
        return Err(Violation::TooMany { found: found.len(), allowed });
    }
    let mut previous = None;
    for &Anomaly { row, score, ref reason } in found {
        if usize::try_from(row).map_or(true, |index| index >= rows) {
            return Err(Violation::OutOfRange { row, rows });
        }
        if let Some(previous) = previous.filter(|&previous| previous >= row) {
            return Err(Violation::Order { row, previous });
        }
        if !score.is_finite() {
            return Err(Violation::Score { row, score });
        }
        if reason.len() > MAX_REASON_BYTES {
            return Err(Violation::LongReason { row, bytes: reason.len() });
        }
        if let Some(character) = reason.chars().find(|&character| is_unprintable(character)) {
            return Err(Violation::UnprintableReason { row, character });
        }
        previous = Some(row);
    }
    Ok(())
}

/// Checks what a detector says about itself.
///
/// # Errors
/// The first rule that is broken.
pub fn metadata(metadata: &Metadata) -> Result<(), Violation> {
    name("the name", &metadata.name)?;
    line("the version", &metadata.version, MAX_NAME_BYTES)?;
    text("a description", &metadata.description, MAX_DESCRIPTION_BYTES)?;
    let settings = &metadata.settings;
    if settings.len() > MAX_SETTINGS {
        return violation(format!("{} settings; at most {MAX_SETTINGS} are allowed", settings.len()));
    }
    for (i, setting) in settings.iter().enumerate() {
        name("the setting", &setting.name)?;
        if settings[..i].iter().any(|other| other.name == setting.name) {
            return violation(format!("the setting `{}` twice", setting.name));
        }
        text("a setting's documentation", &setting.doc, MAX_DESCRIPTION_BYTES)?;
        if let Some(default) = &setting.default {
            text("a setting's default", default, MAX_VALUE_BYTES)?;
            if !is_of_kind(default, setting.kind) {
                return violation(format!(
                    "the default `{}` for the setting `{}`, which is not of its kind",
                    printable_up_to(default, MAX_NAME_BYTES),
                    setting.name
                ));
            }
        }
    }
    Ok(())
}

/// Checks which further columns a detector asks for.
///
/// # Errors
/// The first rule that is broken.
pub fn columns(requests: &[ColumnRequest]) -> Result<(), Violation> {
    if requests.len() > MAX_COLUMNS {
        return violation(format!("{} columns; at most {MAX_COLUMNS} are allowed", requests.len()));
    }
    for (i, request) in requests.iter().enumerate() {
        line("a column's name", &request.name, MAX_NAME_BYTES)?;
        if requests[..i].iter().any(|other| is_same(&other.name, &request.name)) {
            return violation(format!("the column `{}` twice", request.name));
        }
    }
    Ok(())
}

/// Checks the scores of a batch of `rows` rows.
///
/// # Errors
/// The first rule that is broken.
pub fn scores(scores: &[f64], rows: usize) -> Result<(), Violation> {
    if scores.len() != rows {
        return Err(Violation::ScoreCount { found: scores.len(), rows });
    }
    match (0..).zip(scores).find(|(_, score)| !score.is_finite()) {
        Some((row, &score)) => Err(Violation::Score { row, score }),
        None => Ok(()),
    }
}

/// Checks a part of what a detector with this ordering has learned.
///
/// # Errors
/// The first rule that is broken.
pub fn state(state: &State, ordering: Ordering) -> Result<(), Violation> {
    let State { shared, users, ends, bytes } = state;
    let broken = |what: String| Err(Violation::State { what });
    if shared.is_some() && ordering != Ordering::File {
        return broken("something shared, which only the ordering `file` allows".into());
    }
    if ordering == Ordering::Any && !users.is_empty() {
        return broken("users, although each row is judged by itself".into());
    }
    if users.len() != ends.len() {
        return broken(format!("{} users and {} ends", users.len(), ends.len()));
    }
    if let Some([one, next]) = users.array_windows().find(|[one, next]| one >= next) {
        return broken(format!("user {next} after {one}; users must be strictly increasing"));
    }
    if !ends.is_sorted() || ends.last().copied().unwrap_or_default() as usize != bytes.len() {
        return broken(format!("ends that do not divide its {} bytes", bytes.len()));
    }
    Ok(())
}

/// How much an instance may pass on in one run: more than it can have learned, and little enough that it ends.
#[derive(Debug)]
pub struct StateAllowance {
    parts: u32,
    bytes: usize,
}

impl Default for StateAllowance {
    fn default() -> StateAllowance {
        StateAllowance { parts: MAX_STATE_PARTS, bytes: MAX_STATE_BYTES }
    }
}

impl StateAllowance {
    /// Counts a part of a state.
    ///
    /// # Errors
    /// If it is one too many.
    pub fn take(&mut self, part: &State) -> Result<(), Violation> {
        let left = self.parts.checked_sub(1).zip(self.bytes.checked_sub(part.size_bytes()));
        let Some((parts, bytes)) = left else {
            let what = format!("more than {MAX_STATE_PARTS} parts or {} MiB", MAX_STATE_BYTES >> 20);
            return Err(Violation::State { what });
        };
        *self = StateAllowance { parts, bytes };
        Ok(())
    }
}

/// Lower-case words joined by hyphens.
fn name(what: &str, name: &str) -> Result<(), Violation> {
    line(what, name, MAX_NAME_BYTES)?;
    let word = |word: &str| {
        !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
    };
    if name.split('-').all(word) {
        Ok(())
    } else {
        violation(format!("{what} `{name}`; names are lower-case words joined by hyphens"))
    }
}

/// One line of printable text that is not empty.
fn line(what: &str, line: &str, max_bytes: usize) -> Result<(), Violation> {
    if line.trim().is_empty() {
        return violation(format!("{what} empty"));
    }
    if line.contains('\n') {
        return violation(format!("{what} of more than one line"));
    }
    text(what, line, max_bytes)
}

/// Printable text, possibly of several lines.
fn text(what: &str, text: &str, max_bytes: usize) -> Result<(), Violation> {
    if text.len() > max_bytes {
        return violation(format!("{what} of {} bytes; at most {max_bytes} are allowed", text.len()));
    }
    match text.chars().find(|&character| character != '\n' && is_unprintable(character)) {
        Some(character) => violation(format!("{what} that has the character {}", character.escape_unicode())),
        None => Ok(()),
    }
}

fn violation(what: String) -> Result<(), Violation> {
    Err(Violation::Metadata { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::types::{SettingDescription, SettingKind};

    fn anomaly(row: u32, score: f64, reason: &str) -> Anomaly {
        Anomaly { row, score, reason: reason.into() }
    }

    #[test]
    fn good_answers_pass() {
        let longest = "x".repeat(MAX_REASON_BYTES);
        let found = [anomaly(0, -1.5, ""), anomaly(1, 0.0, "ünïcode 🦀"), anomaly(9, f64::MAX, &longest)];
        assert_eq!(anomalies(&found, 10, 3), Ok(()));
        assert_eq!(anomalies(&found, 10, 2), Err(Violation::TooMany { found: 3, allowed: 2 }));
        assert_eq!(anomalies(&[], 0, 0), Ok(()));
    }

    #[test]
    fn every_rule_is_kept() {
        let long = "x".repeat(MAX_REASON_BYTES + 1);
        let unprintable = |character| Violation::UnprintableReason { row: 0, character };
        let cases: Vec<(Vec<Anomaly>, Violation)> = vec![
            (vec![anomaly(0, 0.0, ""); 3], Violation::TooMany { found: 3, allowed: 2 }),
            (vec![anomaly(2, 0.0, "")], Violation::OutOfRange { row: 2, rows: 2 }),
            (vec![anomaly(u32::MAX, 0.0, "")], Violation::OutOfRange { row: u32::MAX, rows: 2 }),
            (vec![anomaly(1, 0.0, ""), anomaly(0, 0.0, "")], Violation::Order { row: 0, previous: 1 }),
            (vec![anomaly(1, 0.0, ""), anomaly(1, 0.0, "")], Violation::Order { row: 1, previous: 1 }),
            (vec![anomaly(0, f64::INFINITY, "")], Violation::Score { row: 0, score: f64::INFINITY }),
            (vec![anomaly(0, 0.0, &long)], Violation::LongReason { row: 0, bytes: long.len() }),
            (vec![anomaly(0, 0.0, "a\0b")], unprintable('\0')),
            (vec![anomaly(0, 0.0, "\x1b[31m")], unprintable('\x1b')),
            (vec![anomaly(0, 0.0, "two\nlines")], unprintable('\n')),
            (vec![anomaly(0, 0.0, "\u{202e}")], unprintable('\u{202e}')),
        ];
        for (found, violation) in cases {
            assert_eq!(anomalies(&found, 2, usize::MAX), Err(violation));
        }
        assert!(matches!(anomalies(&[anomaly(0, f64::NAN, "")], 2, 2), Err(Violation::Score { row: 0, .. })));
    }

    #[test]
    fn a_description_must_describe() {
        let good = Metadata {
            name: "z-score2".into(),
            version: "1.0.0".into(),
            description: "Two\nlines.".into(),
            settings: vec![SettingDescription {
                name: "limit".into(),
                kind: SettingKind::Decimal,
                default: Some("500".into()),
                doc: "A limit.".into(),
            }],
            ordering: Ordering::Any,
        };
        assert_eq!(metadata(&good), Ok(()));
        type Spoil = fn(&mut Metadata);
        let spoils: &[(&str, Spoil)] = &[
            ("no name", |m| m.name.clear()),
            ("upper case", |m| m.name = "ZScore".into()),
            ("a path", |m| m.name = "../x".into()),
            ("a long name", |m| m.name = "a".repeat(65)),
            ("no version", |m| m.version = " ".into()),
            ("an escape", |m| m.version = "1\x1b[0m".into()),
            ("a book", |m| m.description = "a".repeat(5000)),
            ("NUL", |m| m.description = "a\0".into()),
            ("a setting twice", |m| m.settings.push(m.settings[0].clone())),
            ("too many settings", |m| m.settings = vec![m.settings[0].clone(); 101]),
            ("a wrong default", |m| m.settings[0].default = Some("much".into())),
        ];
        for (what, spoil) in spoils {
            let mut spoilt = good.clone();
            spoil(&mut spoilt);
            assert!(matches!(metadata(&spoilt), Err(Violation::Metadata { .. })), "{what}");
        }
    }

    #[test]
    fn columns_are_few_and_different() {
        let named =
            |names: &[&str]| columns(&names.iter().map(|name| ColumnRequest::text(name)).collect::<Vec<_>>());
        let many: Vec<String> = (0..=MAX_COLUMNS).map(|i| format!("column {i}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(named(&["city", "Straße", "other city"]), Ok(()));
        assert_eq!(named(&many[..MAX_COLUMNS]), Ok(()));
        let long = "a".repeat(MAX_NAME_BYTES + 1);
        for bad in [
            &many[..],
            &["city", "city"],
            &["city", " CITY "],
            &["É", "é"],
            &[" "],
            &["a\nb"],
            &["a\0"],
            &[&long],
        ] {
            assert!(matches!(named(bad), Err(Violation::Metadata { .. })), "{bad:?}");
        }
    }

    #[test]
    fn scores_are_one_a_row() {
        assert_eq!(scores(&[0.0, -1.0], 2), Ok(()));
        assert_eq!(scores(&[0.0], 2), Err(Violation::ScoreCount { found: 1, rows: 2 }));
        assert_eq!(scores(&[0.0; 3], 2), Err(Violation::ScoreCount { found: 3, rows: 2 }));
        let infinite = Violation::Score { row: 1, score: f64::INFINITY };
        assert_eq!(scores(&[0.0, f64::INFINITY], 2), Err(infinite));
    }

    #[test]
    fn a_state_comes_to_an_end() {
        let part = |bytes| State { shared: Some(vec![0; bytes]), ..State::default() };
        let mut allowance = StateAllowance::default();
        let parts = MAX_STATE_BYTES / MAX_STATE_PART_BYTES;
        assert!((0..parts).all(|_| allowance.take(&part(MAX_STATE_PART_BYTES)).is_ok()));
        assert!(allowance.take(&part(1)).is_err());
        let mut allowance = StateAllowance::default();
        assert!((0..MAX_STATE_PARTS).all(|_| allowance.take(&part(0)).is_ok()));
        assert!(allowance.take(&part(0)).is_err());
    }

    #[test]
    fn a_state_divides_its_bytes() {
        use Ordering::{Any, File, PerUser};
        let of = |shared: Option<&[u8]>, users: &[i64], ends: &[u32], bytes: &[u8]| State {
            shared: shared.map(<[u8]>::to_vec),
            users: users.to_vec(),
            ends: ends.to_vec(),
            bytes: bytes.to_vec(),
        };
        let good = of(None, &[i64::MIN, 0, 7], &[2, 2, 3], b"abc");
        for (ordering, state, is_good) in [
            (Any, of(None, &[], &[], b""), true),
            (PerUser, good.clone(), true),
            (File, State { shared: Some(Vec::new()), ..good.clone() }, true),
            (PerUser, State { shared: Some(Vec::new()), ..good.clone() }, false),
            (Any, good.clone(), false),
            (PerUser, of(None, &[1, 2], &[1], b"a"), false),
            (PerUser, of(None, &[2, 1], &[0, 0], b""), false),
            (PerUser, of(None, &[1, 1], &[0, 0], b""), false),
            (PerUser, of(None, &[1, 2], &[1, 0], b""), false),
            (PerUser, of(None, &[1], &[1], b"ab"), false),
            (PerUser, of(None, &[], &[], b"a"), false),
        ] {
            assert_eq!(super::state(&state, ordering).is_ok(), is_good, "{ordering:?}: {state:?}");
        }
    }
}
