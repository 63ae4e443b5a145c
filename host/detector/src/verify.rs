//! The gate for everything that a guest returns. What passes is safe to store and to show; anything else is a
//! [`Violation`], which ends the run.

use host_core::anomaly::Anomaly;
use host_core::text::{is_unprintable, printable_up_to};
use thiserror::Error;

use crate::contract::types::{Metadata, SettingKind};

/// The longest reason, in bytes; the contract says so.
pub const MAX_REASON_BYTES: usize = 1_000;
const MAX_NAME_BYTES: usize = 64;
const MAX_DESCRIPTION_BYTES: usize = 4_096;
const MAX_SETTINGS: usize = 100;
const MAX_ATTRIBUTES: usize = 100;

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
            text("a setting's default", default, MAX_DESCRIPTION_BYTES)?;
            if !is_of_kind(default, setting.kind) {
                return violation(format!(
                    "the default `{}` for the setting `{}`, which is not of its kind",
                    printable_up_to(default, MAX_NAME_BYTES),
                    setting.name
                ));
            }
        }
    }
    if metadata.attributes.len() > MAX_ATTRIBUTES {
        return violation(format!(
            "{} attributes; at most {MAX_ATTRIBUTES} are allowed",
            metadata.attributes.len()
        ));
    }
    for (i, attribute) in metadata.attributes.iter().enumerate() {
        line("an attribute's name", attribute, MAX_NAME_BYTES)?;
        if metadata.attributes[..i].contains(attribute) {
            return violation(format!("the attribute `{attribute}` twice"));
        }
    }
    Ok(())
}

fn is_of_kind(value: &str, kind: SettingKind) -> bool {
    match kind {
        SettingKind::Text => true,
        SettingKind::Integer => value.parse::<i64>().is_ok(),
        SettingKind::Decimal => value.parse::<rust_decimal::Decimal>().is_ok(),
        SettingKind::Boolean => value.parse::<bool>().is_ok(),
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
    use crate::contract::types::{Ordering, SettingDescription};

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
            attributes: vec!["City Name".into()],
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
            ("an attribute twice", |m| m.attributes.push("City Name".into())),
            ("an empty attribute", |m| m.attributes.push(String::new())),
        ];
        for (what, spoil) in spoils {
            let mut spoilt = good.clone();
            spoil(&mut spoilt);
            assert!(matches!(metadata(&spoilt), Err(Violation::Metadata { .. })), "{what}");
        }
    }
}
