//! docker-compose.yml under a name of its own, beside whatever else uses it on this machine.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::caretaker::Caretaker;
use crate::plugins;
use crate::shell::{output, root};

/// Such a password must be no trouble for anybody.
pub const PASSWORD: &str = "it's 1 \"$ecret\" #/@:%";
/// Gets the folder, the image and the arguments of compose.
const CLEAN_UP: &str = r#"
    folder=$0 image=$1; shift
    docker compose "$@" down --volumes --remove-orphans --timeout 2 2>/dev/null
    docker image rm --force "$image" 2>/dev/null
    rm -rf -- "$folder""#;

/// Containers, volumes, network and image; all are removed when this is dropped, or this process ends.
pub struct Project {
    /// For files that the checks need.
    folder: PathBuf,
    /// The project's and the image's.
    name: String,
    /// The program for this machine, if there is one.
    program: Option<PathBuf>,
    _caretaker: Caretaker,
}

impl Project {
    /// With the program and plugins of this folder in the image, or with what is compiled there. Nothing is
    /// started yet.
    pub fn new(built: Option<PathBuf>) -> Result<Project> {
        let folder = tempfile::Builder::new().prefix("host-compose-").tempdir()?.keep();
        let name = format!("host-compose-{}", std::process::id());
        let caretaker = Caretaker::start(CLEAN_UP, |shell| {
            shell.arg(&folder).arg(&name).args(arguments(&folder, &name));
        })?;
        let mut service = json!({ "image": name });
        if let Some(built) = &built {
            let stage = folder.join("build");
            first_stage(built, &stage)?;
            service["build"] = json!({ "additional_contexts": { "build": stage } });
        }
        let file = json!({ "services": { "host": service } });
        // JSON is YAML, too.
        fs::write(folder.join("override.yml"), file.to_string()).context("could not write override.yml")?;
        let program = built.map(|built| built.join("host"));
        Ok(Project { folder, name, program, _caretaker: caretaker })
    }

    /// `docker compose`, with the files and names of this project.
    pub fn compose<I: AsRef<OsStr>>(&self, command: impl IntoIterator<Item = I>) -> Command {
        let mut compose = Command::new("docker");
        compose.arg("compose").args(arguments(&self.folder, &self.name)).args(command);
        // A port that is free, whatever else is used on this machine, and nothing that the caller has set.
        compose.env("POSTGRES_PORT", "0").env("POSTGRES_PASSWORD", PASSWORD);
        for name in ["COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_ENV_FILES"] {
            compose.env_remove(name);
        }
        compose.current_dir(root());
        compose
    }

    /// The program in the container that waits for commands.
    pub fn host<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        self.compose(["exec", "-T", "host", "host"].into_iter().chain(arguments))
    }

    /// The program in a container of its own, which these options are for.
    pub fn run<'a>(&self, options: &[&'a str], arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let run = ["run", "--rm", "-T"].into_iter().chain(options.iter().copied());
        self.compose(run.chain(["host", "host"]).chain(arguments))
    }

    /// The program of this machine, if there is one, on the server's port.
    pub fn outside<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<Option<Command>> {
        let Some(program) = &self.program else { return Ok(None) };
        let address = output(&mut self.compose(["port", "postgres", "5432"]))?;
        let (host, port) = address.trim().rsplit_once(':').context("an address without its port")?;
        ensure!(host == "127.0.0.1", "the server is open to others: {host}");
        let mut command = Command::new(program);
        command.args(arguments).current_dir(root()).env_remove("DATABASE_URL").env_remove("PGHOSTADDR");
        command.env("PGHOST", host).env("PGPORT", port).env("PGPASSWORD", PASSWORD);
        command.env("PGUSER", "postgres").env("PGDATABASE", "ecomm_fraud_db").env_remove("PGSERVICE");
        Ok(Some(command))
    }

    /// A query's answer, over a connection of its own.
    pub fn query(&self, sql: &str) -> Result<String> {
        let psql = ["psql", "--username", "postgres", "--dbname", "ecomm_fraud_db", "-XAtc", sql];
        let answer = output(&mut self.compose(["exec", "-T", "postgres"].into_iter().chain(psql)))?;
        Ok(answer.trim().to_owned())
    }

    /// The image, by its name.
    pub fn image(&self) -> &str {
        &self.name
    }

    /// A folder for whatever a check needs; it is gone with the project.
    pub fn folder(&self) -> &Path {
        &self.folder
    }
}

/// What compose is told before every command.
fn arguments(folder: &Path, name: &str) -> Vec<std::ffi::OsString> {
    let mut arguments =
        vec!["--project-name".into(), name.into(), "--project-directory".into(), root().into()];
    for file in [root().join("docker-compose.yml"), folder.join("override.yml")] {
        arguments.extend(["--file".into(), file.into_os_string()]);
    }
    arguments
}

/// What the first stage of the Dockerfile has in the end.
fn first_stage(built: &Path, stage: &Path) -> Result<()> {
    let (from, to) = (built.join("plugins"), stage.join("out/bin/plugins"));
    fs::create_dir_all(&to).with_context(|| format!("could not create {}", to.display()))?;
    let copy = |from: &Path, to: &Path| {
        fs::copy(from, to).map(drop).with_context(|| format!("could not copy {}", from.display()))
    };
    copy(&built.join("host"), &stage.join("out/bin/host"))?;
    plugins::for_users().try_for_each(|file| copy(&from.join(&file), &to.join(&file)))
}

/// Runs a program to its end, whatever that is; it must have been started.
pub fn finish(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().context("could not run docker")
}
