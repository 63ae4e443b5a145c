//! The results of the rules, and how they are reported.

use std::fmt::Write as _;

use host_core::text::printable;
use host_detector::DetectorError;
use serde::Serialize;

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
    /// The rule's name.
    pub rule: &'static str,
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

/// What to do about an error of a plugin, in any rule.
pub(super) fn fix(error: &DetectorError) -> &'static str {
    match error {
        DetectorError::Violation { .. } | DetectorError::Malformation { .. } => {
            "check scores for infinity and NaN, sort by row, cut reasons to 1,000 bytes and keep control characters out of them"
        }
        DetectorError::Trap { .. } => {
            "a crash ends the run; a build with debug information has files and lines (`make debug`; in Rust without `--release`)"
        }
        DetectorError::Memory { .. } => {
            "free what belongs to a batch; keep something for each user, not for each row"
        }
        DetectorError::Deadline { .. } => "a call must end; see `host plugin bench` for what it costs",
        DetectorError::Setting { .. } => "give the settings that it needs: `--set NAME=VALUE`",
        _ => "this ends a run; see the message",
    }
}

impl RuleReport {
    pub(super) fn new(rule: &'static str, Finding(result, detail, fix): Finding) -> RuleReport {
        RuleReport { rule, result, detail, fix }
    }
}

impl Report {
    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        for RuleReport { rule, result, detail, fix } in &self.rules {
            let result = match result {
                Verdict::Ok => "ok",
                Verdict::Skipped => "-",
                Verdict::Warning => "warning",
                Verdict::Failed => "FAILED",
            };
            let _ = writeln!(text, "{result:<8} {rule:<16} {}", printable(detail));
            if let Some(fix) = fix {
                let _ = writeln!(text, "{:25} {fix}", "");
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
