//! The command line, as clap types and nothing else. The commands are in [`command`]; [`run`] has the
//! arguments of a run, of which [`ingest`] says what is read and what classifies it ([`lines`] says which lines
//! are rows, [`control`] what is expected of them), and [`database`] where it is written; [`ledger`] is for
//! looking back, [`plugin`] for plugin authors. [`description`] generates
//! completions and man pages from all of this.

mod command;
mod control;
mod database;
mod description;
mod ingest;
mod ledger;
mod lines;
mod parse;
mod plugin;
mod run;

pub use command::{Cli, Command, CompletionsArgs, Format, ManArgs};
pub use control::ControlArgs;
pub use database::{DatabaseArgs, DbCommand, MigrateArgs};
pub use description::{completions, write_man_pages};
pub use ingest::{EngineArgs, EngineChoice, IngestArgs, InputArgs, SandboxArgs};
pub use ledger::{ListingArgs, RunsArgs, VerifyArgs};
pub use lines::LineArgs;
pub use parse::{format_asked_for, parse};
pub use plugin::{
    AddArgs, BenchArgs, BuildArgs, DevArgs, DigestArgs, DoctorArgs, InspectArgs, Language, ListArgs, NewArgs,
    PluginCheckArgs, PluginCommand, SdkChoice, SubjectArgs, TestArgs,
};
pub use run::{CheckArgs, IdsArg, OnceArg, RunArgs};
