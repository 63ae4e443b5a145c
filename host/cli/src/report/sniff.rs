//! What `host sniff` prints.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use host_core::rejected::RejectedRow;
use host_core::text::{counted, one_line, path, printable, shell_file, shell_quoted};
use host_source::sniff::{About, Example, Finding, Flag, Reading, Sniffed};
use serde::Serialize;

/// The detector in the proposed command, which users replace by theirs.
const PLUGIN: &str = "threshold";

/// What was found out about files that can be read in the same way.
pub struct Sniff<'a> {
    /// What was found out.
    pub sniffed: &'a Sniffed,
    /// What became of them when they were read so.
    pub tried: Option<&'a Tried>,
}

/// How reading with what is proposed went.
#[derive(Default)]
pub struct Tried {
    /// Rows that were read.
    pub rows: u64,
    /// Records that were rejected.
    pub rejected: u64,
    /// The first of them.
    pub first: Option<RejectedRow>,
}

/// The same for programs.
#[derive(Serialize)]
pub struct SniffObject<'a> {
    file: String,
    files: Vec<String>,
    differs: Option<&'a str>,
    is_whole: bool,
    records: u64,
    findings: Vec<FindingObject<'a>>,
    /// Whether there is something to decide.
    is_open: bool,
    /// The command, with the options that are decided.
    run: String,
    rows_read: Option<u64>,
    rows_rejected: Option<u64>,
}

#[derive(Serialize)]
struct FindingObject<'a> {
    about: &'static str,
    what: &'a str,
    readings: Vec<ReadingObject<'a>>,
}

#[derive(Serialize)]
struct ReadingObject<'a> {
    options: Vec<FlagObject<'a>>,
    examples: Vec<ExampleObject<'a>>,
}

#[derive(Serialize)]
struct FlagObject<'a> {
    option: &'a str,
    value: Option<&'a str>,
}

#[derive(Serialize)]
struct ExampleObject<'a> {
    cell: &'a str,
    meaning: &'a str,
}

impl<'a> Sniff<'a> {
    /// For programs.
    #[must_use]
    pub fn object(&self) -> SniffObject<'a> {
        let Sniffed { is_whole, records, ref files, ref differs, ref findings } = *self.sniffed;
        SniffObject {
            file: path(self.sniffed.first()),
            files: files.iter().map(|(file, _)| path(file)).collect(),
            differs: differs.as_deref(),
            is_whole,
            records,
            findings: findings.iter().map(FindingObject::of).collect(),
            is_open: findings.iter().any(Finding::is_open),
            run: self.run(),
            rows_read: self.tried.map(|tried| tried.rows + tried.rejected),
            rows_rejected: self.tried.map(|tried| tried.rejected),
        }
    }

    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let Sniffed { is_whole, records, ref files, ref differs, ref findings } = *self.sniffed;
        let others = match files.len() {
            1 => String::new(),
            count => format!(" and {} of the same shape", counted(count as u64 - 1, "other file")),
        };
        let each = if files.len() == 1 { "" } else { " of each" };
        let looked =
            if is_whole { String::new() } else { format!(" in the first MiB{each}, which was looked at") };
        let file = path(self.sniffed.first());
        let mut text = format!("`{file}`{others}: {}{looked}\n", counted(records, "record"));
        // Writing into a String cannot fail.
        if let Some(differs) = differs {
            let _ = writeln!(text, "  {:<14} from the first file: {differs}", "differs");
        }
        for finding in findings {
            let label = label(finding.about);
            match finding.readings.as_slice() {
                [] => {
                    let _ = writeln!(text, "  {label:<14} ? {}", one_line(&finding.what));
                }
                [reading] => {
                    let _ =
                        writeln!(text, "  {label:<14} {}{}", one_line(&finding.what), said(reading, ": "));
                }
                several => {
                    let _ = writeln!(text, "  {label:<14} ? {}; choose one:", one_line(&finding.what));
                    for reading in several {
                        let _ = writeln!(
                            text,
                            "{:19}{}{}",
                            "",
                            flags(&reading.flags).trim_start(),
                            said(reading, "  # ")
                        );
                    }
                }
            }
        }
        if let Some(tried) = self.tried {
            let _ = writeln!(
                text,
                "  {:<14} {}, {} rejected",
                "read so",
                counted(tried.rows, "row"),
                tried.rejected
            );
            if let Some(first) = &tried.first {
                let _ = writeln!(text, "  {:<14} line {}: {}", "rejected", first.line, first.message());
            }
        }
        let is_open = findings.iter().any(Finding::is_open);
        let _ = writeln!(
            text,
            "{}\n  {}",
            if is_open { "add what you choose to:" } else { "to ingest it:" },
            self.run()
        );
        text
    }

    /// The command.
    fn run(&self) -> String {
        let flags: Vec<Flag> = self.sniffed.flags().cloned().collect();
        let file = |(file, _): &(PathBuf, u64)| format!(" {}", shell_file(&file.to_string_lossy()));
        let files: String = self.sniffed.files.iter().map(file).collect();
        format!("host run --plugin {PLUGIN}{}{files}", self::flags(&flags))
    }
}

/// What happened with `--save`.
#[must_use]
pub fn saved(target: &Path, name: &str, file: &Path) -> String {
    let name = shell_quoted(name);
    let config = match target.to_str() {
        Some("host.toml") => String::new(),
        _ => format!(" --config {}", shell_file(&target.to_string_lossy())),
    };
    let file = shell_file(&file.to_string_lossy()).into_owned();
    format!("saved in `{}`:\n  host run --profile {name}{config} --plugin {PLUGIN} {file}\n", path(target))
}

fn label(about: About) -> String {
    let name: &str = about.into();
    name.replace('_', " ")
}

/// Options as they are typed, each after a blank.
fn flags(flags: &[Flag]) -> String {
    let flag = |flag: &Flag| match &flag.value {
        Some(value) => format!(" --{} {}", flag.name, shell_quoted(value)),
        None => format!(" --{}", flag.name),
    };
    flags.iter().map(flag).collect()
}

/// The examples of a reading, after `before`, if there are any.
fn said(reading: &Reading, before: &str) -> String {
    let example = |Example { cell, meaning }: &Example| match meaning.as_str() {
        "" => format!("`{}`", printable(cell)),
        meaning if meaning == cell => format!("`{}`", printable(cell)),
        meaning => format!("`{}` → {}", printable(cell), printable(meaning)),
    };
    let examples: Vec<String> = reading.examples.iter().map(example).collect();
    if examples.is_empty() { String::new() } else { format!("{before}{}", examples.join(", ")) }
}

impl FindingObject<'_> {
    fn of(finding: &Finding) -> FindingObject<'_> {
        FindingObject {
            about: finding.about.into(),
            what: &finding.what,
            readings: finding.readings.iter().map(ReadingObject::of).collect(),
        }
    }
}

impl ReadingObject<'_> {
    fn of(reading: &Reading) -> ReadingObject<'_> {
        let options = reading.flags.iter();
        let examples = reading.examples.iter();
        ReadingObject {
            options: options
                .map(|flag| FlagObject { option: flag.name, value: flag.value.as_deref() })
                .collect(),
            examples: examples
                .map(|example| ExampleObject { cell: &example.cell, meaning: &example.meaning })
                .collect(),
        }
    }
}
