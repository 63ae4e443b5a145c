//! What can be wrong with a plugin, from finding it to its last answer.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use super::contract::SPOKEN;
use super::refusal::Refusal;
use super::verify::Violation;
use crate::digest::Sha256Digest;
use crate::environment::VariableError;
use crate::text::{argument, listed, printable, shell_quoted};

/// How many of a plugin's imports a message names.
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
    /// `classify`, with the batch's rows (from 0) and physical lines.
    Classify {
        /// Position of the first row in the run.
        first_row: u64,
        /// Number of rows.
        rows: u64,
        /// Lines of the first and the last row.
        lines: (u64, u64),
    },
    /// `finish`
    Finish,
    /// `snapshot`
    Snapshot,
    /// `restore`
    Restore,
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Call::Start => f.write_str("while it was started"),
            Call::Describe => f.write_str("in `describe`"),
            Call::Configure => f.write_str("in `configure`"),
            Call::Classify { first_row, rows, lines: (first_line, last_line) } => write!(
                f,
                "in `classify`, on rows {} to {} (lines {first_line} to {last_line})",
                first_row + 1,
                first_row + rows,
            ),
            Call::Finish => f.write_str("in `finish`"),
            Call::Snapshot => f.write_str("in `snapshot`"),
            Call::Restore => f.write_str("in `restore`"),
        }
    }
}

/// Which of the contract's errors a guest returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GuestErrorKind {
    /// `invalid-input`
    InvalidInput,
    /// `internal`
    Internal,
}

/// What allows a guest to pass no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransferLimit {
    /// What the user allows a call.
    Setting,
    /// What any function of the host takes at most.
    HostFunction,
    /// What any right answer to this call has at most.
    Answer,
    /// Its memory, of which nothing more is left: what it passes is part of it.
    Memory {
        /// All of it.
        allowed_bytes: usize,
    },
}

