//! `host sniff`: what is proposed for files of unknown shape.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use host_core::batch::Batch;
use host_core::exit;
use host_core::text::{path, shell_file};
use host_source::sniff::{Sniffed, sniff};
use host_source::{InputRules, RejectLimit, Source, expand};
use serde_json::json;

use crate::cli::{self, Command, SniffArgs};
use crate::config::IngestConfig;
use crate::error::{Error, ProfileError};
use crate::profiles;
use crate::remarks;
use crate::report::{self, Reporter, Tried};

/// Where a profile is added if no file is named.
const FILE: &str = "host.toml";

/// Looks at files; returns the exit code.
pub fn look(arguments: &SniffArgs, asked: Option<&Path>, reporter: &Reporter) -> Result<u8, Error> {
    let list = expand(&arguments.files)?;
    list.notes.iter().for_each(|note| remarks::note(&note.to_string()));
    let mut all = sniff(&list.files)?;
    for sniffed in &mut all {
        sniffed.without(|flag| !profiles::has_option(flag.name));
        let tried = tried(sniffed)?;
        let shown = report::Sniff { sniffed, tried: tried.as_ref() };
        reporter.record(&shown.object(), || shown.human())?;
    }
    let saved = match (&arguments.save, all.first()) {
        (Some(name), Some(sniffed)) => Some(save(name, sniffed, asked)?),
        _ => None,
    };
    let object = json!({
        "files": list.files.len(),
        "saved": saved.as_ref().map(|(file, _)| path(file)),
        "profile": arguments.save,
    });
    reporter.end(exit::COMMITTED, object, || saved.map_or(String::new(), |(_, human)| human))?;
    Ok(exit::COMMITTED)
}

fn save(name: &str, sniffed: &Sniffed, asked: Option<&Path>) -> Result<(PathBuf, String), ProfileError> {
    let file = sniffed.first();
    let target = asked.unwrap_or(Path::new(FILE)).to_owned();
    let about = shell_file(&file.to_string_lossy()).into_owned();
    profiles::save(&target, name, &about, sniffed)?;
    let human = report::saved(&target, name, file);
    Ok((target, human))
}

/// Reads what was looked at as a run would, with the options that are proposed; `None` if there is something to
/// decide, or a file cannot be read again.
fn tried(sniffed: &Sniffed) -> Result<Option<Tried>, Error> {
    let is_regular = |file: &PathBuf| std::fs::metadata(file).is_ok_and(|metadata| metadata.is_file());
    let are_regular = sniffed.files.iter().all(|(file, _)| is_regular(file));
    if !are_regular || sniffed.findings.iter().any(|finding| finding.is_open()) {
        return Ok(None);
    }
    let Some(rules) = rules(sniffed)? else { return Ok(None) };
    let rules = InputRules { max_rejects: RejectLimit::Count(u64::MAX), ..rules };
    let mut tried = Tried::default();
    for (file, records) in &sniffed.files {
        let mut source =
            Source::open(expand(std::slice::from_ref(file))?, rules.clone(), &[], Arc::default())?;
        let mut spent = Batch::default();
        let mut read = 0;
        while read < (*records).max(1) {
            let Some(part) = source.next_part(spent)? else { break };
            let (rows, rejected) = (part.batch.len() as u64, part.rejected.len() as u64);
            (tried.rows, tried.rejected, read) =
                (tried.rows + rows, tried.rejected + rejected, read + rows + rejected);
            tried.first = tried.first.or_else(|| part.rejected.into_iter().next());
            spent = part.batch;
        }
    }
    Ok(Some(tried))
}

/// How a run with these options reads: they are parsed as if they were typed.
fn rules(sniffed: &Sniffed) -> Result<Option<InputRules>, Error> {
    let mut typed: Vec<OsString> = ["host", "check", "--plugin", "none"].map(OsString::from).to_vec();
    for flag in sniffed.flags() {
        typed.push(match &flag.value {
            Some(value) => format!("--{}={value}", flag.name).into(),
            None => format!("--{}", flag.name).into(),
        });
    }
    typed.extend(["--".into(), sniffed.first().as_os_str().to_owned()]);
    let Ok(cli) = cli::parse(&typed) else {
        return Err(Error::Internal("an option that `sniff` proposes does not exist"));
    };
    match cli.command {
        Command::Check(arguments) => Ok(Some(IngestConfig::new(arguments.run.ingest)?.rules)),
        _ => Ok(None),
    }
}
