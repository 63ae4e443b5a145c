//! Commands for those who write and choose plugins.

use std::path::{Path, PathBuf};
use std::process::Command;

use clap::ValueEnum as _;
use host_core::{exit, text};
use host_detector::{Cache, DetectorError, Limits, Requirements, Sandbox};
use serde_json::json;

use crate::authors::dev::{self, Progress};
use crate::authors::project::{self, Project};
use crate::authors::{bench, build, cases, check, doctor, inspect, new};
use crate::cli::{
    BenchArgs, DevArgs, EngineArgs, EngineChoice, InspectArgs, Language, PluginCheckArgs, PluginCommand,
    SubjectArgs, TestArgs,
};
use crate::config;
use crate::error::{ConfigError, Error};
use crate::interrupt::{Interrupt, Interrupts};
use crate::plugins::{self, library};
use crate::report::Reporter;

/// Runs a plugin command; returns the exit code.
pub fn plugin(command: PluginCommand, reporter: &Reporter) -> Result<u8, Error> {
    match command {
        PluginCommand::New(arguments) => {
            new::create(Path::new(""), &arguments.name, arguments.lang, &arguments.sdk)?;
            let next_steps = || new::next_steps(&arguments.name, arguments.lang, &arguments.sdk);
            reporter.end(exit::COMMITTED, json!({ "name": arguments.name }), next_steps)?;
        }
        PluginCommand::Build(arguments) => {
            let project = Project::chosen(arguments.folder.as_deref())?;
            let built = build::build(&project, &mut |command| command.status())?;
            reporter.end(exit::COMMITTED, &built, || built.human())?;
        }
        // It waits for changes and signals.
        PluginCommand::Dev(_) => return Err(Error::Internal("`plugin dev` has a function of its own")),
        PluginCommand::Doctor(arguments) => return doctor(arguments.lang, reporter),
        PluginCommand::Inspect(arguments) => inspect_one(&arguments, reporter)?,
        PluginCommand::Check(arguments) => return check_one(&arguments, reporter),
        PluginCommand::Test(arguments) => return test(&arguments, reporter),
        PluginCommand::Bench(arguments) => measure(&arguments, reporter)?,
        PluginCommand::List(arguments) => {
            let mut entries = library::list()?;
            library::describe(&mut entries, &sandbox(arguments.engine, Cache::of_user())?);
            reporter.end(exit::COMMITTED, json!({ "plugins": entries }), || library::human(&entries))?;
        }
        PluginCommand::Add(arguments) => {
            let added = library::add(
                &sandbox(arguments.engine, Cache::of_user())?,
                &project::chosen_plugin(arguments.file.as_deref())?,
                arguments.replace,
            )?;
            let (name, file, sha256) = (&added.name, text::path(&added.file), added.sha256.to_string());
            reporter.end(exit::COMMITTED, json!({ "name": name, "file": file, "sha256": sha256 }), || {
                format!("added `{}`: {file}\n  sha256 {sha256}\n", text::printable(name))
            })?;
        }
        PluginCommand::Digest(arguments) => {
            let Subject { plugin, settings, rows, limits } = Subject::new(&arguments.subject)?;
            let digest = check::digest(&plugin, &settings, &limits, rows.as_deref())?;
            reporter.end(exit::COMMITTED, json!({ "digest": digest }), || format!("{digest}\n"))?;
        }
    }
    Ok(exit::COMMITTED)
}

/// Builds and tries a project's plugin on every save, until it is interrupted: which is how it is meant to end.
pub async fn dev(arguments: &DevArgs, reporter: &Reporter) -> Result<u8, Error> {
    let project = Project::chosen(arguments.folder.as_deref())?;
    let mut interrupts = Interrupts::catch().map_err(Error::Runtime)?;
    let mut rounds = 0;
    let tell = |progress: &Progress| {
        rounds = progress.round;
        reporter.record(progress, || progress.human())
    };
    match dev::dev(&project, &mut interrupts, tell).await? {
        Interrupt::Interrupt => {
            reporter.end(exit::COMMITTED, json!({ "rounds": rounds }), String::new)?;
            Ok(exit::COMMITTED)
        }
        end @ Interrupt::Terminate => Err(Error::Interrupted(end)),
    }
}

/// The file of the plugin that a command is about.
fn find(given: Option<&Path>) -> Result<PathBuf, Error> {
    Ok(plugins::lookup(&project::chosen_plugin(given)?)?)
}

