//! The commands, and the options that all of them take.

use std::path::PathBuf;

use clap::{Arg, ArgAction, Args, ColorChoice, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::configuration::ConfigCommand;
use super::database::{DbCommand, MigrateArgs};
use super::each::RunCommandArgs;
use super::feedback::FeedbackArgs;
use super::ledger::{ListingArgs, RunsArgs, VerifyArgs};
use super::operations::{PruneArgs, StatusArgs};
use super::plugin::PluginCommand;
use super::run::CheckArgs;
use super::sniff::SniffArgs;
use super::state::StateCommand;
use super::undo::UndoArgs;
use super::watch::WatchArgs;

/// Streams a transactions CSV through a sandboxed detector into PostgreSQL, in one transaction.
#[derive(Debug, Parser)]
#[command(version, after_help = AFTER_HELP)]
pub struct Cli {
    /// Show more of what happens; repeat for even more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,

    /// How the log on stderr is written: as text, or as one JSON object a line
    #[arg(long, value_enum, value_name = "FORMAT", global = true, default_value_t)]
    pub log_format: LogFormat,

    /// How results are printed: for people, or as JSON, one object per line; the last line reports the end of
    /// the command, even if it failed
    #[arg(long, value_enum, global = true, default_value_t)]
    pub format: Format,

    /// Whether help, messages and results have colours: on a terminal, always or never. NO_COLOR and CLICOLOR_FORCE
    /// decide if nothing is given
    #[arg(long, value_enum, value_name = "WHEN", global = true, default_value_t)]
    pub color: ColorChoice,

    /// The file with the profiles [default: `host.toml` in the current folder, else in `~/.config/host`]
    #[arg(long, value_name = "FILE", env = "HOST_CONFIG", hide_env_values = true, global = true)]
    pub config: Option<PathBuf>,

    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

impl Command {
    /// The name as typed.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Command::Run(_) => "run",
            Command::Watch(_) => "watch",
            Command::Check(_) => "check",
            Command::Sniff(_) => "sniff",
            Command::Runs(_) => "runs",
            Command::Verify(_) => "verify",
            Command::Rejects(_) => "rejects",
            Command::Skipped(_) => "skipped",
            Command::Replaced(_) => "replaced",
            Command::Status(_) => "status",
            Command::Undo(_) => "undo",
            Command::Prune(_) => "prune",
            Command::State(command) => command.name(),
            Command::Feedback(_) => "feedback",
            Command::Migrate(_) => "migrate",
            Command::Db(command) => command.name(),
            Command::Plugin(command) => command.name(),
            Command::Config(command) => command.name(),
            Command::Completions(_) => "completions",
            Command::Man(_) => "man",
        }
    }
}

/// What matters to the program besides its arguments.
const AFTER_HELP: &str = "\
Environment:
  DATABASE_URL      The database, if --database-url is not given
  PGHOST, PGPORT …  The same, as libpq reads them
  HOST_CONFIG       The file with the profiles, if --config is not given
  HOST_PLUGIN_PATH  Folders in which plugins are looked up by name, separated by `:`
  HOST_DATA_DIR     Where the embedded server and added plugins are kept (an absolute path)
  HOST_LOG          What is logged, instead of -v: `warn,host=debug`
  XDG_CACHE_HOME    Where compiled plugins are kept
  NO_COLOR          No colours; CLICOLOR_FORCE: colours everywhere

Exit codes:
  0    committed (anomalies are not failures); other commands: done
  1    a bug in host, or the result could not be written to standard output
  2    wrong usage
  3    the file cannot be ingested; `db status`: the server is not running
  4    the plugin cannot be used or misbehaved
  5    the database cannot be reached or refused something
  6    it is not known whether the run was committed (or undone); the message has a query that tells
  7    `verify`: what is stored differs from the replay
  8    `status`: the latest run is not as expected
  130  interrupted by ^C
  143  terminated (SIGTERM)";

