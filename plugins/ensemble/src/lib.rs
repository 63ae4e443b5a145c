//! Two detectors as one plugin, without the host knowing: a row is flagged if either of them flags it, if
//! both do, or if the weighted sum of their scores is high enough. The two are plugged in with
//! [`wac`](https://github.com/bytecodealliance/wac); `ensemble.wac` says how, and the authors' guide shows
//! the commands.
//!
//! The settings of the two are the ensemble's own, with `a-` and `b-` before their names.

mod parts;

use detector_sdk::runtime::{RawBatch, Setting};
use detector_sdk::{
    Anomaly, Batch, ColumnRequest, Detector, Error, InvalidSetting, Metadata, Ordering, SettingDescription,
    SettingKind, Settings, export_detector,
};

/// The ensemble; its two detectors are beside it, in instances of their own.
pub struct Ensemble {
    rule: Rule,
    /// The columns that A or B needs.
    columns: Vec<ColumnRequest>,
    /// Which of them A needs, in its order.
    a: Vec<usize>,
    /// Which of them B needs, in its order.
    b: Vec<usize>,
}

/// When a row is anomalous.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Rule {
    Any,
    All,
    /// The weights of the scores, and the sum from which a row is anomalous.
    Weighted {
        a: f64,
        b: f64,
        from: f64,
    },
}

impl Detector for Ensemble {
    fn describe() -> Metadata {
        let (a, b) = (parts::describe_a(), parts::describe_b());
        let mut metadata = Metadata::new(
            "ensemble",
            env!("CARGO_PKG_VERSION"),
            &format!(
                "Flags rows that `{}` (A) or `{}` (B) flags, or that both flag. The score is the higher one, \
                 or their weighted sum.",
                a.name, b.name
            ),
            stricter(a.ordering, b.ordering),
        )
        .setting("rule", SettingKind::Text, "any", "`any`, `all`, or `weighted`.")
        .setting("weight-a", SettingKind::Decimal, "1", "The weight of A's score, for `weighted`.")
        .setting("weight-b", SettingKind::Decimal, "1", "The weight of B's score, for `weighted`.")
        .setting("from", SettingKind::Decimal, "0", "The lowest weighted sum that is flagged.");
        for (prefix, part) in [("a-", a), ("b-", b)] {
            let prefixed = |setting: SettingDescription| SettingDescription {
                name: format!("{prefix}{}", setting.name),
                ..setting
            };
            metadata.settings.extend(part.settings.into_iter().map(prefixed));
        }
        metadata
    }

    fn configure(settings: &Settings) -> Result<Self, Error> {
        let number = |name| settings.number(name).map(Option::unwrap_or_default);
        let rule = match settings.text("rule") {
            Some("any") => Rule::Any,
            Some("all") => Rule::All,
            Some("weighted") => {
                Rule::Weighted { a: number("weight-a")?, b: number("weight-b")?, from: number("from")? }
            }
            _ => return Err(Settings::refuse("rule", "it must be `any`, `all` or `weighted`")),
        };
        let of = |prefix, part: Metadata| -> Vec<Setting> {
            let given = |setting: SettingDescription| {
                let value = settings.text(&format!("{prefix}{}", setting.name))?.to_owned();
                Some(Setting { name: setting.name, value })
            };
            part.settings.into_iter().filter_map(given).collect()
        };
        let a = parts::configure_a(&of("a-", parts::describe_a())).map_err(|error| prefixed("a-", error))?;
        let b = parts::configure_b(&of("b-", parts::describe_b())).map_err(|error| prefixed("b-", error))?;
        let columns = union(&a, &b)?;
        let places = |part: Vec<ColumnRequest>| {
            part.iter().filter_map(|request| position(&columns, request)).collect()
        };
        Ok(Ensemble { rule, a: places(a), b: places(b), columns })
    }

    fn columns(&self) -> Vec<ColumnRequest> {
        self.columns.clone()
    }

    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
        let a = parts::classify_a(&with_columns(batch.raw(), &self.a))?;
        let b = parts::classify_b(&with_columns(batch.raw(), &self.b))?;
        Ok(combine(self.rule, a, b))
    }

    fn finish(&mut self) -> Result<(), Error> {
        parts::finish_a()?;
        parts::finish_b()
    }
}

/// The ordering that satisfies both.
fn stricter(a: Ordering, b: Ordering) -> Ordering {
    match (a, b) {
        (Ordering::File, _) | (_, Ordering::File) => Ordering::File,
        (Ordering::PerUser, _) | (_, Ordering::PerUser) => Ordering::PerUser,
        (Ordering::Any, Ordering::Any) => Ordering::Any,
    }
}

/// All columns that one of the two needs, each once.
fn union(a: &[ColumnRequest], b: &[ColumnRequest]) -> Result<Vec<ColumnRequest>, Error> {
    let mut columns: Vec<ColumnRequest> = Vec::new();
    for request in a.iter().chain(b) {
        let known = position(&columns, request).map(|at| &mut columns[at]);
        match known {
            None => columns.push(request.clone()),
            Some(known) if known.kind == request.kind => known.required |= request.required,
            Some(known) => {
                let message = format!("the two detectors need the column `{}` in different ways", known.name);
                return Err(Error::Internal(message));
            }
        }
    }
    Ok(columns)
}

/// Where a column is among these.
fn position(columns: &[ColumnRequest], wanted: &ColumnRequest) -> Option<usize> {
    columns.iter().position(|known| known.name.trim().eq_ignore_ascii_case(wanted.name.trim()))
}

