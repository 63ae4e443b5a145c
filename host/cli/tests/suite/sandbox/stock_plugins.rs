//! The built plugins through the real sandbox, by the library.

use host_core::anomaly::Anomaly;
use host_core::batch::{Batch, Row};
use host_detector::{Cache, Detector, DetectorError, Limits, Ordering, Requirements, SettingKind, load};

fn start(plugin: &str, settings: &[(&str, &str)]) -> Result<Detector, DetectorError> {
    let file = crate::support::plugin(plugin);
    let sandbox = crate::support::sandbox(Limits::default(), Requirements::default(), Cache::of_user())?;
    let mut detector = Detector::start(&load(&sandbox, &file)?)?;
    let settings: Vec<_> = settings.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    detector.configure(&settings)?;
    Ok(detector)
}

fn batch(amounts_cents: &[i64]) -> Batch {
    let mut batch = Batch::default();
    for (i, &amount_cents) in amounts_cents.iter().enumerate() {
        let line = i as u64 + 2;
        batch.push(Row {
            transaction_id: Some(line as i64),
            user_id: 7,
            amount_cents,
            timestamp_micros: 0,
            line,
        });
    }
    batch
}

fn rows(anomalies: &[Anomaly]) -> Vec<u32> {
    anomalies.iter().map(|anomaly| anomaly.row).collect()
}

#[test]
fn threshold_describes_itself() {
    let metadata = start("threshold", &[]).unwrap().metadata;
    assert_eq!((metadata.name.as_str(), metadata.ordering), ("threshold", Ordering::Any));
    let settings: Vec<_> =
        metadata.settings.iter().map(|one| (one.name.as_str(), one.kind, one.default.as_deref())).collect();
    assert_eq!(
        settings,
        [("limit", SettingKind::Decimal, Some("500")), ("below", SettingKind::Decimal, None)]
    );
}

#[test]
fn threshold_takes_its_settings() {
    let amounts = [49_999, 50_000, 50_001, -1, 100];
    let flagged = |settings: &[(&str, &str)]| {
        let mut detector = start("threshold", settings).unwrap();
        rows(&detector.classify(&batch(&amounts)).unwrap())
    };
    assert_eq!(flagged(&[]), [2]);
    assert_eq!(flagged(&[("limit", "499.99"), ("below", "1")]), [1, 2, 3]);
}

#[test]
fn zscore_learns_over_batches() {
    let mut detector = start("zscore", &[("minimum-history", "3")]).unwrap();
    assert_eq!(rows(&detector.classify(&batch(&[1_000, 1_100, 900])).unwrap()), Vec::<u32>::new());
    let found = detector.classify(&batch(&[1_000, 9_000])).unwrap();
    assert_eq!(rows(&found), [1]);
    assert!(found[0].score > 50.0);
    detector.finish().unwrap();
}

#[test]
fn a_detector_uses_little_memory() {
    let mut detector = start("threshold", &[]).unwrap();
    let full = batch(&vec![1; 8_192]);
    detector.classify(&full).unwrap();
    let after_one = detector.peak_memory_bytes();
    for _ in 0..100 {
        detector.classify(&full).unwrap();
    }
    assert_eq!(detector.peak_memory_bytes(), after_one);
}
