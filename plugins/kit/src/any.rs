//! `kit-any`: each row is judged by itself.

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Metadata, Ordering, SettingKind, Settings,
};

use crate::divided;

const LIMIT: &str = "limit";
const WORD: &str = "word";
const NOTE: &str = "note";
const WEIGHT: &str = "weight";
/// Of a limit, before the point.
const MAX_DIGITS: usize = 12;

/// The detector with its settings.
pub struct Any {
    limit_cents: i64,
    word: Option<String>,
}

impl Detector for Any {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-any",
            env!("CARGO_PKG_VERSION"),
            "Flags large amounts, a word and weights above 1. The score is the amount.",
            Ordering::Any,
        )
        .setting(LIMIT, SettingKind::Decimal, "500", "Amounts above it are flagged.")
        .optional_setting(WORD, SettingKind::Text, "Rows with this note are flagged.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let text = settings.text(LIMIT).unwrap_or_default();
        let whole = text.trim_start_matches('-').split('.').next().unwrap_or_default();
        if whole.len() > MAX_DIGITS {
            return Err(Settings::refuse(LIMIT, format!("it has more than {MAX_DIGITS} digits")));
        }
        Ok(Any {
            limit_cents: settings.cents(LIMIT)?.unwrap_or_default(),
            word: settings.text(WORD).map(str::to_owned),
        })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        let note = self.word.as_ref().map(|_| ColumnRequest::text(NOTE).optional());
        note.into_iter().chain([ColumnRequest::number(WEIGHT).optional()]).collect()
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let (notes, weights) = (batch.texts(NOTE), batch.numbers(WEIGHT));
        let mut anomalies = Vec::new();
        for row in batch.rows() {
            let mut reasons = Vec::new();
            if row.amount_cents() > self.limit_cents {
                reasons.push(format!("amount {} above {}", row.amount_cents(), self.limit_cents));
            }
            if let (Some(word), Some(notes)) = (&self.word, notes)
                && notes.get(row.index()) == word
            {
                reasons.push(format!("note `{word}`"));
            }
            if weights.is_some_and(|weights| weights[row.index()] > 1.0) {
                reasons.push("weight".into());
            }
            if !reasons.is_empty() {
                anomalies.push(row.anomaly(divided(row.amount_cents(), 100), reasons.join(", ")));
            }
        }
        Ok(anomalies)
    }
}
