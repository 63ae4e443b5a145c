//! `host run --capture FOLDER`: keeps the rows on which a plugin failed, or lines that are asked for, as a case for
//! `host plugin test`, so that its author can see it fail again, mend it, and keep the case.
//!
//! A detector that learns may fail because of earlier rows. So the batch on which it failed is tried alone, then with
//! as many rows before it, and so on, until it fails in the same way; those rows are kept. They are cut out of the file
//! as they are, whatever was made of them; how they are read is kept beside them, if it is not the default way.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_core::batch::Batch;
use host_core::column::ColumnRequest;
use host_core::facts::Reading;
use host_core::text::{argument, path, printable, shell_file};
use host_detector::{Cache, Call, DetectorError, EngineKind, Limits, Plugin, Sandbox};
use host_source::{Encoding, Excerpt, InputRules, LineRules, RejectLimit, Source};

use super::cases::{judge, reading_file};
use super::start::start;
use super::workload::{MAX_BATCH_ROWS, append};
use crate::config::IngestConfig;
use crate::error::{Error, ToolsError};
use crate::plugins;

/// More rows than this are not tried, so that they fit into memory.
const MAX_ROWS: u64 = 4 * MAX_BATCH_ROWS as u64;
/// A case is not larger.
const MAX_CASE_BYTES: usize = 64 << 20;
/// No name of a case is longer.
const MAX_NAME_BYTES: usize = 100;
/// How many cases may have the same name but for a number.
const MAX_NUMBER: usize = 1_000;

/// A case that was written.
#[derive(Debug, PartialEq, Eq)]
pub struct Captured {
    /// Its file.
    pub case: PathBuf,
    /// The physical lines of its first and last row in the file they are from.
    pub lines: (u64, u64),
    /// A command that runs it, as it has to be typed.
    pub command: String,
    /// Whether the plugin failed on it again; `None` if it was not tried.
    pub fails_again: Option<bool>,
}

/// How a plugin failed.
pub struct Failed {
    call: Call,
    kind: &'static str,
}

impl Failed {
    /// In this way; `None` if it was not running.
    #[must_use]
    pub fn of(error: &DetectorError) -> Option<Failed> {
        Some(Failed { call: error.call()?.clone(), kind: error.into() })
    }
}

/// Keeps the rows on which a plugin failed; `None` if it was not rows on which it failed.
///
/// # Errors
/// If the files cannot be read again or the case cannot be written.
pub fn failure(config: &IngestConfig, failed: &Failed, folder: &Path) -> Result<Option<Captured>, Error> {
    let last = match &failed.call {
        Call::Classify(span) => Some((span.first_row, span.lines.1)),
        Call::Finish => None,
        _ => return Ok(None),
    };
    let file = plugins::lookup(&config.plugin)?;
    let sandbox = Sandbox::new(config.limits.clone(), config.requirements.clone(), Cache::of_user())?;
    let plugin = host_detector::load(&sandbox, &file)?;
    let columns = start(&plugin, &config.settings)?.columns;
    let rows = Rows { config, columns: &columns };
    let Some(end) = rows.find(last)? else { return Ok(None) };

    let mut wanted = end.batch_rows.max(1);
    let (batch, fails_again) = loop {
        let batch = rows.before(&end, wanted)?;
        let fails = fails_alike(&plugin, config, &batch, failed);
        let is_all = (batch.len() as u64) < wanted || wanted >= MAX_ROWS;
        if fails || is_all {
            break (batch, fails);
        }
        wanted = (wanted * 2).min(MAX_ROWS);
    };
    let lines: HashSet<u64> = batch.lines.iter().copied().collect();
    let mut captured = keep(config, &end.file, &|line| lines.contains(&line), folder)?;
    if let Some(captured) = &mut captured {
        captured.fails_again = Some(fails_again);
    }
    Ok(captured)
}

/// Keeps the records that start on these physical lines of the only file; `None` if there are none.
///
/// # Errors
/// [`ToolsError::CaptureOfSeveral`] if there are several files; if it cannot be read, or the case cannot be written.
pub fn lines(
    config: &IngestConfig,
    (first, last): (u64, u64),
    folder: &Path,
) -> Result<Option<Captured>, Error> {
    let files = host_source::expand(&config.files)?.files;
    let [file] = files.as_slice() else { return Err(ToolsError::CaptureOfSeveral(files.len()).into()) };
    keep(config, file, &|line| (first..=last).contains(&line), folder)
}

/// The files of a run, read again.
struct Rows<'a> {
    config: &'a IngestConfig,
    columns: &'a [ColumnRequest],
}

/// The last row that counts.
struct End {
    file: PathBuf,
    /// The file's position in the run.
    position: i32,
    line: u64,
    /// How many rows the last batch has, up to this one.
    batch_rows: u64,
}

