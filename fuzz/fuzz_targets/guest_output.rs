//! Verification of arbitrary guest answers: whatever passes can be stored and shown.
#![no_main]

use arbitrary::Arbitrary;
use host_core::anomaly::Anomaly;
use host_core::column::{ColumnKind, ColumnRequest};
use host_core::text::is_unprintable;
use host_detector::{Metadata, Ordering, SettingDescription, SettingKind, State, verify};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Answer {
    anomalies: Vec<(u32, f64, String)>,
    rows: u16,
    limit: u16,
    name: String,
    version: String,
    description: String,
    settings: Vec<(String, u8, Option<String>, String)>,
    columns: Vec<(String, bool, bool)>,
    scores: Vec<f64>,
    shared: Option<Vec<u8>>,
    users: Vec<i64>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

fuzz_target!(|answer: Answer| {
    let rows = usize::from(answer.rows);
    let found: Vec<Anomaly> =
        answer.anomalies.into_iter().map(|(row, score, reason)| Anomaly { row, score, reason }).collect();
    if verify::anomalies(&found, rows, answer.limit.into()).is_ok() {
        assert!(found.len() <= rows.min(answer.limit.into()));
        assert!(found.windows(2).all(|pair| pair[0].row < pair[1].row));
        for Anomaly { row, score, reason } in &found {
            assert!((*row as usize) < rows && score.is_finite() && reason.len() <= verify::MAX_REASON_BYTES);
            assert!(!reason.contains(is_unprintable));
        }
    }
    let kinds = [SettingKind::Text, SettingKind::Integer, SettingKind::Decimal, SettingKind::Boolean];
    let settings = answer.settings.into_iter().map(|(name, kind, default, doc)| SettingDescription {
        name,
        kind: kinds[usize::from(kind) % kinds.len()],
        default,
        doc,
    });
    let metadata = Metadata {
        name: answer.name,
        version: answer.version,
        description: answer.description,
        settings: settings.collect(),
        ordering: Ordering::Any,
    };
    if verify::metadata(&metadata).is_ok() {
        let one_line = |text: &str| !text.contains(is_unprintable) && !text.is_empty();
        assert!(one_line(&metadata.name) && one_line(&metadata.version));
        assert!(metadata.settings.iter().all(|setting| one_line(&setting.name)));
    }
    let kind = |is_text| if is_text { ColumnKind::Text } else { ColumnKind::Number };
    let request =
        |(name, is_text, required)| ColumnRequest { name, kind: kind(is_text), required };
    let columns: Vec<ColumnRequest> = answer.columns.into_iter().map(request).collect();
    if verify::columns(&columns).is_ok() {
        assert!(columns.iter().all(|column| !column.name.contains(is_unprintable) && !column.name.is_empty()));
    }
    if verify::scores(&answer.scores, rows).is_ok() {
        assert!(answer.scores.len() == rows && answer.scores.iter().all(|score| score.is_finite()));
    }
    let state = State { shared: answer.shared, users: answer.users, ends: answer.ends, bytes: answer.bytes };
    if verify::state(&state, Ordering::PerUser).is_ok() {
        let mut start = 0;
        for &end in &state.ends {
            let _ = &state.bytes[start..end as usize];
            start = end as usize;
        }
        assert!(state.shared.is_none() && state.users.len() == state.ends.len() && start == state.bytes.len());
        assert!(state.users.windows(2).all(|pair| pair[0] < pair[1]));
    }
});
