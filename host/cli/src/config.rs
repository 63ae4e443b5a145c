//! From the command line and the environment to one validated configuration.

use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use host_core::advice;
use host_core::column::is_same;
use host_core::environment::Environment;
use host_detector::{Limits, Requirements};
use host_sink::{IdPolicy, OnConflict, Once, Patience, RunFilter, Target, TransactionOptions};
use host_source::timestamp::TimestampRules;
use host_source::{AmountColumns, ColumnMap, Expectations, InputRules, LABEL_COLUMNS, LineRules};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::cli::{
    ControlArgs, DatabaseArgs, DialectArgs, FeedbackArgs, FeedbackInputArgs, IdKindArg, IdsArg, IngestArgs,
    InputArgs, LineArgs, OnceArg, RunArgs, SandboxArgs, StateArg, ValueArgs, VerifyArgs, WantedArgs,
};
use crate::error::{ConfigError, Error};

/// What is read and what classifies it, as asked for.
#[derive(Clone)]
pub struct IngestConfig {
    /// Files, folders and patterns, as given.
    pub files: Vec<PathBuf>,
    /// Earlier files to learn from, in the same way.
    pub history: Vec<PathBuf>,
    /// The plugin, as given: a path or a name.
    pub plugin: PathBuf,
    /// Settings of the detector, in the order given.
    pub settings: Vec<(String, String)>,
    /// Instances of the detector that share the work, if it allows that.
    pub jobs: usize,
    /// How the files are read.
    pub rules: InputRules,
    /// What must be true of them.
    pub expected: Expectations,
    /// Limits of the sandbox.
    pub limits: Limits,
    /// What the plugin must be.
    pub requirements: Requirements,
}

/// One run, as asked for.
#[derive(Clone)]
pub struct RunConfig {
    /// What is read and what classifies it.
    pub ingest: IngestConfig,
    /// Where to write.
    pub target: Target,
    /// What the transaction is asked to do.
    pub options: TransactionOptions,
    /// Fewer rows than this fail the run.
    pub min_rows: u64,
    /// Where to write rejected rows, besides the database.
    pub rejects_file: Option<PathBuf>,
    /// The source of the files, if it was named.
    pub source: Option<String>,
    /// Where the detector goes on from.
    pub state: StateChoice,
}

/// Where a detector with a state goes on from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum StateChoice {
    /// From the state that has the plugin's name, or its name and the source's; nowhere if it has no state.
    #[default]
    Default,
    /// From nothing, in that state.
    New,
    /// It neither knows anything nor is what it learns kept.
    None,
    /// From the state of this name.
    Named(String),
}

impl IngestConfig {
    /// Validates what was given.
    ///
    /// # Errors
    /// [`ConfigError`]
    pub fn new(arguments: IngestArgs) -> Result<IngestConfig, ConfigError> {
        let rules = rules(arguments.input, arguments.batch_rows as usize)?;
        Ok(IngestConfig {
            files: arguments.files,
            history: arguments.history,
            plugin: arguments.plugin.ok_or(ConfigError::NoPlugin)?,
            settings: settings(arguments.settings)?,
            jobs: arguments.jobs.into(),
            expected: expectations(arguments.control, &rules)?,
            rules,
            limits: limits(&arguments.sandbox)?,
            requirements: requirements(&arguments.sandbox),
        })
    }
}

impl RunConfig {
    /// Validates what was given.
    ///
    /// # Errors
    /// [`ConfigError`] or [`SinkError::Target`](host_sink::SinkError::Target).
    pub fn new(arguments: RunArgs) -> Result<RunConfig, Error> {
        Ok(RunConfig {
            target: target(&arguments.database)?,
            options: options(&arguments)?,
            ingest: IngestConfig::new(arguments.ingest)?,
            min_rows: arguments.min_rows,
            rejects_file: arguments.rejects,
            source: arguments.source,
            state: arguments.state.into(),
        })
    }
}

impl From<Option<StateArg>> for StateChoice {
    fn from(argument: Option<StateArg>) -> StateChoice {
        match argument {
            None => StateChoice::Default,
            Some(StateArg::New) => StateChoice::New,
            Some(StateArg::None) => StateChoice::None,
            Some(StateArg::Named(name)) => StateChoice::Named(name),
        }
    }
}

