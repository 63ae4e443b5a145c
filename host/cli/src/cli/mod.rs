//! The command line, as clap types and nothing else. The commands are in [`command`]; [`run`] has the
//! arguments of a run ([`each`]: how many there are; [`watch`]: for ever), of which [`ingest`] says what is read
//! ([`lines`]: which lines are rows, [`ids`]: of which kind, [`values`]: what cells mean, [`control`]: what is expected of
//! all of it) and what classifies it, and [`database`] where it is written; [`profile`] and [`configuration`] are for
//! options that are kept in a file, [`sniff`] for files of unknown shape, [`ledger`] for looking back, [`operations`] for
//! keeping watch and order, [`undo`] for undoing runs, [`state`] for what detectors know, [`plugin`] for plugin authors.
//! [`description`] generates completions and man pages from all of this.

mod command;
mod configuration;
mod control;
mod database;
mod description;
mod dialect;
mod each;
mod feedback;
mod ids;
mod ingest;
mod ledger;
mod lines;
mod operations;
mod parse;
mod plugin;
mod profile;
mod removal;
mod run;
mod sniff;
mod state;
mod undo;
mod values;
mod watch;

pub use command::{Cli, Command, CompletionsArgs, Format, LogFormat, ManArgs};
pub use configuration::ConfigCommand;
pub use control::ControlArgs;
pub use database::{DatabaseArgs, DbCommand, MigrateArgs};
pub use description::{completions, write_man_pages};
pub use dialect::DialectArgs;
pub use each::{EachArgs, RunCommandArgs};
pub use feedback::{FeedbackArgs, FeedbackInputArgs};
pub use ids::IdKindArg;
pub use ingest::{EngineArgs, EngineChoice, IngestArgs, InputArgs, SandboxArgs};
pub use ledger::{ListingArgs, RunsArgs, VerifyArgs, WantedArgs};
pub use lines::LineArgs;
pub use operations::{PruneArgs, StatusArgs};
pub use parse::{after_command, color_asked_for, format_asked_for, parse};
pub use plugin::{
    AddArgs, BenchArgs, BuildArgs, DevArgs, DigestArgs, DoctorArgs, InspectArgs, Language, ListArgs, NewArgs,
    PluginCheckArgs, PluginCommand, SdkChoice, SubjectArgs, TestArgs,
};
pub use profile::{PROFILE_ID, ProfileArgs};
pub use removal::RemovalArgs;
pub use run::{CheckArgs, IdsArg, OnceArg, RunArgs, StateArg};
pub use sniff::SniffArgs;
pub use state::{StateCommand, StateListArgs, StateRemoveArgs, StateShowArgs};
pub use undo::UndoArgs;
pub use values::ValueArgs;
pub use watch::{FolderArgs, WatchArgs};
