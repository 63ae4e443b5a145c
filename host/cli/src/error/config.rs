//! Why arguments make no sense.

use host_core::advice;
use host_core::text::{counted, listed, nearest, one_line, printable, shell_quoted};
use host_source::{Field, LABEL_COLUMNS};
use thiserror::Error;

/// How many of a detector's columns a message names.
const SHOWN_COLUMNS: usize = 20;

/// The arguments make no sense.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "usage_")]
pub enum ConfigError {
    /// `--set` without `=`.
    #[error("`--set {}` is not NAME=VALUE", printable(.0))]
    Setting(String),
    /// No plugin, and no project whose plugin could be meant.
    #[error("no plugin is given, and the current folder is not that of a plugin's project")]
    NoPlugin,
    /// `--history` for a detector that learns nothing.
    #[error("`{}` judges each row by itself, so it learns nothing from `--history`", printable(plugin))]
    HistoryUnused {
        /// The plugin.
        plugin: String,
    },
    /// A file both to learn from and to ingest.
    #[error("`{}` is one of the files to ingest, and also of `--history`", printable(file))]
    HistoryOfItself {
        /// The file.
        file: String,
    },
    /// The same setting twice.
    #[error("the setting `{}` is given twice", printable(.0))]
    SettingTwice(String),
    /// `--column` that maps nothing, or maps a column twice.
    #[error("`--column {}` is not COLUMN=NAME, or names a column twice", printable(.0))]
    Column(String),
    /// `--column` with a name that means nothing.
    #[error(
        "`--column {}=…` names neither one of the columns that every file has nor one that the detector asks for",
        printable(name)
    )]
    UnknownColumn {
        /// The name.
        name: String,
        /// What the detector asks for.
        asked: Vec<String>,
    },
    /// `--column` of `host feedback` with a name that means nothing there.
    #[error("`--column {}=…` names no column that such files have", printable(name))]
    UnknownLabelColumn {
        /// The name.
        name: String,
    },
    /// A run that is not in the ledger.
    #[error("there is no run {0} in this database")]
    NoRun(i64),
    /// A state that no run has left.
    #[error("there is no state `{}` in this database", printable(.0))]
    NoState(String),
    /// Something is to be removed, and nobody can be asked.
    #[error("nobody can be asked whether to remove this: {what}")]
    NobodyToAsk {
        /// What would be removed.
        what: String,
        /// The command that does not ask.
        command: String,
    },
    /// Somebody was asked, and did not agree.
    #[error("{} stays as it is", printable(.0))]
    NotAgreed(String),
    /// An argument for psql that names another server than the embedded one.
    #[error("`host db psql` opens the embedded server, but `{}` names another", one_line(.0))]
    OtherServer(String),
    /// `--no-header` without positions.
    #[error("without a header, the position of every column must be given, and nothing but positions")]
    NoHeader,
    /// An option names the columns of a value, and `--column` names another one.
    #[error("`{option}` says where `{column}` is, and so does `--column {column}=…`")]
    ColumnTwice {
        /// The option.
        option: &'static str,
        /// The column.
        column: &'static str,
    },
    /// `--debit` and `--credit` are one column.
    #[error("`--debit` and `--credit` name the same column")]
    SameColumn,
    /// `--decimal-comma` with a format that has none.
    #[error("`--decimal-comma` contradicts the example of `--amount-format`, which has a decimal point")]
    DecimalComma,
    /// `--expect-total` that is no amount, or may be two.
    #[error("`--expect-total {}` is not an amount with at most two decimals", printable(.0))]
    Total(String),
    /// `--date-only` with a format that has a time.
    #[error("`--date-only` does not go with a `--timestamp-format` that has a time of day")]
    DateOnly,
    /// Another number of digests than of files.
    #[error(
        "`--expect-sha256` is given for {}, but the run has {}",
        counted(*digests as u64, "file"),
        counted(*files as u64, "file")
    )]
    DigestCount {
        /// How often `--expect-sha256` is given.
        digests: usize,
        /// How many files there are.
        files: usize,
    },
    /// `--on-conflict` without `--ids keep`.
    #[error("`--on-conflict` needs `--ids keep`: ids that the host allots are never taken")]
    ConflictOfAssigned,
    /// The same file for rejected records and for anomalies.
    #[error("`--rejects` and `--anomalies` name the same file")]
    OneFileForTwo,
    /// The same character for both.
    #[error("`--delimiter` and `--quote` must be different characters")]
    DelimiterAsQuote,
    /// `--ids keep` for files whose ids are not numbers.
    #[error(
        "`--ids keep` needs ids that are numbers: leave out `--transaction-ids`, or let the host allot ids"
    )]
    KeepNoNumbers,
    /// A column of which the user says two things.
    #[error("`--column {}=…` names a column that, as `--{}s none` says, is not there", .0, .0.replace('_', "-"))]
    ColumnOfNone(&'static str),
    /// A time that is zero or negative.
    #[error("`{0}` must be greater than zero")]
    Time(&'static str),
    /// A size that this platform cannot address.
    #[error("`{0}` is too large for this platform")]
    Size(&'static str),
}

/// The column that may have been meant: one that every file has, or one that the detector asks for.
fn nearest_column<'a>(name: &str, asked: &'a [String]) -> Option<&'a str> {
    let fields = [Field::TransactionId, Field::UserId, Field::Amount, Field::Timestamp].map(Field::name);
    nearest(name, fields.into_iter().chain(asked.iter().map(String::as_str)))
}