/// A replay, as asked for.
pub struct VerifyConfig {
    /// The run.
    pub run_id: i64,
    /// Its files, as given.
    pub files: Vec<PathBuf>,
    /// Earlier files from which it learned, as given.
    pub history: Vec<PathBuf>,
    /// The plugin, if it is not to be found by the name in the ledger.
    pub plugin: Option<PathBuf>,
    /// Limits of the sandbox.
    pub limits: Limits,
    /// What the plugin must be, besides being the run's.
    pub requirements: Requirements,
    /// Where the run is.
    pub target: Target,
}

impl VerifyConfig {
    /// Validates what was given.
    ///
    /// # Errors
    /// [`ConfigError`] or [`SinkError::Target`](host_sink::SinkError::Target).
    pub fn new(arguments: VerifyArgs) -> Result<VerifyConfig, Error> {
        Ok(VerifyConfig {
            run_id: arguments.run,
            target: target(&arguments.database)?,
            limits: limits(&arguments.sandbox)?,
            requirements: requirements(&arguments.sandbox),
            plugin: arguments.plugin,
            files: arguments.files,
            history: arguments.history,
        })
    }
}

/// What is to be recorded as feedback, as asked for.
pub struct FeedbackConfig {
    /// Files, folders and patterns, as given.
    pub files: Vec<PathBuf>,
    /// How they are read.
    pub rules: InputRules,
    /// The present time in the zone of `known_at`, in microseconds since 1970.
    pub now_micros: i64,
    /// Where to write rejected records.
    pub rejects_file: Option<PathBuf>,
    /// Where to write.
    pub target: Target,
    /// How long to wait for others.
    pub lock_timeout: Option<Duration>,
}

impl FeedbackConfig {
    /// Validates what was given.
    ///
    /// # Errors
    /// [`ConfigError`] or [`SinkError::Target`](host_sink::SinkError::Target).
    pub fn new(arguments: FeedbackArgs) -> Result<FeedbackConfig, Error> {
        let FeedbackInputArgs {
            dialect: DialectArgs { delimiter, quote, encoding },
            max_rejects,
            timestamp_format,
            timezone,
            columns,
        } = arguments.input;
        let columns = column_map(columns)?;
        let is_known = |name: &str| LABEL_COLUMNS.iter().any(|known| is_same(known, name));
        if let Some((name, _)) = columns.iter().find(|(name, _)| !is_known(name)) {
            return Err(ConfigError::UnknownLabelColumn { name: name.to_owned() }.into());
        }
        let now = timezone.as_ref().unwrap_or(&TimeZone::UTC).to_datetime(Timestamp::now());
        // In UTC, a local time is the number of microseconds as which it is stored.
        let now = TimeZone::UTC.to_timestamp(now).unwrap_or(Timestamp::UNIX_EPOCH);
        let rules = InputRules {
            delimiter,
            quote,
            encoding,
            max_rejects,
            columns,
            timestamps: TimestampRules {
                form: timestamp_format.unwrap_or_default(),
                zone: timezone,
                decimal_point: b'.',
            },
            ..InputRules::default()
        };
        if rules.delimiter() == rules.quote {
            return Err(ConfigError::DelimiterAsQuote.into());
        }
        Ok(FeedbackConfig {
            target: target(&arguments.database)?,
            lock_timeout: lock_timeout(arguments.lock_timeout)?,
            files: arguments.files,
            now_micros: now.as_microsecond(),
            rejects_file: arguments.rejects,
            rules,
        })
    }
}

/// What the transaction is asked to do.
///
/// # Errors
/// [`ConfigError`]
pub fn options(arguments: &RunArgs) -> Result<TransactionOptions, ConfigError> {
    let ids = match (arguments.ids, arguments.on_conflict) {
        (IdsArg::Assign, None) => IdPolicy::Assign,
        (IdsArg::Assign, Some(_)) => return Err(ConfigError::ConflictOfAssigned),
        (IdsArg::Keep, _) if arguments.ingest.input.ids.transaction_ids != IdKindArg::Number => {
            return Err(ConfigError::KeepNoNumbers);
        }
        (IdsArg::Keep, on_conflict) => IdPolicy::Keep(on_conflict.map_or(OnConflict::Fail, OnConflict::from)),
    };
    let lock_timeout = lock_timeout(arguments.lock_timeout)?;
    let once = arguments.once.map(|once| match once {
        OnceArg::File => Once::File,
        OnceArg::All => Once::All,
    });
    Ok(TransactionOptions {
        lock_timeout,
        ids,
        transaction_ids: arguments.ingest.input.ids.transaction_ids.into(),
        user_ids: arguments.ingest.input.ids.user_ids.into(),
        has_currencies: arguments.ingest.input.values.currency.is_some(),
        once,
        defer_keys: arguments.defer_keys.into(),
    })
}

