//! One row of the replay against what is stored under its id.

use std::collections::HashMap;
use std::fmt;

use host_core::anomaly::Anomaly;
use host_core::batch::{Batch, SourceId};
use host_sink::{Encoding, StoredAnomaly, StoredRow};

use super::replaced::OfIds;

/// What is stored under the ids of a batch.
pub(super) struct StoredRows {
    pub rows: HashMap<i64, StoredRow>,
    pub anomalies: HashMap<i64, StoredAnomaly>,
    /// What later runs have replaced.
    pub replaced: OfIds,
}

/// A row of the replay.
#[derive(Clone, Copy)]
pub(super) struct ReplayedRow<'a> {
    pub batch: &'a Batch,
    /// Its position in the batch.
    pub i: usize,
    /// Its anomaly, if it is one.
    pub anomaly: Option<&'a Anomaly>,
}

impl ReplayedRow<'_> {
    /// How it differs from what is stored, if it does, and its anomaly from the one of this run.
    pub fn differs_from(
        self,
        row: Option<&StoredRow>,
        anomaly: Option<&StoredAnomaly>,
        run_id: i64,
        encoding: &Encoding,
    ) -> Option<String> {
        self.differing_row(row, encoding).or_else(|| self.differing_anomaly(anomaly, run_id, encoding))
    }

    fn differing_row(self, stored: Option<&StoredRow>, encoding: &Encoding) -> Option<String> {
        let ReplayedRow { batch, i, anomaly } = self;
        let Some(stored) = stored else { return Some("it is not in `transactions`".into()) };
        if !stored.has_values_of(batch, i) {
            return Some("user, amount or timestamp do not match what is stored".into());
        }
        let (number, key) = match batch.source_id(i) {
            SourceId::Number(id) => (Some(id), None),
            SourceId::Text(key) => (None, Some(key)),
            SourceId::None => (None, None),
        };
        if stored.source_id != number {
            let stored = shown(stored.source_id);
            return Some(format!("source_id {stored} is stored, the file has {}", shown(number)));
        }
        let key = key.map(|key| encoding.storable(key));
        if stored.source_key.as_deref() != key.as_deref() {
            let stored = shown(stored.source_key.as_deref());
            return Some(format!("source_key {stored} is stored, the file has {}", shown(key)));
        }
        let expected = i64::from(anomaly.is_some());
        (stored.is_anomalous != Some(expected)).then(|| {
            format!("is_anomalous {} is stored, the replay gives {expected}", shown(stored.is_anomalous))
        })
    }

    fn differing_anomaly(
        self,
        stored: Option<&StoredAnomaly>,
        run_id: i64,
        encoding: &Encoding,
    ) -> Option<String> {
        let (anomaly, stored) = match (self.anomaly, stored) {
            (None, None) => return None,
            (None, Some(_)) => return Some("it is in `anomalies`, but is not one".into()),
            (Some(_), None) => return Some("it is not in `anomalies`".into()),
            (Some(anomaly), Some(stored)) => (anomaly, stored),
        };
        if stored.run_id != Some(run_id) {
            return Some(format!("its anomaly belongs to run {}", shown(stored.run_id)));
        }
        if stored.score.map(f64::to_bits) != Some(anomaly.score.to_bits()) {
            return Some(format!(
                "score {} is stored, the replay gives {}",
                shown(stored.score),
                anomaly.score
            ));
        }
        let reason = encoding.storable(&anomaly.reason);
        if stored.reason.as_deref() != Some(&*reason) {
            let is = stored.reason.as_deref().unwrap_or("none");
            return Some(format!("reason `{is}` is stored, the replay gives `{reason}`"));
        }
        (!stored.has_values_of(self.batch, self.i))
            .then(|| "its anomaly has another user, amount or timestamp".into())
    }
}

fn shown(value: Option<impl fmt::Display>) -> String {
    value.map_or_else(|| "NULL".into(), |value| value.to_string())
}