impl Rows<'_> {
    /// Finds the row on this line, in the batch that starts with this row of the run; or else the last row.
    fn find(&self, wanted: Option<(u64, u64)>) -> Result<Option<End>, Error> {
        let files = host_source::expand(&self.config.files)?.files;
        let mut end = None;
        self.each(&mut |batch| {
            let Some(&last) = batch.lines.last() else { return false };
            let file = usize::try_from(batch.file_position - 1).ok().and_then(|at| files.get(at));
            let of = |line, batch_rows| {
                file.map(|file| End { file: file.clone(), position: batch.file_position, line, batch_rows })
            };
            let Some((first_row, line)) = wanted else {
                end = of(last, batch.len() as u64);
                return false;
            };
            // Batches may be cut elsewhere than they were, but rows have the same positions.
            let from = usize::try_from(first_row.saturating_sub(batch.first_row)).unwrap_or(usize::MAX);
            let at = batch.lines.iter().skip(from).position(|&of_row| of_row == line);
            end = at.and_then(|at| of(line, at as u64 + 1));
            end.is_some()
        })?;
        Ok(end)
    }

    /// So many rows of the file, up to the last one that counts.
    fn before(&self, end: &End, wanted: u64) -> Result<Batch, Error> {
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let mut rows = Batch::new(self.columns);
        self.each(&mut |batch| {
            if batch.file_position != end.position {
                return batch.file_position > end.position;
            }
            let count = batch.lines.iter().take_while(|&&line| line <= end.line).count();
            // Rows that are too far away are dropped now and then, rather than one by one.
            if rows.len() > 2 * wanted {
                rows = rows.select(rows.len() - wanted..rows.len());
            }
            append(&mut rows, batch, 0..count);
            count < batch.len()
        })?;
        let first = rows.len().saturating_sub(wanted);
        Ok(rows.select(first..rows.len()))
    }

    /// Hands over batch after batch, until `is_enough`.
    fn each(&self, is_enough: &mut dyn FnMut(&Batch) -> bool) -> Result<(), Error> {
        let files = host_source::expand(&self.config.files)?;
        if let Some(pipe) = files.files.iter().find(|file| !file.is_file()) {
            return Err(ToolsError::NotAgain(pipe.clone()).into());
        }
        let rules = InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..self.config.rules.clone() };
        let mut source = Source::open(files, rules, self.columns, Arc::default())?;
        let mut spent = Batch::default();
        while let Some(part) = source.next_part(spent)? {
            if is_enough(&part.batch) {
                break;
            }
            spent = part.batch;
        }
        Ok(())
    }
}

/// Whether the plugin fails on these rows as `host plugin test` would see it, and in the way that it did.
fn fails_alike(plugin: &Plugin, config: &IngestConfig, rows: &Batch, failed: &Failed) -> bool {
    let fails = |batch_rows| match judge(plugin, &config.settings, rows, batch_rows) {
        Ok(_) => false,
        Err(error) => <&str>::from(&error) == failed.kind,
    };
    fails(MAX_BATCH_ROWS) || fails(1)
}

/// Writes a case; `None` if there are no such records.
fn keep(
    config: &IngestConfig,
    file: &Path,
    is_wanted: &dyn Fn(u64) -> bool,
    folder: &Path,
) -> Result<Option<Captured>, Error> {
    if !file.is_file() {
        return Err(ToolsError::NotAgain(file.to_owned()).into());
    }
    let Excerpt { text, lines, columns, delimiter, .. } =
        host_source::excerpt(file, &config.rules, is_wanted, MAX_CASE_BYTES)?;
    let Some(lines) = lines else { return Ok(None) };
    let (rules, header) = as_kept(&config.rules, columns, delimiter);
    let text = [header.into_bytes(), text].concat();
    let settings = settings(&config.settings)?;

    let fail = |doing, path: &Path| {
        let path = path.to_owned();
        move |source| ToolsError::File { doing, path, source }
    };
    fs::create_dir_all(folder).map_err(fail("create", folder))?;
    let case =
        free_name(folder, &name(file, lines), &text).ok_or_else(|| ToolsError::Exists(folder.into()))?;
    let write = |file: &Path, content: &[u8]| fs::write(file, content).map_err(fail("write", file));
    write(&case, &text)?;
    if !settings.is_empty() {
        write(&case.with_extension("settings"), settings.as_bytes())?;
    }
    if rules.reading() != InputRules::default().reading() {
        write(&reading_file(&case), reading_text(&rules.reading()).as_bytes())?;
    }
    let command = command(config, folder);
    Ok(Some(Captured { case, lines, command, fails_again: None }))
}

