//! What can be wrong with a plugin, from its bytes to its last answer.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use host_core::batch::Batch;
use host_core::digest::Sha256Digest;
use host_core::text::{argument, counted, listed, printable};
use thiserror::Error;

use crate::contract::types::GuestErrorKind;
use crate::contract::version::SPOKEN;
use crate::refusal::Refusal;
use crate::runtime::limits::TransferLimit;
use crate::trace::Trace;
use crate::verify::Violation;

/// How many of a plugin's imports a message lists.
pub(super) const SHOWN_IMPORTS: usize = 5;

/// What the guest was asked to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// Start up: instantiation runs the guest's start functions.
    Start,
    /// `describe`
    Describe,
    /// `configure`
    Configure,
    /// `classify`
    Classify(BatchSpan),
    /// `score`
    Score(BatchSpan),
    /// `finish`
    Finish,
    /// `snapshot`
    Snapshot,
    /// `restore`
    Restore,
    /// `feedback`, with the number of rows.
    Feedback {
        /// Number of rows.
        rows: u64,
    },
}

/// Which rows a batch has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSpan {
    /// Position of the first row in the run, from 0.
    pub first_row: u64,
    /// Number of rows.
    pub rows: u64,
    /// Physical lines of the first and the last row.
    pub lines: (u64, u64),
}

impl BatchSpan {
    pub(crate) fn of(batch: &Batch) -> BatchSpan {
        BatchSpan { first_row: batch.first_row, rows: batch.len() as u64, lines: batch.line_span() }
    }
}

impl fmt::Display for BatchSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BatchSpan { first_row, rows, lines: (first_line, last_line) } = self;
        let (first, last) = (first_row + 1, first_row + rows);
        write!(f, "rows {first} to {last} (lines {first_line} to {last_line})")
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Start => f.write_str("while it was started"),
            Call::Describe => f.write_str("in `describe`"),
            Call::Configure => f.write_str("in `configure`"),
            Call::Classify(span) => write!(f, "in `classify`, on {span}"),
            Call::Score(span) => write!(f, "in `score`, on {span}"),
            Call::Finish => f.write_str("in `finish`"),
            Call::Snapshot => f.write_str("in `snapshot`"),
            Call::Restore => f.write_str("in `restore`"),
            Call::Feedback { rows } => write!(f, "in `feedback`, on {}", counted(*rows, "row")),
        }
    }
}