/// A time, which must be greater than zero.
///
/// # Errors
/// [`ConfigError::Time`]
pub fn time(flag: &'static str, time: SignedDuration) -> Result<Duration, ConfigError> {
    Duration::try_from(time).ok().filter(|time| !time.is_zero()).ok_or(ConfigError::Time(flag))
}

/// Settings of a detector, each given as `NAME=VALUE`.
///
/// # Errors
/// [`ConfigError::Setting`] and [`ConfigError::SettingTwice`].
pub fn settings(given: Vec<String>) -> Result<Vec<(String, String)>, ConfigError> {
    let mut settings: Vec<(String, String)> = Vec::new();
    for setting in given {
        let Some((name, value)) = setting.split_once('=') else {
            return Err(ConfigError::Setting(setting));
        };
        if settings.iter().any(|(other, _)| other == name) {
            return Err(ConfigError::SettingTwice(name.to_owned()));
        }
        settings.push((name.to_owned(), value.to_owned()));
    }
    Ok(settings)
}

/// How the files are read.
fn rules(arguments: InputArgs, batch_rows: usize) -> Result<InputRules, ConfigError> {
    let columns = column_map(arguments.columns)?;
    let ValueArgs { timestamp_columns, date_only, amount_format, currency, .. } = &arguments.values;
    let decimal_point = match amount_format {
        Some(format) if arguments.decimal_comma && format.decimal_point() != b',' => {
            return Err(ConfigError::DecimalComma);
        }
        Some(format) => format.decimal_point(),
        None if arguments.decimal_comma => b',',
        None => b'.',
    };
    let form = arguments.timestamp_format.unwrap_or_default();
    let form = if *date_only { form.of_dates().ok_or(ConfigError::DateOnly)? } else { form };
    let rules = InputRules {
        delimiter: arguments.dialect.delimiter,
        quote: arguments.dialect.quote,
        lines: line_rules(arguments.lines),
        encoding: arguments.dialect.encoding,
        has_header: !arguments.no_header,
        columns,
        decimal_point,
        amount_format: amount_format.clone(),
        rejects_three_decimals: true,
        amount_columns: amount_columns(&arguments.values)?,
        timestamps: TimestampRules { form, zone: arguments.timezone, decimal_point },
        timestamp_columns: timestamp_columns.clone(),
        currency: currency.clone(),
        transaction_ids: arguments.ids.transaction_ids.into(),
        user_ids: arguments.ids.user_ids.into(),
        max_rejects: arguments.max_rejects,
        strict_files: arguments.strict_files,
        batch_rows,
    };
    if rules.delimiter() == rules.quote {
        return Err(ConfigError::DelimiterAsQuote);
    }
    if let Some(field) = rules.absent().iter().find(|field| rules.columns.get(field.name()).is_some()) {
        return Err(ConfigError::ColumnOfNone(field.name()));
    }
    if let Some((option, column)) = rules.column_named_twice() {
        return Err(ConfigError::ColumnTwice { option, column });
    }
    if !rules.has_header && !rules.has_all_positions() {
        return Err(ConfigError::NoHeader);
    }
    Ok(rules)
}

/// Columns that have other names in the files, each given as `COLUMN=NAME`.
fn column_map(given: Vec<String>) -> Result<ColumnMap, ConfigError> {
    let mut columns = ColumnMap::default();
    for mapping in given {
        let is_added = mapping.split_once('=').is_some_and(|(name, in_file)| columns.add(name, in_file));
        if !is_added {
            return Err(ConfigError::Column(mapping));
        }
    }
    Ok(columns)
}