fn doctor(languages: Vec<Language>, reporter: &Reporter) -> Result<u8, Error> {
    let project = Project::chosen(None).ok().filter(|_| languages.is_empty());
    let languages = match &project {
        Some(project) => vec![project.language],
        None if languages.is_empty() => Language::value_variants().to_vec(),
        None => languages,
    };
    let diagnosis = doctor::examine(&languages, project.as_ref());
    let exit_code = if diagnosis.complete { exit::COMMITTED } else { exit::PLUGIN };
    reporter.end(exit_code, &diagnosis, || diagnosis.human())?;
    Ok(exit_code)
}

fn inspect_one(arguments: &InspectArgs, reporter: &Reporter) -> Result<(), Error> {
    let cache = if arguments.fresh { Cache::none() } else { Cache::of_user() };
    let inspection =
        inspect::inspect(&sandbox(arguments.engine, cache)?, &find(arguments.plugin.as_deref())?)?;
    reporter.end(exit::COMMITTED, &inspection, || inspection.human())
}

fn check_one(arguments: &PluginCheckArgs, reporter: &Reporter) -> Result<u8, Error> {
    let Subject { plugin, settings, rows, limits } = Subject::new(&arguments.subject)?;
    let limits = Limits { call_deadline: config::time("--deadline", arguments.deadline)?, ..limits };
    let budgets = check::Budgets {
        row_nanos: config::time("--row-time", arguments.row_time)?.as_secs_f64() * 1e9,
        memory_bytes: usize::try_from(arguments.memory.as_u64())
            .map_err(|_| ConfigError::Size("--memory"))?,
        allows_wasi: arguments.allow_wasi,
    };
    let elsewhere = || digest_elsewhere(&plugin, &arguments.subject);
    let report = match &arguments.kit {
        Some(kit) => check::check_kit(&plugin, kit, &limits, &budgets)?,
        None => check::check(&plugin, &settings, &limits, &budgets, rows.as_deref(), &elsewhere)?,
    };
    let exit_code = if report.passed { exit::COMMITTED } else { exit::PLUGIN };
    reporter.end(exit_code, &report, || report.human())?;
    Ok(exit_code)
}

fn test(arguments: &TestArgs, reporter: &Reporter) -> Result<u8, Error> {
    let (limits, requirements) =
        (config::limits(&arguments.sandbox)?, config::requirements(&arguments.sandbox));
    let sandbox = Sandbox::new(limits, requirements, Cache::of_user())?;
    let plugin = host_detector::load(&sandbox, &find(arguments.plugin.as_deref())?)?;
    let outcomes = cases::run(&plugin, &arguments.cases, arguments.tolerance, arguments.update)?;
    let passed = outcomes.iter().all(|outcome| outcome.differences.is_empty());
    let exit_code = if passed { exit::COMMITTED } else { exit::PLUGIN };
    reporter.end(exit_code, json!({ "passed": passed, "cases": outcomes }), || cases::human(&outcomes))?;
    Ok(exit_code)
}

fn measure(arguments: &BenchArgs, reporter: &Reporter) -> Result<(), Error> {
    let Subject { plugin, settings, rows, limits } = Subject::new(&arguments.subject)?;
    let measured = bench::bench(&plugin, &settings, &limits, rows.as_deref(), arguments.profile.as_deref())?;
    reporter.end(exit::COMMITTED, &measured, || measured.human())
}

/// What the arguments name, looked up and parsed.
struct Subject {
    plugin: PathBuf,
    settings: Vec<(String, String)>,
    rows: Option<PathBuf>,
    limits: Limits,
}

impl Subject {
    fn new(arguments: &SubjectArgs) -> Result<Subject, Error> {
        Ok(Subject {
            plugin: find(arguments.plugin.as_deref())?,
            settings: config::settings(arguments.settings.clone())?,
            rows: arguments.file.clone(),
            limits: limits(arguments.engine),
        })
    }
}

fn sandbox(engine: EngineArgs, cache: Cache) -> Result<Sandbox, DetectorError> {
    Sandbox::new(limits(engine), Requirements::default(), cache)
}

fn limits(arguments: EngineArgs) -> Limits {
    Limits { engine: arguments.engine.into(), ..Limits::default() }
}

/// What `host plugin digest` prints, in a process of its own.
fn digest_elsewhere(plugin: &Path, subject: &SubjectArgs) -> Result<String, String> {
    let program = std::env::current_exe().map_err(|error| format!("could not find this program: {error}"))?;
    let mut command = Command::new(program);
    command.args(["plugin", "digest"]).arg(plugin).args(&subject.file);
    if subject.engine.engine == EngineChoice::Interpreter {
        command.args(["--engine", "interpreter"]);
    }
    command.args(subject.settings.iter().flat_map(|setting| ["--set", setting]));
    let output = command.output().map_err(|error| format!("could not start it: {error}"))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).lines().next().unwrap_or("it failed").to_owned())
    }
}
