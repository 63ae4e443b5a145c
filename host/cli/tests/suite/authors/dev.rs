//! `host plugin dev`: files are saved, and what it says about that is waited for.

use std::fs;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::Value;

use super::project::Project;
use super::templates::author;
use crate::support::{Database, Files, succeed};

/// How long a round may take on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(180);

/// The program while it watches a project.
struct Dev {
    child: Child,
    /// What it prints on stdout, line by line.
    lines: Receiver<String>,
    /// What it prints on stderr, once it has ended.
    stderr: std::thread::JoinHandle<String>,
}

impl Dev {
    fn start(command: &mut Command) -> Dev {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let mut stderr = child.stderr.take().unwrap();
        let stderr = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Dev { child, lines, stderr }
    }

    fn line(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("it says something")
    }

    /// What it says in a round, without what takes another time in each.
    fn round(&self) -> String {
        let mut said = String::new();
        loop {
            let line = self.line();
            let is_last = line.starts_with("waiting for a change");
            let shown = match line.split_once(": ") {
                Some(("built", rest)) => format!("built: {}", rest.split_once(", ").unwrap().0),
                Some(("speed", rest)) => {
                    let was = if rest.contains("(was ") { " (was [n])" } else { "" };
                    format!("speed: [n] ns a row{was}")
                }
                _ => line,
            };
            said.push_str(&format!("{shown}\n"));
            if is_last {
                return said;
            }
        }
    }

    fn signal(&self, name: &str) {
        succeed(Command::new("kill").args(["-s", name, &self.child.id().to_string()]));
    }

    /// Interrupts it; the exit code, and what it printed on stderr.
    fn end(mut self) -> (Option<i32>, String) {
        self.signal("INT");
        let code = self.child.wait().unwrap().code();
        (code, self.stderr.join().unwrap())
    }
}

#[test]
fn a_save_is_built_tried_and_compared_with_the_one_before() {
    let (database, files) = (Database::new(), Files::new());
    let host = |folder: &std::path::Path| author("host", folder, "c", &database);
    succeed(host(files.path()).args(["plugin", "new", "owls", "--lang", "c"]));
    let folder = files.path().join("owls");
    // The compiler is there, and is not to be installed again.
    let requirements = fs::File::options().write(true).open(folder.join("requirements.txt")).unwrap();
    requirements.set_modified(std::time::UNIX_EPOCH).unwrap();
    let source = folder.join("plugin.c");
    let good = fs::read_to_string(&source).unwrap();

    let dev = Dev::start(host(&folder).args(["plugin", "dev"]));
    insta::assert_snapshot!("dev_first", dev.round());
    fs::write(&source, good.replace("detector_", "nonsense detector_")).unwrap();
    insta::assert_snapshot!("dev_not_built", dev.round());
    // It compiles, but is another detector.
    let other = good.replace("% 100 == 0", "% 100 == 1");
    assert_ne!(good, other);
    fs::write(&source, other).unwrap();
    insta::assert_snapshot!("dev_case_fails", dev.round());
    // As editors save: another file takes its place.
    fs::write(folder.join("plugin.c~"), &good).unwrap();
    fs::rename(folder.join("plugin.c~"), &source).unwrap();
    insta::assert_snapshot!("dev_case_passes", dev.round());
    // A case is saved.
    let case = folder.join("cases/basic.csv");
    let expected = fs::read_to_string(&case).unwrap().replace(",10,10.00 is", ",11,10.00 is");
    fs::write(&case, expected).unwrap();
    let said = dev.round();
    assert!(
        said.contains("row 1 has the score 10, not 11") && said.contains("`./cases/basic.csv`"),
        "{said}"
    );
    let (code, stderr) = dev.end();
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stderr.contains("plugin.c:") && stderr.contains("nonsense"), "{stderr}");
}

/// A named pipe that the build of a project reads, so that a test knows that it is running, and lets it go on.
fn gate(project: &Project) -> PathBuf {
    let gate = project.folder.join("gate");
    succeed(Command::new("mkfifo").arg(&gate));
    gate
}

fn with_gate(project: &Project) {
    let makefile = fs::read_to_string(project.folder.join("Makefile")).unwrap();
    project.write("Makefile", &makefile.replace("\t@echo", "\t@test ! -p gate || cat gate\n\t@echo"));
}

#[test]
fn saves_during_a_build_lead_to_one_more_round() {
    let project = Project::new();
    with_gate(&project);
    let dev = Dev::start(&mut project.host(&["plugin", "dev", "--format", "json"]));
    let round = || -> Value { serde_json::from_str(&dev.line()).unwrap() };
    let first = round();
    assert_eq!((&first["round"], &first["built"]["name"]), (&1.into(), &"owls".into()));
    assert_eq!(first["cases"][0]["result"], "ok");
    assert!(first["rules"].as_array().unwrap().len() > 10 && first["nanos_per_row"].is_number(), "{first}");

    let gate = gate(&project);
    project.write("plugin.c", "// 1");
    // Waits until the build reads.
    let opened = fs::File::options().write(true).open(&gate).unwrap();
    project.write("plugin.c", "// 2");
    project.write("detector-helpers.h", "// 2");
    project.write("plugin.c", "// 3");
    fs::remove_file(&gate).unwrap();
    drop(opened);
    let (second, third) = (round(), round());
    assert_eq!((&second["round"], &third["round"]), (&2.into(), &3.into()));
    assert_eq!(second["changed"], serde_json::json!(["./plugin.c"]));
    assert_eq!(third["changed"], serde_json::json!(["./detector-helpers.h", "./plugin.c"]));
    // What is saved without a change, and what is not a source, leads to none; the next change to the next.
    project.write("plugin.c", "// 3");
    project.write("README.md", "");
    project.write("cases/basic.csv", "");
    let fourth = round();
    assert_eq!(
        (&fourth["round"], &fourth["changed"]),
        (&4.into(), &serde_json::json!(["./cases/basic.csv"]))
    );
    let (code, stderr) = dev.end();
    assert_eq!(code, Some(0), "{stderr}");
    // All four are builds: make compares times, and by itself would take the third for up to date, because what was
    // saved during the second is older than what that made.
    assert_eq!(stderr.lines().filter(|line| *line == "compiling").count(), 4, "{stderr}");
}

#[test]
fn an_interrupt_ends_the_build_too() {
    for (signal, expected) in [("INT", 0), ("TERM", 143)] {
        let project = Project::new();
        with_gate(&project);
        let gate = gate(&project);
        let mut dev = Dev::start(&mut project.host(&["plugin", "dev"]));
        let mut opened = fs::File::options().write(true).open(&gate).unwrap();
        dev.signal(signal);
        let code = dev.child.wait().unwrap().code();
        // It is only printed at the end of a round.
        assert_eq!((code, dev.lines.recv().ok()), (Some(expected), None));
        // Nobody reads any more: what is written is refused, and the pipe cannot be opened.
        crate::support::wait_until("the end of the build", || opened.write_all(b"x").is_err());
        let refused = fs::File::options().write(true).custom_flags(libc::O_NONBLOCK).open(&gate);
        assert_eq!(refused.unwrap_err().raw_os_error(), Some(libc::ENXIO));
    }
}