/// Which columns amounts are in.
fn amount_columns(arguments: &ValueArgs) -> Result<AmountColumns, ConfigError> {
    // clap has seen to it that only one of these was given, and debit and credit together.
    match (&arguments.debit, &arguments.credit, &arguments.sign) {
        (Some(debit), Some(credit), _) if is_same(debit, credit) => Err(ConfigError::SameColumn),
        (Some(debit), Some(credit), _) => {
            Ok(AmountColumns::DebitOrCredit { debit: debit.clone(), credit: credit.clone() })
        }
        (_, _, Some(sign)) => Ok(AmountColumns::Signed(sign.clone())),
        _ => Ok(AmountColumns::Amount),
    }
}

fn line_rules(arguments: LineArgs) -> LineRules {
    let LineArgs { skip_lines, header_contains, skip_last, stop_at, trailer } = arguments;
    LineRules { skip_lines, header_contains, skip_last, stop_at, trailer }
}

fn expectations(arguments: ControlArgs, rules: &InputRules) -> Result<Expectations, ConfigError> {
    // As the files have it, or plain: no text means two numbers.
    let total = |text: String| {
        let plain = || InputRules::default().total_cents(text.as_bytes());
        rules.total_cents(text.as_bytes()).or_else(plain).ok_or_else(|| ConfigError::Total(text.clone()))
    };
    Ok(Expectations {
        rows: arguments.expect_rows,
        total_cents: arguments.expect_total.map(total).transpose()?,
        sha256: arguments.expect_sha256,
        final_newline: arguments.require_final_newline,
    })
}

/// The limits imposed on the plugin.
///
/// # Errors
/// [`ConfigError`]
pub fn limits(arguments: &SandboxArgs) -> Result<Limits, ConfigError> {
    let size = |flag, size: ByteSize| usize::try_from(size.as_u64()).map_err(|_| ConfigError::Size(flag));
    let defaults = Limits::default();
    Ok(Limits {
        engine: arguments.engine.engine.into(),
        call_deadline: time("--deadline", arguments.deadline)?,
        run_deadline: arguments.run_deadline.map(|given| time("--run-deadline", given)).transpose()?,
        compile_deadline: time("--compile-deadline", arguments.compile_deadline)?,
        compile_memory_bytes: size("--compile-memory-limit", arguments.compile_memory_limit)?,
        fuel: arguments.fuel,
        memory_bytes: size("--memory-limit", arguments.memory_limit)?,
        stack_bytes: size("--stack-limit", arguments.stack_limit)?,
        transfer_bytes: size("--transfer-limit", arguments.transfer_limit)?,
        batch_anomalies: arguments.batch_anomalies.unwrap_or(defaults.batch_anomalies),
        log_lines: arguments.log_lines,
        plugin_bytes: defaults.plugin_bytes,
        deterministic_nan: arguments.deterministic,
        chance: 0,
    })
}

/// What the plugin must be.
#[must_use]
pub fn requirements(arguments: &SandboxArgs) -> Requirements {
    Requirements { strict: arguments.strict, sha256: arguments.plugin_sha256 }
}

/// How long to wait for others, if that is limited.
///
/// # Errors
/// [`ConfigError`]
pub fn lock_timeout(given: Option<SignedDuration>) -> Result<Option<Duration>, ConfigError> {
    given.map(|given| time("--lock-timeout", given)).transpose()
}

/// Which runs are looked at: those committed since then, if it matters.
#[must_use]
pub fn wanted(arguments: &WantedArgs, since: Option<Timestamp>) -> RunFilter {
    let WantedArgs { file, source, plugin } = arguments.clone();
    RunFilter { since, file, source, plugin, is_not_undone: false }
}

/// The database selected by the arguments and the environment.
///
/// # Errors
/// [`ConfigError`] or [`SinkError::Target`](host_sink::SinkError::Target).
pub fn target(arguments: &DatabaseArgs) -> Result<Target, Error> {
    let patience = Patience {
        connect: arguments.connect_timeout.map(|given| time("--connect-timeout", given)).transpose()?,
        answer: time("--server-timeout", arguments.server_timeout)?,
    };
    let target = Target::choose(arguments.database_url.as_deref(), patience, &Environment::of_process())?;
    if let Some(url) = &arguments.database_url {
        advice::remember_database(url);
    }
    Ok(target)
}
