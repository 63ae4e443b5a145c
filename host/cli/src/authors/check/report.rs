//! The results of the rules, and how they are reported.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::path::Path;

use host_core::text::printable;
use serde::Serialize;

/// The column of the rules' names, in characters.
const MIN_NAME_WIDTH: usize = 16;
const MAX_NAME_WIDTH: usize = 40;

/// The results of all rules; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The file.
    pub file: String,
    /// Whether no rule failed.
    pub passed: bool,
    /// One by one.
    pub rules: Vec<RuleReport>,
}

/// The result of a rule; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct RuleReport {
    /// The rule's name, or a case's of a kit.
    pub rule: Cow<'static, str>,
    /// Its result.
    pub result: Verdict,
    /// What was found.
    pub detail: String,
    /// What the author can do about it.
    pub fix: Option<&'static str>,
}

/// The result of a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// It is kept.
    Ok,
    /// It does not apply to this plugin, or could not be tried.
    Skipped,
    /// It is kept, but something should be improved.
    Warning,
    /// It is broken.
    Failed,
}

/// A rule's result before it has its name: what was found, and how to fix it.
pub(super) struct Finding(pub(super) Verdict, pub(super) String, pub(super) Option<&'static str>);

pub(super) fn ok(detail: impl Into<String>) -> Finding {
    Finding(Verdict::Ok, detail.into(), None)
}

pub(super) fn skipped(detail: impl Into<String>) -> Finding {
    Finding(Verdict::Skipped, detail.into(), None)
}

pub(super) fn warning(detail: impl Into<String>, fix: &'static str) -> Finding {
    Finding(Verdict::Warning, detail.into(), Some(fix))
}

pub(super) fn failed(detail: impl Into<String>, fix: &'static str) -> Finding {
    Finding(Verdict::Failed, detail.into(), Some(fix))
}

impl RuleReport {
    pub(super) fn new(
        rule: impl Into<Cow<'static, str>>,
        Finding(result, detail, fix): Finding,
    ) -> RuleReport {
        RuleReport { rule: rule.into(), result, detail, fix }
    }
}

impl Report {
    pub(super) fn new(file: &Path, rules: Vec<RuleReport>) -> Report {
        let passed = rules.iter().all(|rule| rule.result != Verdict::Failed);
        Report { file: file.display().to_string(), passed, rules }
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = String::new();
        let longest = self.rules.iter().map(|rule| rule.rule.chars().count()).max();
        let width = longest.unwrap_or_default().clamp(MIN_NAME_WIDTH, MAX_NAME_WIDTH);
        // Writing into a String cannot fail.
        for RuleReport { rule, result, detail, fix } in &self.rules {
            let result = match result {
                Verdict::Ok => "ok",
                Verdict::Skipped => "-",
                Verdict::Warning => "warning",
                Verdict::Failed => "FAILED",
            };
            let _ = writeln!(text, "{result:<8} {:<width$} {}", printable(rule), printable(detail));
            if let Some(fix) = fix {
                let _ = writeln!(text, "{:8} {:width$} {fix}", "", "");
            }
        }
        let count = |wanted| self.rules.iter().filter(|rule| rule.result == wanted).count();
        let _ = writeln!(
            text,
            "`{}`: {} rules kept, {} broken, {} warnings",
            printable(&self.file),
            count(Verdict::Ok),
            count(Verdict::Failed),
            count(Verdict::Warning),
        );
        text
    }
}