/// Why a plugin could not be used. `plugin` is its name as it was given.
#[derive(Debug, Error, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case", prefix = "plugin_")]
pub enum DetectorError {
    /// A variable of the environment that says where plugins are.
    #[error(transparent)]
    Variable(#[from] VariableError),
    /// No such file where plugins are looked for.
    #[error("no plugin `{}`; looked in {}", printable(plugin), places(looked_in))]
    NotFound {
        /// As given.
        plugin: String,
        /// The places, in order.
        looked_in: Vec<PathBuf>,
        /// The name that is nearest to it of those that are there.
        nearest: Option<String>,
    },
    /// Different files of this name where plugins are looked for.
    #[error("`{}` is ambiguous; it matches {}", printable(plugin), places(found))]
    Ambiguous {
        /// As given.
        plugin: String,
        /// The files.
        found: Vec<PathBuf>,
    },
    /// The file cannot be read.
    #[error("could not read the plugin `{}`", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is larger than a plugin may be.
    #[error("the plugin `{}` has {bytes} bytes; at most {allowed} are allowed", file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// Its size.
        bytes: u64,
        /// The limit.
        allowed: u64,
    },
    /// The bytes are no binary WebAssembly.
    #[error("`{}` is not a plugin: it is {found}", file.display())]
    NotWasm {
        /// The file.
        file: PathBuf,
        /// What it is instead.
        found: &'static str,
    },
    /// WebAssembly, but nothing that could be a component.
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
        /// What the validator says.
        source: wasmtime::Error,
    },
    /// A component of another kind.
    #[error("`{}` is a WebAssembly component, but not a detector: {missing}", file.display())]
    NotADetector {
        /// The file.
        file: PathBuf,
        /// What of the contract it does not have.
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
    /// It imports what the host does not offer, or exports with other types.
    #[error("`{plugin}` does not fit this host")]
    Link {
        /// The plugin.
        plugin: String,
        /// What does not fit.
        source: wasmtime::Error,
    },
    /// It refused a setting.
    #[error("`{plugin}` does not take the setting `{}`: {}", printable(setting), printable(message))]
    Setting {
        /// The plugin.
        plugin: String,
        /// The setting.
        setting: String,
        /// What the plugin says.
        message: String,
        /// The settings that it has.
        known: Vec<String>,
    },
    /// It returned an error.
    #[error("`{plugin}` gave up {call}: {}", printable(message))]
    Guest {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// Which error.
        kind: GuestErrorKind,
        /// What the plugin says.
        message: String,
    },
    /// A call took too long.
    #[error("`{plugin}` did not finish within {} s {call}", deadline.as_secs_f64())]
    Deadline {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// What is allowed for one call.
        deadline: Duration,
    },
    /// All calls together took too long.
    #[error("`{plugin}` used up the {} s of its run {call}", deadline.as_secs_f64())]
    RunDeadline {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// What is allowed for all calls of a run.
        deadline: Duration,
    },
    /// It could not be compiled in time.
    #[error("`{plugin}` could not be compiled within {} s", deadline.as_secs_f64())]
    CompileDeadline {
        /// The plugin.
        plugin: String,
        /// What is allowed.
        deadline: Duration,
    },
    /// It takes too much memory to compile.
    #[error("`{plugin}` needs more than {} of memory to be compiled", mebibytes(*allowed_bytes))]
    CompileMemory {
        /// The plugin.
        plugin: String,
        /// What is allowed.
        allowed_bytes: usize,
    },
    /// The process that compiled it died.
    #[error("`{plugin}` brought the compiler down: {how}")]
    CompilerCrash {
        /// The plugin.
        plugin: String,
        /// How it ended, or what it said at the end.
        how: String,
    },
    /// It executed too many instructions.
    #[error("`{plugin}` used up its {fuel} units of fuel {call}")]
    Fuel {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// What is allowed for a run.
        fuel: u64,
    },
    /// It passed too much data.
    #[error("`{plugin}` passed more than {} of lists and strings {call}", mebibytes(*allowed_bytes))]
    Transfer {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// What is allowed for one call.
        allowed_bytes: usize,
        /// What allows no more.
        because: TransferLimit,
    },
    /// Its bytes are not those that were asked for.
    #[error("the plugin `{}` has the sha256 {found}, not {expected}", file.display())]
    OtherBytes {
        /// The file.
        file: PathBuf,
        /// What was asked for.
        expected: Sha256Digest,
        /// What it is.
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
    /// It imports what the host does not have.
    #[error("`{}` imports what this host does not have: {}", file.display(), listed(imports, SHOWN_IMPORTS))]
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
        /// What it would have had.
        asked_bytes: usize,
        /// What is allowed.
        allowed_bytes: usize,
    },
    /// It wanted too large tables.
    #[error("`{plugin}` asked for tables of {asked} entries {call}; {allowed} are allowed")]
    TableEntries {
        /// The plugin.
        plugin: String,
        /// In which call.
        call: Call,
        /// What all its tables together would have had.
        asked: usize,
        /// What is allowed.
        allowed: usize,
    },
    /// The system refused what it takes to run any plugin.
    #[error("the system refused {refusal} for `{plugin}` {during}")]
    System {
        /// The plugin.
        plugin: String,
        /// When, such as "while it was compiled".
        during: String,
        /// What it refused.
        refusal: Refusal,
        /// What the engine says; `None` if the guest only noticed that it did not get memory.
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
    /// What it passes is no value of the contract's types.
    #[error("`{plugin}` passed something malformed {call}")]
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

/// What is known of a crash.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TrapReport {
    /// What happened, in a few words.
    pub summary: String,
    /// The guest's panic message, if it left one.
    pub panic: Option<String>,
    /// Names of the guest's functions, innermost first, without the language runtime's own.
    pub backtrace: Vec<String>,
    /// The last lines that the guest logged.
    pub log: Vec<String>,
}

impl DetectorError {
    /// What else is known, each with a word that says what it is.
    #[must_use]
    pub fn details(&self) -> Vec<(String, &str)> {
        let DetectorError::Trap { trap, .. } = self else { return Vec::new() };
        let panic = trap.panic.iter().map(|panic| ("panic", panic.as_str()));
        let frames = trap.backtrace.iter().map(|name| ("called", name.as_str()));
        let log = trap.log.iter().map(|line| ("logged", line.as_str()));
        let all = panic.chain(frames).chain(log);
        all.map(|(label, text)| (label.to_owned(), text)).collect()
    }

    /// What the user can do, where there is something.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            DetectorError::Variable(error) => Some(error.help()),
            DetectorError::NotFound { nearest: Some(nearest), .. } => {
                Some(format!("did you mean `{}`?", shell_quoted(nearest)))
            }
            DetectorError::NotFound { .. } => {
                Some("give a path, or put the plugin into one of these folders".into())
            }
            DetectorError::Ambiguous { .. } => {
                Some("give the path of the one that you mean, or remove the others".into())
            }
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
                Some("no right answer is so long, so no option allows it; this is a mistake in the plugin".into())
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
                Some("nothing of the plugin has run; if it is honest, its author should build it another way".into())
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
                Some("this is a mistake in the plugin; its author needs the lines above".into())
            }
            _ => None,
        }
    }
}

fn places(looked_in: &[PathBuf]) -> String {
    let places: Vec<_> = looked_in.iter().map(|place| format!("`{}`", place.display())).collect();
    places.join(", ")
}

/// A limit may be too narrow for a plugin that does no harm.
fn more(option: &str, value: &str) -> String {
    format!("if the plugin is honest, allow more, for instance with `--{option} {value}`")
}

fn mebibytes(bytes: usize) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}
