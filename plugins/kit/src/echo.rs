//! `kit-echo`: says of every row what arrived.

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Metadata, Ordering, SettingKind, Settings,
};

/// How many code points of a text are shown.
const SHOWN: usize = 16;
const TEXT: &str = "text";
const NOTE: &str = "note";
const NUMBER: &str = "number";

/// The detector with the end of every reason: its settings.
pub struct Echo {
    settings: String,
}

impl Detector for Echo {
    fn describe() -> Metadata {
        Metadata::new(
            "kit-echo",
            env!("CARGO_PKG_VERSION"),
            "Flags every row, and says what it was given. The score is the column `number`.",
            Ordering::Any,
        )
        .setting("s", SettingKind::Text, "", "A text.")
        .setting("i", SettingKind::Integer, "0", "A whole number.")
        .setting("d", SettingKind::Decimal, "0", "A decimal.")
        .setting("b", SettingKind::Boolean, "false", "A truth value.")
        .optional_setting("o", SettingKind::Text, "A text that may be absent.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let given = |name| settings.text(name).unwrap_or_default();
        let whole = settings.integer("i")?.unwrap_or_default();
        Ok(Echo {
            settings: format!(
                "s={} i={whole} d={} b={} o={}",
                points(given("s")),
                given("d"),
                given("b"),
                settings.text("o").map_or_else(|| "none".into(), points),
            ),
        })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        vec![
            ColumnRequest::text(TEXT),
            ColumnRequest::text(NOTE).optional(),
            ColumnRequest::number(NUMBER).optional(),
        ]
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let numbers = batch.numbers(NUMBER);
        let absent = || "absent".to_owned();
        let echo = |row: detector_sdk::Row<'_>| {
            let number = numbers.map(|numbers| numbers[row.index()]);
            let reason = format!(
                "user={} amount={} timestamp={} text={} note={} number={} {}",
                row.user_id(),
                row.amount_cents(),
                row.timestamp_micros(),
                row.text(TEXT).map_or_else(absent, points),
                row.text(NOTE).map_or_else(absent, points),
                number.map_or_else(absent, bits),
                self.settings,
            );
            row.anomaly(number.filter(|number| !number.is_nan()).unwrap_or_default(), reason)
        };
        Ok(batch.rows().map(echo).collect())
    }
}

fn points(text: &str) -> String {
    let shown: Vec<String> =
        text.chars().take(SHOWN).map(|point| format!("{:x}", u32::from(point))).collect();
    format!("{}:{}", text.chars().count(), shown.join("."))
}

fn bits(number: f64) -> String {
    if number.is_nan() { "nan".into() } else { format!("{:016x}", number.to_bits()) }
}
