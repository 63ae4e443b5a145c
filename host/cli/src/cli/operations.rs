//! Arguments of the commands with which runs are watched and kept in order.

use clap::{ArgGroup, Args};
use host_core::text::is_unprintable;
use jiff::{SignedDuration, Span, SpanRelativeTo};

use super::database::DatabaseArgs;
use super::ledger::WantedArgs;

/// Characters that the name of a source may have.
const SOURCE_CHARS: usize = 100;

/// Arguments of `host status`.
#[derive(Debug, Args)]
pub struct StatusArgs {
    /// How long ago the latest run may have been committed, such as `26h` or `2d`
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub max_age: Option<SignedDuration>,

    /// How many rows the latest run must have written
    #[arg(long, value_name = "ROWS")]
    pub min_rows: Option<u64>,

    /// How much the share of anomalies in the latest run may differ from that of up to 30 runs before it, such
    /// as `50%`: with 2 in 100 rows until then, 1 to 3 in 100
    #[arg(long, value_name = "P%", value_parser = percentage)]
    pub anomaly_change: Option<f64>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub wanted: WantedArgs,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

/// Arguments of `host prune`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).multiple(true).args(["rejects", "skipped", "replaced"])))]
#[command(group(ArgGroup::new("which").required(true).multiple(true).args(["older", "run"])))]
pub struct PruneArgs {
    /// Remove rejected records
    #[arg(long)]
    pub rejects: bool,

    /// Remove what is recorded about skipped rows; `host verify` can then not tell any more which rows these
    /// runs have written
    #[arg(long)]
    pub skipped: bool,

    /// Remove what rows were before they were replaced; `host verify` can then not compare the replaced rows any
    /// more
    #[arg(long)]
    pub replaced: bool,

    /// Only of runs that were committed longer ago than this, such as `90d`
    #[arg(long, value_name = "TIME", value_parser = age)]
    pub older: Option<SignedDuration>,

    /// Only of this run
    #[arg(long, value_name = "RUN")]
    pub run: Option<i64>,

    /// Remove nothing; say what would be removed
    #[arg(long)]
    pub dry_run: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub database: DatabaseArgs,
}

/// A time that days and weeks may be part of; a day has 24 hours.
fn age(text: &str) -> Result<SignedDuration, String> {
    let span = text.parse::<Span>().ok();
    let time = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok());
    time.filter(|time| time.is_positive()).ok_or_else(|| "give a time such as `26h` or `90d`".into())
}

/// A share: `50%` is 0.5.
fn percentage(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let percent = number.filter(|percent| percent.is_finite() && *percent >= 0.0);
    percent.map(|percent| percent / 100.0).ok_or_else(|| "give a percentage such as `50%`".into())
}

/// The name of a source: something that people can read, and find again.
pub(super) fn source(text: &str) -> Result<String, String> {
    let chars = text.chars().count();
    if chars == 0 || chars > SOURCE_CHARS {
        return Err(format!("a name has 1 to {SOURCE_CHARS} characters"));
    }
    if text.contains(is_unprintable) {
        return Err("a name has no control characters".into());
    }
    if text.trim() != text {
        return Err("a name neither begins nor ends with a blank".into());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_days_but_no_months() {
        assert_eq!(age("26h"), Ok(SignedDuration::from_hours(26)));
        assert_eq!(age("90d"), Ok(SignedDuration::from_hours(90 * 24)));
        assert_eq!(age("1w 2d"), Ok(SignedDuration::from_hours(9 * 24)));
        for wrong in ["", "90", "3 months", "0s", "-1d", "1y", "soon"] {
            assert!(age(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_percentage_says_that_it_is_one() {
        assert_eq!(percentage("50%"), Ok(0.5));
        assert_eq!(percentage("0%"), Ok(0.0));
        for wrong in ["50", "%", "-1%", "NaN%", "inf%", "half"] {
            assert!(percentage(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sources_have_names_that_can_be_read() {
        assert_eq!(source("Filiale Köln (2)").as_deref(), Ok("Filiale Köln (2)"));
        assert!(source(&"x".repeat(100)).is_ok());
        for wrong in ["", " a", "a ", "a\nb", "a\u{1b}b", "a\u{202e}b", &"x".repeat(101)] {
            assert!(source(wrong).is_err(), "{wrong:?}");
        }
    }
}