const RUN_EXAMPLES: &str = "\
Examples:
  host run --plugin threshold.wasm day.csv
  host run --plugin threshold --set limit=1000 --once 'incoming/*.csv.gz'
  host run --plugin threshold --max-rejects 0.5% --rejects bad.csv day.csv
  host run --plugin threshold --each --keep-going --once incoming
  host run --plugin threshold --ids keep --on-conflict replace corrected.csv
  host run --plugin zscore --history january --history february day.csv
  host run --plugin night-owls --capture cases day.csv
  host run --plugin threshold --column amount=TX_AMOUNT --delimiter ';' --decimal-comma export.csv
  host run --profile my-bank export.csv";

const WATCH_EXAMPLES: &str = "\
Examples:
  host watch --plugin threshold incoming
  host watch --plugin threshold --max-rejects 0.5% --metrics 127.0.0.1:9464 --log-format json incoming
  host watch --plugin threshold --done-file --poll=5s /mnt/nfs/incoming

A file is taken when it has not changed for the time of --settle, and its name ends as it does in a folder that is
given to `run`: in .csv, .csv.gz or .csv.zst. Senders that write slowly should write under another name, such as one
that begins with a dot or ends in .tmp, and rename the file when it is complete. Files are ingested in the order of
their names.";

/// `host watch` takes one folder where `host run` takes files.
fn of_folder(files: Arg) -> Arg {
    files.value_name("FOLDER").action(ArgAction::Set).num_args(1).help("The folder").long_help(None::<&str>)
}

/// An argument of `host run` that `host watch` refuses.
fn hidden(argument: Arg) -> Arg {
    argument.hide(true)
}

const CHECK_EXAMPLES: &str = "\
Examples:
  host check --plugin threshold.wasm day.csv
  host check --plugin threshold --rejects bad.csv 'incoming/*.csv'
  host check --plugin zscore --set deviations=3 --anomalies found.csv day.csv";

const SNIFF_EXAMPLES: &str = "\
Examples:
  host sniff export.csv
  host sniff export.csv --save my-bank
  host sniff 'incoming/*.csv' --format json";

const RUNS_EXAMPLES: &str = "\
Examples:
  host runs
  host runs 3
  host runs --since 2024-02-29 --file day.csv --plugin threshold";

const VERIFY_EXAMPLES: &str = "\
Examples:
  host verify 3 day.csv
  host verify --history january --history february 3 day.csv
  host verify --plugin old/threshold.wasm 3 day.csv";

const REJECTS_EXAMPLES: &str = "\
Examples:
  host rejects 3
  host rejects 3 --format json";

const SKIPPED_EXAMPLES: &str = "\
Examples:
  host skipped 3";

const REPLACED_EXAMPLES: &str = "\
Examples:
  host replaced 3";

const MIGRATE_EXAMPLES: &str = "\
Examples:
  host migrate
  host migrate --status
  host migrate --database-url postgres://me@server/payments";

const COMPLETIONS_EXAMPLES: &str = "\
Examples:
  host completions bash > ~/.local/share/bash-completion/completions/host
  host completions fish > ~/.config/fish/completions/host.fish";

const STATUS_EXAMPLES: &str = "\
Examples:
  host status --max-age 26h --min-rows 1000 --anomaly-change 50%
  host status --source north --max-age 26h --format json";

const UNDO_EXAMPLES: &str = "\
Examples:
  host undo 3
  host undo 3 --yes --format json
  host undo 3 --cascade

All of it is one transaction, under the lock that runs take. Rows that the run had replaced are put back. Its row in the
ledger stays, marked; `--once` then takes its files for new. Its ids are not given again.";

const PRUNE_EXAMPLES: &str = "\
Examples:
  host prune --rejects --older 90d --dry-run
  host prune --rejects --older 90d
  host prune --rejects --run 3";

const FEEDBACK_EXAMPLES: &str = "\
Examples:
  host feedback chargebacks.csv
  host feedback --column source_id=transaction_id --column known_at=reported chargebacks.csv
  host feedback --max-rejects 1% --rejects unknown.csv 'labels/*.csv'

