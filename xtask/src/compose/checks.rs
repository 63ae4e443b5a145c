//! The checks, in an order in which each builds upon those before it.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use super::context;
use super::project::{Project, finish};
use crate::shell::{self, output, root};

/// What should be so, and whether it is.
type Check = (&'static str, fn(&Project) -> Result<()>);

/// All of them.
pub const ALL: [Check; 14] = [
    ("the context is what the image is built of, and nothing that lies around", context::check),
    ("`up` builds the image and starts both containers", up),
    ("the sample file twice: 3,600 rows and 76 anomalies", sample_twice),
    ("a file on standard input", standard_input),
    ("a file and a plugin of one's own", own_files),
    ("rejected rows are written to a file, which can be copied out", rejects),
    ("neither root, nor any capability, nor a file that can be replaced", locked_down),
    ("any other user", any_user),
    ("compiled plugins are kept", compiled_plugins),
    ("without a database, the help names what helps here", no_database),
    ("with another password: 5, and nothing is written", wrong_password),
    ("a container that is stopped while it ingests: 143, and nothing is written", stopped),
    ("a server that is killed after a commit has everything", killed_server),
    ("`down` and `up` keep everything", down_and_up),
];

/// The sample file as the containers see it, and as this machine does from the root of the project.
const SAMPLE: &str = "data/consumed_transactions.csv";
const RUN: [&str; 4] = ["run", "--plugin", "threshold.wasm", SAMPLE];
/// Rows and anomalies of the sample file.
const SAMPLE_COUNTS: (u64, u64) = (1_800, 38);
/// How long something may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);

/// So many times the sample file is in the database.
fn expect_runs(project: &Project, runs: u64) -> Result<()> {
    let counts = "SELECT (SELECT count(*) FROM transactions), (SELECT count(*) FROM anomalies), \
                  (SELECT count(*) FROM ingest_runs)";
    let (rows, anomalies) = SAMPLE_COUNTS;
    let (found, expected) = (project.query(counts)?, format!("{}|{}|{runs}", rows * runs, anomalies * runs));
    ensure!(found == expected, "the database has {found}; it should be {expected}");
    Ok(())
}

/// Runs a program that must end with this code, and returns what it said on stderr.
fn expect_code(command: &mut Command, code: i32) -> Result<String> {
    let end = finish(command)?;
    let said = String::from_utf8_lossy(&end.stderr).into_owned();
    ensure!(end.status.code() == Some(code), "{} instead of {code}: {said}", end.status);
    Ok(said)
}

fn up(project: &Project) -> Result<()> {
    shell::run(&mut project.compose(["up", "--detach", "--wait"]))?;
    let running = output(&mut project.compose(["ps", "--services", "--status", "running"]))?;
    let mut running: Vec<&str> = running.lines().collect();
    running.sort_unstable();
    ensure!(running == ["host", "postgres"], "running: {running:?}");
    // Neither is anything ingested yet.
    let tables = project.query("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")?;
    ensure!(tables == "0", "there are {tables} tables");
    let size = ["image", "inspect", "--format", "{{.Size}}", project.image()];
    shell::say(&format!("the image has {} bytes", output(Command::new("docker").args(size))?.trim()));
    Ok(())
}

/// Once in the container that waits, and once from this machine; where no program for it was built, in a
/// container of its own.
fn sample_twice(project: &Project) -> Result<()> {
    expect_code(&mut project.host(RUN), 0)?;
    let mut second = project.outside(RUN)?.unwrap_or_else(|| project.run(&[], RUN));
    expect_code(&mut second, 0)?;
    expect_runs(project, 2)
}

fn standard_input(project: &Project) -> Result<()> {
    let file = File::open(root().join(SAMPLE)).context("could not open the sample file")?;
    let end = project.host(["run", "--plugin", "threshold", "-"]).stdin(file).output()?;
    ensure!(end.status.success(), "{}", String::from_utf8_lossy(&end.stderr));
    expect_runs(project, 3)
}

fn own_files(project: &Project) -> Result<()> {
    let plugin = project.folder().join("mine.wasm");
    let from = "host:/usr/local/bin/plugins/threshold.wasm";
    expect_code(project.compose(["cp", from]).arg(&plugin), 0)?;
    let file = root().join(SAMPLE).canonicalize().context("could not find the sample file")?;
    let mount = |path: &Path, name: &str| format!("{}:/mnt/{name}:ro", path.display());
    let (file, plugin) = (mount(&file, "mine.csv"), mount(&plugin, "mine.wasm"));
    let arguments = ["run", "--plugin", "/mnt/mine.wasm", "/mnt/mine.csv"];
    expect_code(&mut project.run(&["--volume", &file, "--volume", &plugin], arguments), 0)?;
    expect_runs(project, 4)
}

fn rejects(project: &Project) -> Result<()> {
    let check = ["check", "--plugin", "threshold", "--max-rejects", "5", "--rejects", "bad.csv"];
    let arguments = check.into_iter().chain(["data/malformed/amount-nan.csv"]);
    expect_code(&mut project.host(arguments), 0)?;
    let copy = project.folder().join("bad.csv");
    expect_code(project.compose(["cp", "host:/srv/bad.csv"]).arg(&copy), 0)?;
    let text = std::fs::read_to_string(&copy).context("could not read the copy")?;
    ensure!(text.contains("NaN"), "{text}");
    Ok(())
}

fn locked_down(project: &Project) -> Result<()> {
    let script = "id -u; sed -n 's/^CapEff:[[:space:]]*//p; s/^NoNewPrivs:[[:space:]]*/privileges /p' /proc/self/status";
    let state = output(&mut project.compose(["exec", "-T", "host", "sh", "-c", script]))?;
    let lines: Vec<&str> = state.lines().collect();
    ensure!(lines == ["10001", "0000000000000000", "privileges 1"], "{state}");
    // The owner of what is in the image would be allowed to.
    let touch = ["touch", "/usr/local/bin/plugins/threshold.wasm"];
    let mut touch = project.compose(["exec", "-T", "--user", "0", "host"].into_iter().chain(touch));
    let said = expect_code(&mut touch, 1)?;
    ensure!(said.contains("Read-only file system"), "{said}");
    Ok(())
}

fn any_user(project: &Project) -> Result<()> {
    // What is there already is not ingested; all that comes before is done.
    let once = RUN.into_iter().chain(["--once"]);
    let said = expect_code(&mut project.run(&["--user", "12345:12345"], once), 0)?;
    ensure!(!said.contains("error"), "{said}");
    expect_runs(project, 4)
}

fn compiled_plugins(project: &Project) -> Result<()> {
    // In another container than that in which they were compiled.
    let list = ["run", "--rm", "-T", "host", "ls", "/srv/.cache/host/compiled"];
    let kept = output(&mut project.compose(list))?;
    ensure!(!kept.trim().is_empty(), "the folder is empty");
    Ok(())
}

fn no_database(project: &Project) -> Result<()> {
    let data = format!("{}:/srv/data:ro", root().canonicalize()?.join("data").display());
    let mut alone = Command::new("docker");
    alone.args(["run", "--rm", "--pull", "never", "--volume", &data, project.image()]).args(RUN);
    let said = expect_code(&mut alone, 5)?;
    ensure!(said.contains("help: name a server with --database-url"), "{said}");
    Ok(())
}

fn wrong_password(project: &Project) -> Result<()> {
    expect_code(&mut project.run(&["--env", "PGPASSWORD=wrong"], RUN), 5)?;
    expect_runs(project, 4)
}

fn stopped(project: &Project) -> Result<()> {
    let name = format!("{}-stopped", project.image());
    let mut run = project.run(&["--name", &name], ["run", "--plugin", "threshold", "-"]);
    let mut run = run.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
    // Open, so that the run waits for the rest of its file.
    let mut input = run.stdin.take().context("a pipe was asked for")?;
    std::io::copy(&mut File::open(root().join(SAMPLE))?, &mut input)?;
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' \
                   AND pid <> pg_backend_pid() AND xact_start IS NOT NULL";
    let started = Instant::now();
    while project.query(waiting)? == "0" {
        ensure!(started.elapsed() < PATIENCE, "the run did not begin its transaction");
        std::thread::sleep(Duration::from_millis(200));
    }
    output(Command::new("docker").args(["stop", &name]))?;
    let status = run.wait()?;
    drop(input);
    ensure!(status.code() == Some(143), "{status} instead of 143");
    expect_runs(project, 4)
}

fn killed_server(project: &Project) -> Result<()> {
    expect_code(&mut project.host(RUN), 0)?;
    shell::run(&mut project.compose(["kill", "postgres"]))?;
    expect_code(&mut project.host(RUN), 5)?;
    shell::run(&mut project.compose(["up", "--detach", "--wait"]))?;
    expect_runs(project, 5)
}

fn down_and_up(project: &Project) -> Result<()> {
    shell::run(&mut project.compose(["down", "--timeout", "10"]))?;
    shell::run(&mut project.compose(["up", "--detach", "--wait"]))?;
    expect_runs(project, 5)?;
    expect_code(&mut project.host(RUN), 0)?;
    expect_runs(project, 6)
}
