//! Arguments of the tools for those who write and choose plugins.

use std::path::PathBuf;

use bytesize::ByteSize;
use clap::builder::{PathBufValueParser, TypedValueParser as _};
use clap::{Args, Subcommand, ValueEnum};
use jiff::SignedDuration;

use super::ingest::{EngineArgs, SandboxArgs};

const BUILD_EXAMPLES: &str = "\
Examples:
  host plugin build
  host plugin build ../night-owls";

const BENCH_EXAMPLES: &str = "\
Examples:
  host plugin bench threshold
  host plugin bench night-owls day.csv --profile night-owls.json";

const DEV_EXAMPLES: &str = "\
^C ends it.

Examples:
  host plugin dev
  host plugin dev ../night-owls";

const DOCTOR_EXAMPLES: &str = "\
Examples:
  host plugin doctor
  host plugin doctor --lang rust --lang go";

const CHECK_EXAMPLES: &str = "\
Examples:
  host plugin check threshold
  host plugin check ./night-owls.wasm --set limit=100 transactions.csv
  host plugin check ./my-echo.wasm --kit wit/kit";

const NEW_EXAMPLES: &str = "\
Examples:
  host plugin new night-owls --lang rust
  host plugin new night-owls --lang python --sdk registry";

const INSPECT_EXAMPLES: &str = "\
Examples:
  host plugin inspect threshold
  host plugin inspect ./night-owls.wasm --format json";

const TEST_EXAMPLES: &str = "\
Examples:
  host plugin test
  host plugin test ./night-owls.wasm --cases cases --update";

const LIST_EXAMPLES: &str = "\
Examples:
  host plugin list";

const ADD_EXAMPLES: &str = "\
Examples:
  host plugin add ./night-owls.wasm
  host plugin add --replace ./night-owls.wasm";

/// What can be done with a plugin besides running it.
#[derive(Debug, Subcommand)]
pub enum PluginCommand {
    /// Start a new detector: a project that builds, passes its tests and runs as it is
    #[command(after_help = NEW_EXAMPLES)]
    New(NewArgs),
    /// Build the project in this folder, whatever its language
    #[command(after_help = BUILD_EXAMPLES)]
    Build(BuildArgs),
    /// While you write: build on every save, run the cases and the rules of `check`, and say what is different
    #[command(after_help = DEV_EXAMPLES)]
    Dev(DevArgs),
    /// Say which tools a language needs, which of them are missing, and how to get them; exits with 4 if one is
    #[command(after_help = DOCTOR_EXAMPLES)]
    Doctor(DoctorArgs),
    /// Say what a plugin is: its settings, what it imports, its hash
    #[command(after_help = INSPECT_EXAMPLES)]
    Inspect(InspectArgs),
    /// Find out whether a plugin keeps the contract; exits with 4 if it does not
    #[command(after_help = CHECK_EXAMPLES)]
    Check(PluginCheckArgs),
    /// Run an author's own test cases; exits with 4 if one fails
    #[command(after_help = TEST_EXAMPLES)]
    Test(TestArgs),
    /// Measure a plugin against the detector `threshold`
    #[command(after_help = BENCH_EXAMPLES)]
    Bench(BenchArgs),
    /// List the plugins that are found by name
    #[command(after_help = LIST_EXAMPLES)]
    List(ListArgs),
    /// Copy a plugin to a folder where it is found by name
    #[command(after_help = ADD_EXAMPLES)]
    Add(AddArgs),
    /// The digest of a plugin's answers, for `check` to compare between processes
    #[command(hide = true)]
    Digest(DigestArgs),
}

impl PluginCommand {
    /// As it is typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            PluginCommand::New(_) => "plugin new",
            PluginCommand::Build(_) => "plugin build",
            PluginCommand::Dev(_) => "plugin dev",
            PluginCommand::Doctor(_) => "plugin doctor",
            PluginCommand::Inspect(_) => "plugin inspect",
            PluginCommand::Check(_) => "plugin check",
            PluginCommand::Test(_) => "plugin test",
            PluginCommand::Bench(_) => "plugin bench",
            PluginCommand::List(_) => "plugin list",
            PluginCommand::Add(_) => "plugin add",
            PluginCommand::Digest(_) => "plugin digest",
        }
    }
}

/// The language of a new detector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// With the SDK
    Rust,
    /// With componentize-py
    Python,
    /// With componentize-qjs
    Javascript,
    /// With componentize-qjs, checked by tsc
    Typescript,
    /// With its own compiler: small and fast
    Assemblyscript,
    /// With wit-bindgen's C bindings
    C,
    /// C++ with Zig's compiler
    Cpp,
    /// With Go's own compiler
    Go,
    /// Without a C library
    Zig,
}

/// Arguments of `host plugin new`.
#[derive(Debug, Args)]
pub struct NewArgs {
    /// The detector's name and the new folder's: lower-case words joined by hyphens
    pub name: String,

