//! A guest that repeats what it has been told of rows: of every row, the reason is all that has become known of its
//! user, in order. For tests of who is told what, and when.
//!
//! What it says of itself cannot depend on a setting; tests write it into a copy of the plugin, over [`FACE`].

use std::collections::BTreeMap;
use std::hint::black_box;

use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, Learning, Metadata, Ordering, SettingKind, Settings,
    State, Stateful, export_detector,
};

/// Its ordering.
static FACE: [u8; 32] = *b"face:per-user                   ";

/// The guest.
pub struct Attentive {
    text: Option<String>,
    number: Option<String>,
    is_required: bool,
    refuses: bool,
    /// What it has been told of each user.
    heard: BTreeMap<i64, String>,
    /// Users of whom it has heard since that was passed on.
    changed: Vec<i64>,
    has_begun: bool,
}

fn face() -> &'static str {
    // Else the compiler would use what it knows of it.
    str::from_utf8(black_box(&FACE)).unwrap_or_default().trim_end()
}

impl Detector for Attentive {
    fn describe() -> Metadata {
        let ordering = match face() {
            "face:any" => Ordering::Any,
            "face:file" => Ordering::File,
            _ => Ordering::PerUser,
        };
        Metadata::new("attentive", "1.0.0", "Repeats what it has been told.", ordering)
            .optional_setting("text", SettingKind::Text, "A column of texts.")
            .optional_setting("number", SettingKind::Text, "A column of numbers.")
            .setting("required", SettingKind::Boolean, "false", "Whether it requires them.")
            .setting("refuse", SettingKind::Boolean, "false", "Whether it refuses to be told anything.")
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        Ok(Attentive {
            text: settings.text("text").map(str::to_owned),
            number: settings.text("number").map(str::to_owned),
            is_required: settings.boolean("required")?.unwrap_or_default(),
            refuses: settings.boolean("refuse")?.unwrap_or_default(),
            heard: BTreeMap::new(),
            changed: Vec::new(),
            has_begun: false,
        })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        let text = self.text.iter().map(|name| ColumnRequest::text(name));
        let number = self.number.iter().map(|name| ColumnRequest::number(name));
        text.chain(number)
            .map(|request| if self.is_required { request } else { request.optional() })
            .collect()
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        self.has_begun = true;
        let heard = |user_id| self.heard.get(&user_id).map_or("nothing", String::as_str);
        Ok(batch.rows().map(|row| row.anomaly(1.0, heard(row.user_id()))).collect())
    }
}

impl Learning for Attentive {
    fn feedback(&mut self, batch: &Batch, labels: &[bool]) -> Result<(), Error> {
        if self.refuses {
            return Err(Error::InvalidInput("that cannot be".into()));
        }
        if self.has_begun {
            return Err(Error::Internal("it comes too late".into()));
        }
        let texts = self.text.as_deref().and_then(|name| batch.texts(name));
        let numbers = self.number.as_deref().and_then(|name| batch.numbers(name));
        for ((i, row), is_fraud) in batch.rows().enumerate().zip(labels) {
            let heard = self.heard.entry(row.user_id()).or_default();
            heard.push_str(&format!(" {}@{}", row.amount_cents(), row.timestamp_micros() / 1_000_000));
            if let Some(text) = texts.and_then(|texts| texts.values().nth(texts.codes()[i] as usize)) {
                heard.push_str(&format!(",{text}"));
            }
            if let Some(number) = numbers.map(|numbers| numbers[i]) {
                heard.push_str(&format!(",{number}"));
            }
            heard.push_str(if *is_fraud { "=fraud" } else { "=genuine" });
            self.changed.push(row.user_id());
        }
        Ok(())
    }
}

impl Stateful for Attentive {
    fn snapshot(&mut self) -> Result<State, Error> {
        let mut state = State::default();
        self.changed.sort_unstable();
        self.changed.dedup();
        for user_id in self.changed.drain(..) {
            state.keep(user_id, self.heard.get(&user_id).map_or("", String::as_str));
        }
        Ok(state)
    }

    fn restore(&mut self, state: &State) -> Result<(), Error> {
        for (user_id, value) in state.users() {
            let heard = str::from_utf8(value).map_err(|_| Error::InvalidInput("that is no state".into()))?;
            self.heard.insert(user_id, heard.to_owned());
        }
        Ok(())
    }
}

export_detector!(Attentive: Stateful, Learning);