The columns of such a file:
  transaction_id   The number of the row in the table `transactions`; or
  source_id        the id that the row had in its own file, a number or a text
  is_fraud, label  1, true, yes or fraud; or 0, false, no or genuine
  known_at         Since when that is known [default: now]

A label that was recorded before is left out. Another label of the same row corrects the earlier one, which is kept.
Detectors that learn from feedback are given what is new at the beginning of their next run.";

/// The host's commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ingest files: classify their rows and write everything in one transaction
    #[command(after_help = RUN_EXAMPLES)]
    Run(RunCommandArgs),
    /// Ingest the files that arrive in a folder, each once and in a run of its own, for ever. Takes the arguments of
    /// `run`. A file is then moved to the folder `done` or `failed` within it, with the error beside it
    #[command(after_help = WATCH_EXAMPLES, mut_arg("files", of_folder))]
    #[command(mut_arg("once", hidden), mut_arg("rejects", hidden))]
    Watch(WatchArgs),
    /// Do everything that `run` does except writing, and say what it would do. Takes the arguments of `run`,
    /// and needs no database
    #[command(after_help = CHECK_EXAMPLES)]
    Check(CheckArgs),
    /// Look at a file of unknown shape, and propose the options with which it is read. Ingests nothing, and chooses
    /// nothing that is ambiguous
    #[command(after_help = SNIFF_EXAMPLES)]
    Sniff(SniffArgs),
    /// List the runs in the ledger, or show one of them
    #[command(after_help = RUNS_EXAMPLES)]
    Runs(RunsArgs),
    /// Replay a committed run and compare the result with what is stored
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// List the records that a run rejected
    #[command(after_help = REJECTS_EXAMPLES)]
    Rejects(ListingArgs),
    /// List the rows that a run skipped because their ids were already taken
    #[command(after_help = SKIPPED_EXAMPLES)]
    Skipped(ListingArgs),
    /// List the rows that a run replaced, as they were before
    #[command(after_help = REPLACED_EXAMPLES)]
    Replaced(ListingArgs),
    /// Say in one line whether the latest run is as expected, for cron and monitoring: exit code 0 if it is,
    /// and 8 if it is not. Reads the ledger only
    #[command(after_help = STATUS_EXAMPLES)]
    Status(StatusArgs),
    /// Remove everything that a run wrote, exactly, in one transaction: its rows, anomalies, rejected and skipped rows, and
    /// what its detector learned. Asks before; nothing happens if rows were altered since, or later runs depend on it
    #[command(after_help = UNDO_EXAMPLES)]
    Undo(UndoArgs),
    /// Remove what old runs have recorded beside their rows, and note that in the ledger. Asks nothing
    #[command(after_help = PRUNE_EXAMPLES)]
    Prune(PruneArgs),
    /// Record what has become known of rows: whether they were fraud. The next run of a detector that learns from it is
    /// given that, before its first row
    #[command(after_help = FEEDBACK_EXAMPLES)]
    Feedback(FeedbackArgs),
    /// Look at what detectors know from one run to the next
    #[command(subcommand)]
    State(StateCommand),
    /// Create or update the tables; `run` does so by itself
    #[command(after_help = MIGRATE_EXAMPLES)]
    Migrate(MigrateArgs),
    /// Start, stop and inspect the embedded server, the database that is used if no other is named
    #[command(subcommand)]
    Db(DbCommand),
    /// Write, check and manage plugins
    #[command(subcommand)]
    Plugin(PluginCommand),
    /// Show where options come from, and what may be in host.toml
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a script for completing the arguments of this program in a shell
    #[command(after_help = COMPLETIONS_EXAMPLES)]
    Completions(CompletionsArgs),
    /// Write the man pages into a folder (for packages)
    #[command(hide = true)]
    Man(ManArgs),
}