    /// The language to write it in
    #[arg(short, long, value_enum)]
    pub lang: Language,

    /// The SDK of Rust, Python, JavaScript or TypeScript: a `copy` in the project, the package of this release in the
    /// language's `registry`, or a package at a PATH
    #[arg(long, value_name = "copy|registry|PATH", default_value = "copy", value_parser = PathBufValueParser::new().map(SdkChoice::from))]
    pub sdk: SdkChoice,
}

/// Where a new project's SDK comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SdkChoice {
    /// This program, which has one of each.
    Copy,
    /// The language's registry.
    Registry,
    /// A folder or an archive.
    Path(PathBuf),
}

impl From<PathBuf> for SdkChoice {
    fn from(path: PathBuf) -> SdkChoice {
        match path.to_str() {
            Some("copy") => SdkChoice::Copy,
            Some("registry") => SdkChoice::Registry,
            _ => SdkChoice::Path(path),
        }
    }
}

/// Arguments of `host plugin build`.
#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The project's folder [default: the current one, or the nearest above it that is one]
    pub folder: Option<PathBuf>,
}

/// Arguments of `host plugin dev`.
#[derive(Debug, Args)]
pub struct DevArgs {
    /// The project's folder [default: the current one, or the nearest above it that is one]
    pub folder: Option<PathBuf>,
}

/// Arguments of `host plugin doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A language; may be repeated [default: that of the project in the current folder, else all]
    #[arg(short, long, value_enum)]
    pub lang: Vec<Language>,
}

/// Arguments of `host plugin inspect`.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A path, the name of a plugin, or the folder of a project [default: that of the project in the current
    /// folder]
    pub plugin: Option<PathBuf>,

    /// Compile it anew, to see how long that takes
    #[arg(long)]
    pub fresh: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub engine: EngineArgs,
}

/// A plugin, its settings, and rows to try it on.
#[derive(Debug, Args)]
pub struct SubjectArgs {
    /// A path, the name of a plugin, or the folder of a project [default: that of the project in the current
    /// folder]
    pub plugin: Option<PathBuf>,

    /// Rows to try it on, at most the first 65,536 of a CSV file [default: generated ones]
    pub file: Option<PathBuf>,

    /// A setting of the detector; may be repeated
    #[arg(short, long = "set", value_name = "NAME=VALUE")]
    pub settings: Vec<String>,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub engine: EngineArgs,
}

/// Arguments of `host plugin check`.
#[derive(Debug, Args)]
pub struct PluginCheckArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub subject: SubjectArgs,

    /// Put it through the cases of a kit instead: the plugin is one of its reference detectors, by its name
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["file", "settings", "row_time", "memory"])]
    pub kit: Option<PathBuf>,

    /// Only warn if the plugin imports WASI
    #[arg(long)]
    pub allow_wasi: bool,

    /// How long a single call may take
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub deadline: SignedDuration,

    /// How long a row may take
    #[arg(long, value_name = "TIME", default_value = "25us")]
    pub row_time: SignedDuration,

    /// How much memory the plugin may use
    #[arg(long, value_name = "SIZE", default_value = "128MiB")]
    pub memory: ByteSize,
}

/// Arguments of `host plugin test`.
#[derive(Debug, Args)]
pub struct TestArgs {
    /// A path, the name of a plugin, or the folder of a project [default: that of the project in the current
    /// folder]
    pub plugin: Option<PathBuf>,

    /// The folder of the cases: CSV files with the column `expected_score`
    #[arg(long, value_name = "FOLDER", default_value = "cases")]
    pub cases: PathBuf,

    /// Write the plugin's answers into the cases, as what is expected from now on
    #[arg(long)]
    pub update: bool,

    /// How far a score may be from the expected one, relative to it
    #[arg(long, value_name = "FRACTION", default_value_t = 1e-9)]
    pub tolerance: f64,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub sandbox: SandboxArgs,
}

/// Arguments of `host plugin bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub subject: SubjectArgs,

    /// Also write where the plugin spends its time, function by function, as a profile for profiler.firefox.com
    #[arg(long, value_name = "FILE")]
    pub profile: Option<PathBuf>,
}

/// Arguments of `host plugin list`.
#[derive(Debug, Args)]
pub struct ListArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub engine: EngineArgs,
}

/// Arguments of `host plugin add`.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The plugin's file, or the folder of a project [default: that of the project in the current folder]
    pub file: Option<PathBuf>,

    /// Replace another plugin of the same name
    #[arg(long)]
    pub replace: bool,

    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub engine: EngineArgs,
}

/// Arguments of `host plugin digest`.
#[derive(Debug, Args)]
pub struct DigestArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "a doc comment here would become the command's description")]
    pub subject: SubjectArgs,
}
