//! A guest that breaks one promise of the contract, as its setting `fault` says: for the tests of `host plugin
//! check`, which must find out which one. Without a fault it keeps all of them.
//!
//! What it says of itself cannot depend on a setting; tests write it into a copy of the plugin, over [`FACE`].

use std::collections::HashMap;
use std::hint::black_box;

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Learning, Metadata, Ordering, Row, Scoring, SettingKind,
    Settings, State, Stateful, export_detector, log,
};

/// What it says of itself: its ordering, and whether that changes.
static FACE: [u8; 32] = *b"face:any                        ";

/// Ten minutes.
const WINDOW_MICROS: i64 = 600_000_000;

/// The guest.
pub struct Faithless {
    fault: String,
    limit_cents: i64,
    rows: u64,
    /// How many of the rows had been passed on as state.
    passed_on: u64,
    batches: u64,
    /// How often fraud became known.
    known: u64,
    /// Of each user, the times of the latest two rows.
    users: HashMap<i64, [i64; 2]>,
    /// Of all users together.
    sum_cents: i64,
    hoard: Vec<u64>,
}

fn face() -> &'static str {
    // Else the compiler would use what it knows of it.
    str::from_utf8(black_box(&FACE)).unwrap_or_default().trim_end()
}

impl Detector for Faithless {
    fn describe() -> Metadata {
        let ordering = match face() {
            "face:per-user" => Ordering::PerUser,
            "face:any" => Ordering::Any,
            _ => Ordering::File,
        };
        let mut metadata = Metadata::new("faithless", "1.0.0", "Breaks a promise.", ordering)
            .setting("fault", SettingKind::Text, "none", "Which promise to break.")
            .setting("limit", SettingKind::Integer, "500", "Amounts above it are anomalous.");
        if face() == "face:changing" {
            // Memory that was never freed is somewhere else each time.
            metadata.version = format!("1.{}", Box::leak(Box::new(0_u64)) as *const u64 as usize);
        }
        metadata
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let fault = settings.text("fault").unwrap_or_default().to_owned();
        if fault == "refuses" {
            return Err(Settings::refuse("fault", "no"));
        }
        let limit_cents = settings.integer("limit")?.unwrap_or_default() * 100;
        Ok(Faithless {
            fault,
            limit_cents,
            rows: 0,
            passed_on: 0,
            batches: 0,
            known: 0,
            users: HashMap::new(),
            sum_cents: 0,
            hoard: Vec::new(),
        })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        match self.fault.as_str() {
            "asks-twice" => vec![ColumnRequest::text("a"), ColumnRequest::text("a")],
            "unusual-text" => vec![ColumnRequest::text("kind")],
            _ => Vec::new(),
        }
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        self.batches += 1;
        let last = batch.rows().count();
        match self.fault.as_str() {
            "silent" => return Ok(Vec::new()),
            "chatty" => [1, 2].iter().for_each(|i| log::info!("{i}")),
            "traps-late" if self.batches == 29 => panic!("late"),
            "small-batches" if last > 10_000 => panic!("too many"),
            "reads-row-0" => drop(black_box(batch.amounts_cents()[0])),
            // Each row leaves eight bytes that nobody frees.
            "leaks" => drop(black_box(Vec::leak(vec![0_u64; last]))),
            "forgets" => self.users.clear(),
            _ => {}
        }
        Ok(batch.rows().filter_map(|row| self.judge(&row)).collect())
    }
}

impl Faithless {
    /// Judges a row and learns from it; here most faults are.
    fn judge(&mut self, row: &Row<'_>) -> Option<Anomaly> {
        self.rows += 1;
        self.sum_cents += row.amount_cents();
        if self.fault == "hoards" {
            self.hoard.push(self.rows);
        }
        let (index, large, score) = (row.index(), self.is_flagged(row), self.score_of(row));
        let (is_anomalous, score, reason) = match self.fault.as_str() {
            "counts-batches" => (index == 0, self.batches as f64, String::new()),
            "counts-rows" | "state-lost" | "state-endless" | "state-unsorted" => {
                (self.rows.is_multiple_of(100), self.rows as f64, String::new())
            }
            "forgets" | "by-user" => (self.is_third(row), 1.0, "the third".into()),
            "shares-users" => (self.is_large(row), score, "large for all users".into()),
            "position" => (large, score, format!("row {index}")),
            "address" => (large, score, address()),
            "hash-order" => (large, score, any_of_a_map()),
            "unusual-text" => (row.text("kind") == Some("odd"), index as f64, "odd".into()),
            "infinite" => (large, 1.0 / (row.amount_cents() - 9_999_999_999) as f64, String::new()),
            _ => (large, score, "large".into()),
        };
        is_anomalous.then(|| row.anomaly(score, reason))
    }

