//! `host plugin doctor`: which of the tools that a language's projects need are here, what is missing, and how to get
//! it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum as _;
use host_core::text::{path, printable};
use serde::Serialize;

use super::project::Project;
use super::project::language::facts;
use super::project::tools::{SearchPath, State, Tool};
use crate::cli::Language;

/// What was found; field names are part of the interface.
#[derive(Debug, Serialize)]
pub struct Diagnosis {
    /// Whether nothing is missing.
    pub complete: bool,
    /// Language by language.
    pub languages: Vec<OfLanguage>,
    tools: Vec<OfTool>,
}

/// A language's tools.
#[derive(Debug, Serialize)]
pub struct OfLanguage {
    language: String,
    complete: bool,
    needs: Vec<&'static str>,
    /// What the first build fetches by itself.
    fetches: Option<&'static str>,
    /// Whether it has done so, in the project that this is about.
    fetched: Option<bool>,
    #[serde(skip)]
    title: &'static str,
}

#[derive(Debug, Serialize)]
struct OfTool {
    tool: &'static str,
    found: bool,
    version: Option<String>,
    file: Option<String>,
    problem: Option<String>,
    remedy: Option<String>,
}

/// Looks for the tools of these languages; `project` is the one that this is about, if any.
#[must_use]
pub fn examine(languages: &[Language], project: Option<&Project>) -> Diagnosis {
    let search = SearchPath::of_process();
    let wanted = |tool: &Tool| languages.iter().any(|language| facts(*language).tools.contains(tool));
    let all = [
        Tool::Cargo,
        Tool::WasmTarget,
        Tool::Make,
        Tool::Python,
        Tool::Venv,
        Tool::Node,
        Tool::Npm,
        Tool::Host,
    ];
    let states: BTreeMap<&str, State> =
        all.into_iter().filter(wanted).map(|tool| (tool.name(), tool.look(&search))).collect();
    let is_here = |tool: &Tool| matches!(states.get(tool.name()), Some(State::Found { .. }));
    let languages: Vec<OfLanguage> = languages
        .iter()
        .map(|language| {
            let facts = facts(*language);
            OfLanguage {
                language: language.to_possible_value().map_or(String::new(), |name| name.get_name().into()),
                complete: facts.tools.iter().all(is_here),
                needs: facts.tools.iter().map(|tool| tool.name()).collect(),
                fetches: facts.fetched.map(|(what, _)| what),
                fetched: project
                    .zip(facts.fetched)
                    .map(|(project, (_, at))| project.folder.join(at).exists()),
                title: facts.title,
            }
        })
        .collect();
    let tools =
        all.into_iter().filter_map(|tool| Some(OfTool::new(tool, states.get(tool.name())?))).collect();
    Diagnosis { complete: languages.iter().all(|language| language.complete), languages, tools }
}

impl OfTool {
    fn new(tool: Tool, state: &State) -> OfTool {
        let (tool, missing) = (tool.name(), matches!(state, State::Missing { .. }));
        let mut of = OfTool { tool, found: !missing, version: None, file: None, problem: None, remedy: None };
        match state.clone() {
            State::Found { version, file } => {
                of.version = Some(version).filter(|version| !version.is_empty());
                of.file = Some(path(&file));
            }
            State::Missing { problem, remedy } => (of.problem, of.remedy) = (Some(problem), Some(remedy)),
        }
        of
    }
}

impl Diagnosis {
    /// For people.
    #[must_use]
    pub fn human(&self) -> String {
        let mut text = String::new();
        // Writing into a String cannot fail.
        for tool in &self.tools {
            let result = if tool.found { "ok" } else { "MISSING" };
            let parts = [tool.version.as_deref(), tool.file.as_deref(), tool.problem.as_deref()];
            let parts: Vec<_> = parts.into_iter().flatten().map(printable).collect();
            let _ = writeln!(text, "{result:<8} {:<23} {}", tool.tool, parts.join(", "));
            if let Some(remedy) = &tool.remedy {
                let _ = writeln!(text, "{:32} {remedy}", "");
            }
        }
        for of in &self.languages {
            let OfLanguage { title, complete, fetches, fetched, .. } = of;
            let result = if *complete { "ready" } else { "not ready" };
            let fetches = match (fetches, fetched) {
                (Some(what), Some(true)) => format!("; {what} is installed in the project"),
                (Some(what), _) => format!("; the first build installs {what}"),
                (None, _) => String::new(),
            };
            let _ = writeln!(text, "{title}: {result}{fetches}");
        }
        text
    }
}