/// How the case is read, which always has a header and nothing else besides rows, and its header, if the file has
/// none.
fn as_kept(rules: &InputRules, columns: usize, delimiter: u8) -> (InputRules, String) {
    let (encoding, lines) = (Encoding::default(), LineRules::default());
    let kept = InputRules { encoding, lines, delimiter: Some(delimiter), ..rules.clone() };
    if rules.has_header {
        return (kept, String::new());
    }
    let mut names: Vec<String> = (1..=columns).map(|position| format!("column_{position}")).collect();
    for (column, position) in rules.columns.iter() {
        let position = position.parse::<usize>().ok().and_then(|position| position.checked_sub(1));
        if let Some(name) = position.and_then(|position| names.get_mut(position)) {
            column.clone_into(name);
        }
    }
    let mut kept = InputRules { has_header: true, columns: Default::default(), ..kept };
    kept.rename_columns_of_options(|position| {
        let place = position.parse::<usize>().ok().and_then(|position| position.checked_sub(1));
        place.and_then(|place| names.get(place)).map_or(position, String::as_str).to_owned()
    });
    let header = names.join(&char::from(delimiter).to_string()) + "\n";
    (kept, header)
}

/// The settings, as a case has them.
fn settings(given: &[(String, String)]) -> Result<String, ToolsError> {
    let mut text = String::new();
    for (name, value) in given {
        let line = format!("{name}={value}");
        if line.trim() != line || line.contains(['\n', '\r']) {
            return Err(ToolsError::NotALine(line));
        }
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{line}");
    }
    Ok(text)
}

fn reading_text(reading: &Reading) -> String {
    // Text, numbers and maps of text always serialise.
    serde_json::to_string_pretty(reading).unwrap_or_default() + "\n"
}

/// A name for a case: those of the file and of its lines.
fn name(file: &Path, (first, last): (u64, u64)) -> String {
    let stem = file.file_name().unwrap_or_default().to_string_lossy();
    let stem = stem.split('.').next().unwrap_or_default();
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "-_".contains(character);
    let plain: String =
        stem.chars().map(|c| if is_plain(c) { c } else { '_' }).take(MAX_NAME_BYTES).collect();
    format!("{plain}-lines-{first}-{last}")
}

/// A file that does not exist yet, or has this very content: what an author has made of an earlier case stays.
fn free_name(folder: &Path, name: &str, content: &[u8]) -> Option<PathBuf> {
    let names = (1..MAX_NUMBER).map(|number| match number {
        1 => folder.join(format!("{name}.csv")),
        _ => folder.join(format!("{name}-{number}.csv")),
    });
    names.into_iter().find(|file| match fs::read(file) {
        Ok(there) => there == content,
        Err(_) => !file.exists(),
    })
}

/// The command that runs the cases within the limits of the run.
fn command(config: &IngestConfig, folder: &Path) -> String {
    let quoted = |path: &Path| shell_file(&path.to_string_lossy()).into_owned();
    let mut command = format!("host plugin test {} --cases {}", quoted(&config.plugin), quoted(folder));
    let (limits, usual) = (&config.limits, Limits::default());
    let mut add = |flag: &str, value: String| {
        // Writing into a String cannot fail.
        let _ = write!(command, " --{flag} {value}");
    };
    if limits.engine == EngineKind::Interpreter {
        add("engine", "interpreter".into());
    }
    if limits.call_deadline != usual.call_deadline {
        add("deadline", argument(limits.call_deadline));
    }
    if let Some(deadline) = limits.run_deadline {
        add("run-deadline", argument(deadline));
    }
    if let Some(fuel) = limits.fuel {
        add("fuel", fuel.to_string());
    }
    for (flag, bytes, usual) in [
        ("memory-limit", limits.memory_bytes, usual.memory_bytes),
        ("stack-limit", limits.stack_bytes, usual.stack_bytes),
        ("transfer-limit", limits.transfer_bytes, usual.transfer_bytes),
    ] {
        if bytes != usual {
            add(flag, format!("{bytes}B"));
        }
    }
    if limits.batch_anomalies != usual.batch_anomalies {
        add("batch-anomalies", limits.batch_anomalies.to_string());
    }
    command
}

impl Captured {
    /// For people.
    #[must_use]
    pub fn note(&self) -> String {
        let Captured { case, lines: (first, last), command, fails_again } = self;
        let case = printable(&path(case)).into_owned();
        let lines = if first == last { format!("line {first}") } else { format!("lines {first} to {last}") };
        match fails_again {
            None => format!("kept {lines} as the case `{case}`; to try it: {command}"),
            Some(true) => {
                format!("it failed on {lines}, kept as the case `{case}`; to see it fail again: {command}")
            }
            Some(false) => {
                format!(
                    "it failed on {lines}, kept as the case `{case}`, but not when tried again: {command}"
                )
            }
        }
    }
}