/// Arguments of `host completions`.
#[derive(Debug, Args)]
pub struct CompletionsArgs {
    /// The shell to write the script for
    #[arg(value_enum)]
    pub shell: Shell,
}

/// Arguments of `host man`.
#[derive(Debug, Args)]
pub struct ManArgs {
    /// Where to write them; created if it does not exist
    pub folder: PathBuf,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Human,
    /// One JSON object per line
    Json,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    #[default]
    Text,
    /// One JSON object per line
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use host_core::exit;

    use super::*;

    /// Those of all commands, each with its name.
    fn examples(command: &clap::Command, name: &str) -> Vec<(String, String)> {
        let own = command.get_after_help().map(|text| (name.to_owned(), text.to_string()));
        let seen = command.get_subcommands().filter(|command| !command.is_hide_set());
        let inner = seen.flat_map(|inner| examples(inner, &format!("{name} {}", inner.get_name())));
        own.into_iter().chain(inner.collect::<Vec<_>>()).collect()
    }

    #[test]
    fn examples_can_be_given_as_they_are() {
        let all = examples(&Cli::command(), "host");
        for line in all.iter().flat_map(|(_, text)| text.lines()) {
            let Some(command) = line.strip_prefix("  ").filter(|line| line.starts_with("host ")) else {
                continue;
            };
            // Split like a shell would: the only quotes are around whole words.
            let (command, _) = command.split_once(" > ").unwrap_or((command, ""));
            let words: Vec<std::ffi::OsString> =
                command.split(' ').map(|word| word.trim_matches('\'').into()).collect();
            crate::cli::parse(&words).unwrap_or_else(|error| panic!("{command}: {error}"));
        }
    }

    #[test]
    fn every_command_has_examples() {
        fn check(command: &clap::Command, name: &str, all: &[(String, String)]) {
            let mut inner = command.get_subcommands().filter(|inner| !inner.is_hide_set()).peekable();
            if inner.peek().is_none() {
                let own = all.iter().find(|(other, _)| other == name);
                let has = own.is_some_and(|(_, text)| text.contains(&format!("  {name}")));
                assert!(has, "{name} has no example");
            }
            inner.for_each(|inner| check(inner, &format!("{name} {}", inner.get_name()), all));
        }
        let cli = Cli::command();
        check(&cli, "host", &examples(&cli, "host"));
    }

    #[test]
    fn every_option_stands_where_it_is_looked_for() {
        let cli = Cli::command();
        let run = cli.find_subcommand("run").unwrap();
        let heading = |id: &str| {
            let argument = run.get_arguments().find(|argument| argument.get_id() == id);
            argument.unwrap_or_else(|| panic!("{id}")).get_help_heading()
        };
        let cases = [
            ("plugin", None),
            ("max_rejects", Some("Input")),
            ("min_rows", Some("Input")),
            ("memory_limit", Some("Sandbox")),
            ("database_url", Some("Database")),
            ("lock_timeout", Some("Database")),
            ("ids", Some("Writing")),
            ("once", Some("Writing")),
            ("rejects", Some("Writing")),
        ];
        for (id, expected) in cases {
            assert_eq!(heading(id), expected, "{id}");
        }
    }

    /// In `--help` and in README.md.
    #[test]
    fn every_exit_code_is_documented() {
        let readme = include_str!("../../../../README.md");
        let codes = [
            exit::COMMITTED,
            exit::INTERNAL,
            exit::USAGE,
            exit::INPUT,
            exit::PLUGIN,
            exit::DATABASE,
            exit::UNKNOWN,
            exit::DIFFERS,
            exit::UNEXPECTED,
            exit::INTERRUPTED,
            exit::TERMINATED,
        ];
        for code in codes {
            assert!(AFTER_HELP.lines().any(|line| line.starts_with(&format!("  {code:<5}"))), "{code}");
            assert!(readme.lines().any(|line| line.starts_with(&format!("| {code} |"))), "{code}");
        }
    }
}