/// Why a plugin could not be used. `plugin` is its name as it was given.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "plugin_")]
#[non_exhaustive]
pub enum DetectorError {
    /// The file cannot be read.
    #[error("could not read the plugin `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than allowed.
    #[error("the plugin `{}` has {bytes} bytes; at most {allowed} are allowed", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        allowed: u64,
    },
    /// The bytes are not binary WebAssembly.
    #[error("`{}` is not a plugin: it is {found}", file.display())]
    NotWasm {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// A core module that cannot be turned into a component.
    #[error("`{}` is a core WebAssembly module without a component type", file.display())]
    CoreModule {
        /// The file.
        file: PathBuf,
    },
    /// The bytes are broken.
    #[error("`{}` is not valid WebAssembly", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// The validator's error.
        source: wasmtime::Error,
    },
    /// A component of another kind.
    #[error("`{}` is a WebAssembly component, but not a detector: {missing}", file.display())]
    NotADetector {
        /// The file.
        file: PathBuf,
        /// The part of the contract that is missing.
        missing: String,
    },
    /// A detector for another version of the contract.
    #[error("`{}` was built for ingest:detector {}; this host speaks {SPOKEN}", file.display(), printable(version))]
    WrongContract {
        /// The file.
        file: PathBuf,
        /// The version in its imports.
        version: String,
    },
    /// It imports what the host does not offer, or its exports have other types.
    #[error("`{plugin}` is not compatible with this host")]
    Link {
        /// The plugin.
        plugin: String,
        /// What does not fit.
        source: wasmtime::Error,
    },
    /// It refused a setting.
    #[error("`{plugin}` does not accept the setting `{}`: {}", printable(setting), printable(message))]
    Setting {
        /// The plugin.
        plugin: String,
        /// The setting.
        setting: String,
        /// The plugin's message.
        message: String,
        /// The settings that it has.
        known: Vec<String>,
    },
    /// It returned an error.
    #[error("`{plugin}` returned an error {call}: {}", printable(message))]
    Guest {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// Which error.
        kind: GuestErrorKind,
        /// The plugin's message.
        message: String,
    },
    /// A call took too long.
    #[error("`{plugin}` did not finish within {} s {call}", deadline.as_secs_f64())]
    Deadline {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// The time allowed for one call.
        deadline: Duration,
        /// Where it was.
        trace: Box<Trace>,
    },
    /// All calls together took too long.
    #[error("`{plugin}` used up the {} s allowed for the run {call}", deadline.as_secs_f64())]
    RunDeadline {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// The time allowed for all calls of a run.
        deadline: Duration,
        /// Where it was.
        trace: Box<Trace>,
    },
    /// It could not be compiled in time.
    #[error("`{plugin}` could not be compiled within {} s", deadline.as_secs_f64())]
    CompileDeadline {
        /// The plugin.
        plugin: String,
        /// The time allowed.
        deadline: Duration,
    },
    /// Compiling it takes too much memory.
    #[error("`{plugin}` needs more than {} of memory to be compiled", mebibytes(*allowed_bytes))]
    CompileMemory {
        /// The plugin.
        plugin: String,
        /// What is allowed.
        allowed_bytes: usize,
    },
    /// The process that compiled it died.
    #[error("`{plugin}` crashed the compiler: {how}")]
    CompilerCrash {
        /// The plugin.
        plugin: String,
        /// How the process ended, or its last words.
        how: String,
    },
    /// It executed too many instructions.
    #[error("`{plugin}` used up its {fuel} units of fuel {call}")]
    Fuel {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// The fuel allowed for a run.
        fuel: u64,
        /// Where it was.
        trace: Box<Trace>,
    },
    /// It passed too much data.
    #[error("`{plugin}` passed more than {} of lists and strings {call}", mebibytes(*allowed_bytes))]
    Transfer {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// The limit for one call.
        allowed_bytes: usize,
        /// Where the limit comes from.
        because: TransferLimit,
        /// Where it was.
        trace: Box<Trace>,
    },
    /// Its bytes are not the expected ones.
    #[error("the plugin `{}` has the sha256 {found}, not {expected}", file.display())]
    OtherBytes {
        /// The file.
        file: PathBuf,
        /// The digest that was asked for.
        expected: Sha256Digest,
        /// The digest of the file.
        found: Sha256Digest,
    },
    /// It imports more than a strict host grants.
    #[error("`{}` imports more than `ingest:detector`: {}", file.display(), listed(imports, SHOWN_IMPORTS))]
    NotStrict {
        /// The file.
        file: PathBuf,
        /// The other imports.
        imports: Vec<String>,
    },
    /// It imports what the host does not provide.
    #[error("`{}` imports what this host does not provide: {}", file.display(), listed(imports, SHOWN_IMPORTS))]
    RefusedImports {
        /// The file.
        file: PathBuf,
        /// Those imports.
        imports: Vec<String>,
    },
    /// It wanted too much memory.
    #[error("`{plugin}` asked for {} of memory {call}; {} are allowed", mebibytes(*asked_bytes), mebibytes(*allowed_bytes))]
    Memory {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// The total that it would have had.
        asked_bytes: usize,
        /// What is allowed.
        allowed_bytes: usize,
        /// Where it was.
        trace: Box<Trace>,
    },
    /// It wanted tables that are too large.
    #[error("`{plugin}` asked for tables of {asked} entries {call}; {allowed} are allowed")]
    TableEntries {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// The entries that all its tables together would have had.
        asked: usize,
        /// What is allowed.
        allowed: usize,
        /// Where it was.
        trace: Box<Trace>,
    },
    /// The system refused what it takes to run any plugin.
    #[error("the system refused {refusal} for `{plugin}` {during}")]
    System {
        /// The plugin.
        plugin: String,
        /// When, such as "while it was compiled".
        during: String,
        /// What the system refused.
        refusal: Refusal,
        /// The engine's error; `None` if only the guest noticed that it did not get memory.
        source: Option<wasmtime::Error>,
    },
    /// It crashed.
    #[error("`{plugin}` crashed {call}: {}", trap.summary)]
    Trap {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// How.
        trap: Box<TrapReport>,
    },
    /// It passed something that is not a valid value of the contract's types.
    #[error("`{plugin}` passed malformed data {call}")]
    Malformation {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// What is wrong with it.
        source: wasmtime::Error,
    },
    /// Its answer breaks the contract.
    #[error("`{plugin}` broke the contract {call}")]
    Violation {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// Which rule.
        source: Violation,
    },
    /// The sandbox itself could not be set up.
    #[error("could not set up the WebAssembly engine")]
    Engine {
        /// Why.
        source: wasmtime::Error,
    },
}

/// What is known about a crash.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TrapReport {
    /// What happened, in a few words.
    pub summary: String,
    /// The guest's panic messages: usually one, or none.
    pub panics: Vec<String>,
    /// Where it was.
    pub trace: Box<Trace>,
    /// The last lines that the guest logged.
    pub log: Vec<String>,
}

