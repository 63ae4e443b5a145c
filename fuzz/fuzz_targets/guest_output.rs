//! Verification of arbitrary guest answers: whatever passes can be stored and shown.
#![no_main]

use host_core::anomaly::Anomaly;
use arbitrary::Arbitrary;
use host_detector::{Metadata, Ordering, SettingDescription, SettingKind, verify};
use host_core::text::is_unprintable;
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
    attributes: Vec<String>,
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
        attributes: answer.attributes,
        ordering: Ordering::Any,
    };
    if verify::metadata(&metadata).is_ok() {
        let one_line = |text: &str| !text.contains(is_unprintable) && !text.is_empty();
        assert!(one_line(&metadata.name) && one_line(&metadata.version));
        assert!(metadata.settings.iter().all(|setting| one_line(&setting.name)));
        assert!(metadata.attributes.iter().all(|attribute| one_line(attribute)));
    }
});