impl ConfigError {
    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            ConfigError::NoPlugin => Some(
                "name it (after `--plugin` if it is `host run` or `host check`), or go to a folder that `host plugin new` created".into(),
            ),
            ConfigError::Setting(_) => Some("settings look like `--set limit=500`".into()),
            ConfigError::Column(mapping) if mapping.starts_with("timestamp=") => {
                Some("columns that make up a timestamp together are given as in `--timestamp-columns Date,Time`".into())
            }
            ConfigError::Column(_) => {
                Some("the columns are transaction_id, user_id, amount and timestamp, and those that the detector asks for; for instance `--column amount=TX_AMOUNT`".into())
            }
            ConfigError::UnknownColumn { name, asked } => Some(match (nearest_column(name, asked), asked.as_slice()) {
                (Some(near), _) => format!("did you mean `--column {}=…`?", shell_quoted(near)),
                (None, []) => "the detector asks for no further columns".into(),
                (None, asked) => format!("the detector asks for {}", listed(asked, SHOWN_COLUMNS)),
            }),
            ConfigError::UnknownLabelColumn { .. } => {
                let names = LABEL_COLUMNS.map(str::to_owned);
                Some(format!("the columns are {}", listed(&names, names.len())))
            }
            ConfigError::NoState(_) => Some(format!(
                "list the states with `{}`",
                advice::on_database("state list")
            )),
            ConfigError::NoRun(_) => Some(format!(
                "the numbers of runs that wrote nothing are not reused, so some are missing; `{}` lists the runs that exist",
                advice::on_database("runs")
            )),
            ConfigError::Total(_) => Some(
                "for instance `--expect-total 125000.50`, or written like the example of `--amount-format`".into(),
            ),
            ConfigError::NobodyToAsk { command, .. } => {
                Some(format!("to remove it without being asked: `{}`", advice::on_database(command)))
            }
            ConfigError::DecimalComma => Some("leave out `--decimal-comma`".into()),
            ConfigError::SameColumn => Some(
                "if another column says which of them a row is, as in `--sign type=DR`, name that one".into(),
            ),
            ConfigError::HistoryUnused { .. } => Some("leave out `--history`".into()),
            ConfigError::HistoryOfItself { .. } => Some(
                "name in `--history` only files from before: what a run ingests, it learns from anyway".into(),
            ),
            ConfigError::ColumnTwice { .. } => Some("leave out one of them".into()),
            ConfigError::OtherServer(_) => Some("for another server, run `psql` itself".into()),
            ConfigError::DigestCount { .. } => {
                Some("give `--expect-sha256` once for each file, in the order in which they are read".into())
            }
            ConfigError::NoHeader => Some(
                "for instance `--column transaction_id=1 --column user_id=2 --column amount=3 --column timestamp=4`".into(),
            ),
            _ => None,
        }
    }
}