    fn is_flagged(&self, row: &Row<'_>) -> bool {
        row.amount_cents() > self.limit_cents
    }

    fn score_of(&self, row: &Row<'_>) -> f64 {
        row.amount_cents() as f64 / 100.0 + self.known as f64
    }

    /// Whether it is the user's third row in ten minutes.
    fn is_third(&mut self, row: &Row<'_>) -> bool {
        let now = row.timestamp_micros();
        let [first, second] = *self.users.entry(row.user_id()).or_insert([i64::MIN; 2]);
        self.users.insert(row.user_id(), [second, now]);
        now.saturating_sub(first) < WINDOW_MICROS
    }

    /// Whether it is far above the mean of all users.
    fn is_large(&self, row: &Row<'_>) -> bool {
        row.amount_cents() > 20 * self.sum_cents / self.rows as i64
    }
}

/// Where memory happens to be.
fn address() -> String {
    format!("{:p}", &*Box::new(1_u64))
}

/// The first of a map, which could be any.
fn any_of_a_map() -> String {
    let map: HashMap<u32, u32> = (0..8).map(|i| (i, i)).collect();
    map.keys().next().map(u32::to_string).unwrap_or_default()
}

impl Scoring for Faithless {
    fn score(&mut self, batch: &Batch) -> Result<Vec<f64>, Error> {
        self.batches += 1;
        let judged = batch.rows().map(|row| self.judge(&row).map_or(0.0, |anomaly| anomaly.score));
        let scores: Vec<f64> = judged.collect();
        Ok(match self.fault.as_str() {
            "other-scores" => scores.iter().map(|score| score + 1.0).collect(),
            "few-scores" => vec![1.0],
            "infinite-scores" => vec![f64::INFINITY; scores.len()],
            _ => scores,
        })
    }
}

impl Stateful for Faithless {
    fn snapshot(&mut self) -> Result<State, Error> {
        let mut state = State::default();
        match self.fault.as_str() {
            "state-lost" => return Ok(state),
            "state-endless" => {
                self.passed_on = 0;
                if face() == "face:per-user" {
                    // Large, so that it is soon too much.
                    state.keep(1, format!("1 2{:60000}", ""));
                }
            }
            "state-unsorted" => (0..2).for_each(|_| state.keep(1, "twice")),
            _ => {}
        }
        if self.passed_on == self.rows {
            return Ok(state);
        }
        self.passed_on = self.rows;
        if face() == "face:file" {
            state.share(self.rows.to_string());
        }
        for (user, times) in &self.users {
            state.keep(*user, times.map(|time| time.to_string()).join(" "));
        }
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        if self.fault == "state-refused" {
            return Err(Error::InvalidInput("it was learned with another limit".into()));
        }
        let refuse = || Error::InvalidInput("that is no state".into());
        let text = |value| str::from_utf8(value).map_err(|_| refuse());
        if let Some(shared) = state.shared() {
            self.rows = text(shared)?.parse().map_err(|_| refuse())?;
            self.passed_on = self.rows;
        }
        for (user, value) in state.users() {
            let times: Vec<i64> = text(value)?.split(' ').filter_map(|time| time.parse().ok()).collect();
            self.users.insert(user, times.try_into().map_err(|_| refuse())?);
        }
        Ok(())
    }
}

impl Learning for Faithless {
    fn feedback(&mut self, _: &Batch, labels: &[bool]) -> Result<(), Error> {
        self.known += match self.fault.as_str() {
            "counts-feedback" => 1,
            _ => labels.iter().filter(|is_fraud| **is_fraud).count() as u64,
        };
        Ok(())
    }
}

export_detector!(Faithless: Scoring, Stateful, Learning);