impl DetectorError {
    /// Further details, each with a label.
    #[must_use]
    pub fn details(&self) -> Vec<(String, Cow<'_, str>)> {
        let (panics, trace, log) = match self {
            DetectorError::Trap { trap, .. } => (&trap.panics[..], &trap.trace, &trap.log[..]),
            DetectorError::Deadline { trace, .. }
            | DetectorError::RunDeadline { trace, .. }
            | DetectorError::Fuel { trace, .. }
            | DetectorError::Transfer { trace, .. }
            | DetectorError::Memory { trace, .. }
            | DetectorError::TableEntries { trace, .. } => (&[][..], trace, &[][..]),
            _ => return Vec::new(),
        };
        let panics = panics.iter().map(|panic| ("panic", Cow::from(panic)));
        let calls = trace.calls.iter().map(|call| ("called", Cow::from(call)));
        let left_out = trace.left_out().map(|text| ("left out", Cow::from(text)));
        let log = log.iter().map(|line| ("logged", Cow::from(line)));
        let all = panics.chain(calls).chain(left_out).chain(log);
        all.map(|(label, text)| (label.to_owned(), text)).collect()
    }

    /// What the guest was doing; `None` if it was not running.
    #[must_use]
    pub fn call(&self) -> Option<&Call> {
        match self {
            DetectorError::Guest { call, .. }
            | DetectorError::Deadline { call, .. }
            | DetectorError::RunDeadline { call, .. }
            | DetectorError::Fuel { call, .. }
            | DetectorError::Transfer { call, .. }
            | DetectorError::Memory { call, .. }
            | DetectorError::TableEntries { call, .. }
            | DetectorError::Trap { call, .. }
            | DetectorError::Malformation { call, .. }
            | DetectorError::Violation { call, .. } => Some(call),
            _ => None,
        }
    }

    /// What the user can do, if anything.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            DetectorError::CoreModule { .. } => Some(
                "build it with bindings for this host's WIT (in Rust: the `detector-sdk` crate), which embed the component type".into(),
            ),
            DetectorError::NotADetector { .. } => {
                Some("plugins implement the world `detector` of `ingest:detector`; see the folder wit/".into())
            }
            DetectorError::WrongContract { .. } => {
                Some(format!("rebuild the plugin against ingest:detector {SPOKEN}, or use the host that it was built for"))
            }
            DetectorError::Setting { known, .. } if !known.is_empty() => {
                Some(format!("its settings are {}; pass them as `--set name=value`", listed(known, known.len())))
            }
            DetectorError::Deadline { deadline, .. } => Some(more("deadline", &argument(deadline.saturating_mul(2)))),
            DetectorError::RunDeadline { deadline, .. } => {
                Some(more("run-deadline", &argument(deadline.saturating_mul(2))))
            }
            DetectorError::CompileDeadline { deadline, .. } => {
                Some(more("compile-deadline", &argument(deadline.saturating_mul(2))))
            }
            DetectorError::Fuel { fuel, .. } => Some(more("fuel", &fuel.saturating_mul(2).to_string())),
            DetectorError::Transfer { allowed_bytes, because: TransferLimit::Setting, .. } => {
                Some(more("transfer-limit", &format!("{}KiB", allowed_bytes.div_ceil(512))))
            }
            DetectorError::Transfer { because: TransferLimit::Memory { allowed_bytes }, .. } => {
                Some(more("memory-limit", &format!("{}MiB", allowed_bytes.div_ceil(512 * 1024))))
            }
            DetectorError::Transfer { because: TransferLimit::Answer, .. } => {
                Some("no correct answer is so long, so no option allows it; this is a bug in the plugin".into())
            }
            DetectorError::Transfer { because: TransferLimit::HostFunction, .. } => {
                Some("no function of the host takes more at a time, whatever the options; its author should pass less".into())
            }
            DetectorError::Memory { asked_bytes, .. } => {
                Some(more("memory-limit", &format!("{}MiB", asked_bytes.div_ceil(1024 * 1024))))
            }
            DetectorError::CompileMemory { allowed_bytes, .. } => {
                Some(more("compile-memory-limit", &format!("{}MiB", allowed_bytes.div_ceil(512 * 1024))))
            }
            DetectorError::CompilerCrash { .. } => {
                Some("none of its code has run; if it is honest, its author should build it another way".into())
            }
            DetectorError::System { refusal, .. } => Some(refusal.help().into()),
            DetectorError::Engine { source } => Refusal::of(source).map(|refusal| refusal.help().into()),
            DetectorError::OtherBytes { .. } => {
                Some("this is another plugin, or another version of it; see `--plugin-sha256`".into())
            }
            DetectorError::NotStrict { .. } => Some(
                "build it without WASI (in Rust: for wasm32-unknown-unknown), or leave out `--strict`: what it imports is there, but grants nothing".into(),
            ),
            DetectorError::RefusedImports { .. } => Some(
                "plugins get nothing but `ingest:detector` and a WASI that grants nothing; build it without the rest".into(),
            ),
            DetectorError::Trap { .. }
            | DetectorError::Violation { .. }
            | DetectorError::Malformation { .. } => {
                Some("this is a bug in the plugin; its author needs the lines above".into())
            }
            _ => None,
        }
    }
}

/// A limit may be too tight for a plugin that means no harm.
fn more(option: &str, value: &str) -> String {
    format!("if the plugin is honest, allow more, for instance with `--{option} {value}`")
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}
