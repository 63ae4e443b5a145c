//! What is different from the round before: an author who saves every minute wants to see that, and not everything
//! again.

use std::fmt::Write as _;
use std::path::PathBuf;

use bytesize::ByteSize;
use host_core::text::{counted, path, printable, seconds};
use serde::Serialize;

use super::round::{Case, Round, Rule};
use crate::authors::build::Built;
use crate::authors::project::from_here;
use crate::diagnostic;

/// A round, seen beside the one before; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Progress {
    /// From 1.
    pub round: u64,
    /// The files whose changes led to it; all of them in the first.
    pub changed: Vec<String>,
    /// The plugin; `None` if the build failed.
    pub built: Option<Built>,
    /// Why the build failed, besides what it printed.
    pub problem: Option<String>,
    /// How long the build took.
    pub build_seconds: f64,
    /// Nanoseconds that a row takes, as `host plugin check` measures it.
    pub nanos_per_row: Option<f64>,
    /// Cases; `None` if they were not run.
    pub cases: Option<Vec<Item>>,
    /// Rules of the contract; `None` if they were not tried.
    pub rules: Option<Vec<Item>>,
    #[serde(skip)]
    files: usize,
    /// The sizes, times, cases and rules of the last round that has them.
    #[serde(skip)]
    before: Before,
}

/// A case or a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The case's or the rule's name.
    pub name: String,
    /// `ok`, `failed`, `warning` or `skipped`.
    pub result: String,
    /// The result before this round, if it was another.
    pub was: Option<String>,
    /// What is wrong.
    pub details: Vec<String>,
}

/// What later rounds are compared with.
#[derive(Clone, Debug, Default)]
struct Before {
    bytes: Option<u64>,
    nanos_per_row: Option<f64>,
    cases: Option<Vec<Item>>,
    rules: Option<Vec<Item>>,
}

impl Progress {
    pub(super) fn new(changed: Vec<PathBuf>, files: usize, round: Round, last: Option<Progress>) -> Progress {
        let number = last.as_ref().map_or(0, |last| last.round) + 1;
        let before = last.map(Progress::known).unwrap_or_default();
        let nanos_per_row = round.rules.as_deref().and_then(nanos_per_row);
        let cases = round.cases.map(|cases| cases.into_iter().map(Item::of_case).collect());
        let rules = round.rules.map(|rules| rules.into_iter().map(Item::of_rule).collect());
        let (built, problem) = match round.build {
            Ok(built) => (Some(built), None),
            Err(error) => (None, Some(problem(&error))),
        };
        Progress {
            round: number,
            changed: changed.iter().map(|file| path(&from_here(file))).collect(),
            built,
            problem,
            build_seconds: round.build_time.as_secs_f64(),
            nanos_per_row,
            cases: compared(cases, before.cases.as_deref()),
            rules: compared(rules, before.rules.as_deref()),
            files,
            before,
        }
    }

    /// What is known after this round.
    fn known(self) -> Before {
        Before {
            bytes: self.built.map(|built| built.bytes).or(self.before.bytes),
            nanos_per_row: self.nanos_per_row.or(self.before.nanos_per_row),
            cases: self.cases.or(self.before.cases),
            rules: self.rules.or(self.before.rules),
        }
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        if self.round > 1 {
            let _ = writeln!(text, "round {}: {}", self.round, listed(&self.changed));
        }
        match (&self.built, &self.problem) {
            (Some(built), _) => self.built_in(built, &mut text),
            (None, problem) => {
                let _ = writeln!(text, "not built: {}", problem.as_deref().unwrap_or_default());
            }
        }
        if let Some(cases) = &self.cases {
            items("cases", cases, &mut text);
        }
        if let Some(rules) = &self.rules {
            items("rules", rules, &mut text);
        }
        if let Some(nanos) = self.nanos_per_row {
            let was = self.before.nanos_per_row.map_or(String::new(), |was| format!(" (was {was:.0})"));
            let _ = writeln!(text, "speed: {nanos:.0} ns a row{was}");
        }
        let files = counted(self.files as u64, "file");
        let _ = writeln!(text, "waiting for a change in one of {files}; ^C ends");
        text
    }

    fn built_in(&self, built: &Built, text: &mut String) {
        let change = match self.before.bytes {
            Some(was) if was < built.bytes => format!(" (+{})", ByteSize::b(built.bytes - was)),
            Some(was) if was > built.bytes => format!(" (-{})", ByteSize::b(was - built.bytes)),
            _ => String::new(),
        };
        let time = seconds(std::time::Duration::from_secs_f64(self.build_seconds));
        let _ = writeln!(text, "built: {}, {}{change}, in {time}", built.file, ByteSize::b(built.bytes));
    }
}

impl Item {
    fn of_case(Case { case: name, differences }: Case) -> Item {
        let result = if differences.is_empty() { "ok" } else { "failed" };
        Item { name, result: result.to_owned(), was: None, details: differences }
    }

    fn of_rule(Rule { rule: name, result, detail, fix }: Rule) -> Item {
        let details = match result.as_str() {
            "failed" | "warning" => [detail].into_iter().chain(fix).collect(),
            _ => Vec::new(),
        };
        Item { name, result, was: None, details }
    }

    fn is_good(&self) -> bool {
        !matches!(self.result.as_str(), "failed" | "warning")
    }
}

/// Items that know what they were before.
fn compared(items: Option<Vec<Item>>, before: Option<&[Item]>) -> Option<Vec<Item>> {
    let mut items = items?;
    for item in &mut items {
        let earlier = before.unwrap_or_default().iter().find(|earlier| earlier.name == item.name);
        item.was = earlier.map(|earlier| earlier.result.clone()).filter(|was| *was != item.result);
    }
    Some(items)
}

/// How many are good, which are not, and which have become good.
fn items(title: &str, items: &[Item], text: &mut String) {
    let count = |wanted: &str| items.iter().filter(|item| item.result == wanted).count();
    // Writing into a String cannot fail.
    let _ = write!(text, "{title}: {} ok, {} failed", count("ok"), count("failed"));
    if count("warning") > 0 {
        let _ = write!(text, ", {} with a warning", count("warning"));
    }
    text.push('\n');
    for item in items.iter().filter(|item| !item.is_good() || item.was.is_some()) {
        let result = if item.result == "failed" { "FAILED" } else { &item.result };
        let was = match item.was.as_deref() {
            Some(was) => format!(" (was {was})"),
            None => String::new(),
        };
        let _ = writeln!(text, "  {result:<8} {}{was}", printable(&item.name));
        for detail in &item.details {
            let _ = writeln!(text, "           {}", printable(detail));
        }
    }
}

/// The figure of the rule `time`.
fn nanos_per_row(rules: &[Rule]) -> Option<f64> {
    let rule = rules.iter().find(|rule| rule.rule == "time")?;
    rule.detail.split(" ns a row").next()?.parse().ok()
}

fn problem(error: &crate::error::Error) -> String {
    let causes = diagnostic::causes(error);
    [error.to_string()].into_iter().chain(causes).collect::<Vec<_>>().join(": ")
}

/// The first few files.
fn listed(files: &[String]) -> String {
    host_core::text::listed(files, 3)
}