/// A batch with these of its columns.
fn with_columns(batch: &RawBatch, places: &[usize]) -> RawBatch {
    RawBatch {
        user_ids: batch.user_ids.clone(),
        amounts: batch.amounts.clone(),
        timestamps: batch.timestamps.clone(),
        columns: places.iter().map(|&at| batch.columns[at].clone()).collect(),
    }
}

/// A part's error with the setting's name as the ensemble's user knows it.
fn prefixed(prefix: &str, error: Error) -> Error {
    match error {
        Error::InvalidSetting(InvalidSetting { name, message }) => {
            Error::InvalidSetting(InvalidSetting { name: format!("{prefix}{name}"), message })
        }
        other => other,
    }
}

/// Applies the rule to what the two flagged, both sorted by row.
fn combine(rule: Rule, a: Vec<Anomaly>, b: Vec<Anomaly>) -> Vec<Anomaly> {
    let (mut a, mut b) = (a.into_iter().peekable(), b.into_iter().peekable());
    let mut combined = Vec::new();
    loop {
        let row = match (a.peek(), b.peek()) {
            (None, None) => return combined,
            (Some(one), None) | (None, Some(one)) => one.row,
            (Some(one), Some(other)) => one.row.min(other.row),
        };
        let is_this = |one: &Anomaly| one.row == row;
        combined.extend(judge(rule, row, a.next_if(is_this), b.next_if(is_this)));
    }
}

fn judge(rule: Rule, row: u32, a: Option<Anomaly>, b: Option<Anomaly>) -> Option<Anomaly> {
    let score_of = |one: &Option<Anomaly>| one.as_ref().map_or(0.0, |one| one.score);
    let score = match (rule, &a, &b) {
        (Rule::Weighted { a: weight_a, b: weight_b, from }, ..) => {
            // Zero times infinity would be NaN; scores are finite, and sums are kept finite.
            let sum = (weight_a * score_of(&a) + weight_b * score_of(&b)).clamp(f64::MIN, f64::MAX);
            if sum < from {
                return None;
            }
            sum
        }
        (Rule::All, Some(a), Some(b)) | (Rule::Any, Some(a), Some(b)) => a.score.max(b.score),
        (Rule::Any, Some(one), None) | (Rule::Any, None, Some(one)) => one.score,
        (Rule::All | Rule::Any, ..) => return None,
    };
    let reasons: Vec<String> = [a, b].into_iter().flatten().map(|one| one.reason).collect();
    Some(Anomaly { row, score, reason: shortened(reasons.join("; ")) })
}

/// Shortens two joined reasons to the length that one may have.
fn shortened(mut reason: String) -> String {
    const MAX_BYTES: usize = 1_000;
    while reason.len() > MAX_BYTES {
        reason.pop();
    }
    reason
}

export_detector!(Ensemble);

#[cfg(test)]
mod tests {
    use super::*;

    fn flagged(rows: &[(u32, f64)], reason: &str) -> Vec<Anomaly> {
        rows.iter().map(|&(row, score)| Anomaly { row, score, reason: reason.into() }).collect()
    }

    fn combined(rule: Rule) -> Vec<(u32, f64, String)> {
        let (a, b) = (flagged(&[(1, 5.0), (3, 2.0)], "a"), flagged(&[(2, 1.0), (3, 4.0), (9, 8.0)], "b"));
        combine(rule, a, b).into_iter().map(|one| (one.row, one.score, one.reason)).collect()
    }

    #[test]
    fn any_flags_what_either_flags() {
        let expected = [(1, 5.0, "a"), (2, 1.0, "b"), (3, 4.0, "a; b"), (9, 8.0, "b")];
        assert_eq!(combined(Rule::Any), expected.map(|(row, score, reason)| (row, score, reason.to_owned())));
    }

    #[test]
    fn all_flags_what_both_flag() {
        assert_eq!(combined(Rule::All), [(3, 4.0, "a; b".to_owned())]);
    }

    #[test]
    fn weights_decide_by_their_sum() {
        let rule = Rule::Weighted { a: 2.0, b: 0.5, from: 4.0 };
        let expected = [(1, 10.0, "a"), (3, 6.0, "a; b"), (9, 4.0, "b")];
        assert_eq!(combined(rule), expected.map(|(row, score, reason)| (row, score, reason.to_owned())));
    }

    #[test]
    fn what_comes_of_two_answers_is_an_answer() {
        let long = "ä".repeat(500);
        let both = combine(Rule::Any, flagged(&[(0, 1.0)], &long), flagged(&[(0, 1.0)], &long));
        assert!(both[0].reason.len() <= 1_000);
        let huge = Rule::Weighted { a: f64::MAX, b: f64::MAX, from: 0.0 };
        let sum = combine(huge, flagged(&[(0, 9.0)], ""), flagged(&[(0, 9.0)], ""));
        assert!(sum[0].score.is_finite());
    }

    #[test]
    fn columns_of_both_are_asked_for_once() {
        let (a, b) = (ColumnRequest::text("city").optional(), ColumnRequest::number("age"));
        let both = union(&[a.clone(), b.clone()], &[ColumnRequest::text("City ")]).unwrap();
        assert_eq!(both, [ColumnRequest::text("city"), b]);
        assert!(union(&[a], &[ColumnRequest::number("city")]).is_err());
    }

    #[test]
    fn the_stricter_order_holds() {
        assert_eq!(stricter(Ordering::Any, Ordering::PerUser), Ordering::PerUser);
        assert_eq!(stricter(Ordering::File, Ordering::PerUser), Ordering::File);
        assert_eq!(stricter(Ordering::Any, Ordering::Any), Ordering::Any);
    }
}
