//! Projects of plugins: building them, using the plugin of the folder one is in, and the tools that they need.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use crate::support::{Files, Finished, finish, host, plugin, succeed};

/// A project that a shell "compiles" at once: its plugin is `threshold`, unless the source says otherwise.
pub struct Project {
    pub files: Files,
    pub folder: PathBuf,
}

impl Project {
    pub fn new() -> Project {
        let files = Files::new();
        let folder = files.path().join("owls");
        let project = Project { files, folder };
        succeed(project.host_in(project.files.path(), &["plugin", "new", "owls", "--lang", "c"]).arg("-v"));
        project.write(
            "Makefile",
            &format!(
                "PLUGIN = owls.wasm\n$(PLUGIN): plugin.c\n\t@echo compiling\n\t@! grep --line-number broken plugin.c >&2\n\t@grep --quiet nothing plugin.c || cp {} $@\n",
                plugin("threshold").display()
            ),
        );
        project.write("plugin.c", "");
        fs::remove_dir_all(project.folder.join("cases")).unwrap();
        fs::create_dir(project.folder.join("cases")).unwrap();
        project.write(
            "cases/basic.csv",
            "transaction_id,user_id,amount,timestamp,expected_score\n1,7,600.00,2024-01-01 00:00:00,100\n",
        );
        project
    }

    pub fn write(&self, file: &str, content: &str) {
        fs::write(self.folder.join(file), content).unwrap();
    }

    fn host_in(&self, folder: &Path, arguments: &[&str]) -> Command {
        let mut command = host();
        command.current_dir(folder).env("HOST_DATA_DIR", self.files.path()).args(arguments);
        command
    }

    /// The program in the project's folder.
    pub fn host(&self, arguments: &[&str]) -> Command {
        self.host_in(&self.folder, arguments)
    }

    /// The code, and what was printed, without what differs between machines and moments.
    fn said(&self, command: &mut Command) -> String {
        let Finished { code, stdout, stderr } = finish(command);
        // The log's time.
        let stderr = stderr.lines().map(|line| match line.split_once("  WARN ") {
            Some((_, rest)) => format!("[time]  WARN {rest}\n"),
            None => format!("{line}\n"),
        });
        let stdout = match stdout.split_once("owls.wasm, ") {
            Some((built, size)) if size.ends_with("iB\n") => format!("{built}owls.wasm, [size]\n"),
            _ => stdout,
        };
        self.files.anonymous(&format!("{code}\n{stdout}---\n{}", stderr.collect::<String>()))
    }

    fn changed(&self, file: &str, when: SystemTime) {
        let file = fs::File::options().append(true).open(self.folder.join(file)).unwrap();
        file.set_modified(when).unwrap();
    }
}

#[test]
fn commands_use_the_plugin_of_the_folder_and_say_so() {
    let project = Project::new();
    insta::assert_snapshot!("project_not_built", project.said(&mut project.host(&["plugin", "test"])));
    insta::assert_snapshot!("project_built", project.said(&mut project.host(&["plugin", "build"])));
    insta::assert_snapshot!("project_tested", project.said(&mut project.host(&["plugin", "test"])));

    // In every command, and from below.
    let cases = project.folder.join("cases");
    for (folder, arguments) in [
        (&cases, vec!["plugin", "check"]),
        (&cases, vec!["plugin", "inspect"]),
        (&project.folder, vec!["plugin", "bench"]),
        (&project.folder, vec!["plugin", "digest"]),
        (&project.folder, vec!["plugin", "add"]),
        (&cases, vec!["check", "basic.csv"]),
    ] {
        let finished = finish(&mut project.host_in(folder, &arguments));
        assert_eq!(finished.code, 0, "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.starts_with("note: the plugin is `"), "{arguments:?}: {}", finished.stderr);
        assert!(finished.stderr.contains("owls.wasm`, of the project in this folder"), "{}", finished.stderr);
    }
    // What is given counts, and a folder stands for its project.
    let outside = project.files.path();
    for arguments in [["plugin", "inspect", "./owls"], ["plugin", "inspect", "owls/owls.wasm"]] {
        let finished = finish(&mut project.host_in(outside, &arguments));
        assert_eq!((finished.code, finished.stderr.as_str()), (0, ""), "{arguments:?}");
    }
    let named = finish(&mut project.host(&["plugin", "inspect", "zscore"]));
    assert!(named.code == 0 && named.stdout.contains("zscore.wasm"), "{named:?}");
    // With rows, too.
    let with_rows = finish(&mut project.host(&["plugin", "digest", ".", "cases/basic.csv"]));
    assert_eq!((with_rows.code, with_rows.stderr.as_str()), (0, ""));
}

#[test]
fn a_command_without_a_plugin_or_a_project_is_told_both_ways() {
    let files = Files::new();
    for arguments in [vec!["plugin", "check"], vec!["check", "x.csv"], vec!["run", "x.csv"]] {
        let finished = finish(host().current_dir(files.path()).args(&arguments));
        assert_eq!(finished.code, 2, "{arguments:?}");
        let stderr = finished.stderr.replace("note: nothing was written\n", "");
        insta::assert_snapshot!("project_no_plugin", stderr);
    }
    let finished = finish(host().current_dir(files.path()).args(["plugin", "build", "."]));
    assert_eq!(finished.code, 2);
    insta::assert_snapshot!("project_none", finished.stderr);
}

#[test]
fn a_plugin_that_is_older_than_its_sources_is_said_to_be() {
    let project = Project::new();
    succeed(&mut project.host(&["plugin", "build"]));
    let outdated = |arguments: &[&str]| {
        let mut command = project.host(arguments);
        command.args(["--format", "json"]);
        let end: serde_json::Value = serde_json::from_str(&succeed(&mut command)).unwrap();
        let remarks = end["remarks"].as_array().unwrap().clone();
        remarks
            .into_iter()
            .find(|remark| remark["level"] == "warning")
            .map(|remark| remark["text"].to_string())
    };
    assert_eq!(outdated(&["plugin", "inspect"]), None);
    let later = SystemTime::now() + Duration::from_secs(10);
    // These are not part of the plugin.
    project.changed("README.md", later);
    project.changed("cases/basic.csv", later);
    assert_eq!(outdated(&["plugin", "inspect"]), None);
    project.changed("detector-helpers.h", later);
    insta::assert_snapshot!("project_outdated", project.said(&mut project.host(&["plugin", "test"])));
    // However it is named.
    for given in ["owls.wasm", "./owls.wasm", "."] {
        assert!(outdated(&["plugin", "inspect", given]).is_some(), "{given}");
    }
    // A build speaks for all sources, also if there was nothing to do for it.
    project.changed("detector-helpers.h", SystemTime::now());
    assert!(outdated(&["plugin", "inspect"]).is_some());
    let built = finish(&mut project.host(&["plugin", "build"]));
    assert!(!built.stderr.contains("compiling"), "{}", built.stderr);
    assert_eq!(outdated(&["plugin", "inspect"]), None);
}

#[test]
fn a_build_that_fails_says_why() {
    let project = Project::new();
    project.write("plugin.c", "int a;\nbroken\n");
    let said = |arguments: &[&str]| {
        // How make says it differs between its versions.
        let said = project.said(&mut project.host(arguments));
        let kept = said.lines().filter(|line| !line.starts_with("make: ***"));
        kept.map(|line| format!("{line}\n")).collect::<String>()
    };
    insta::assert_snapshot!("project_build_failed", said(&["plugin", "build"]));
    project.write("plugin.c", "nothing");
    insta::assert_snapshot!("project_nothing_built", said(&["plugin", "build"]));
    project.write("plugin.c", "");
    let built = succeed(&mut project.host(&["plugin", "build", "--format", "json"]));
    let built: serde_json::Value = serde_json::from_str(&built).unwrap();
    assert_eq!(
        (&built["file"], &built["language"], &built["name"]),
        (&"./owls.wasm".into(), &"C".into(), &"owls".into())
    );
    assert_eq!(built["bytes"], fs::metadata(plugin("threshold")).unwrap().len());
}

/// A program that prints a line.
fn fake(folder: &Path, name: &str, line: &str) {
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\necho '{line}'\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn doctor_says_what_is_missing_and_how_to_get_it() {
    let project = Project::new();
    let bin = project.files.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let doctor = |arguments: &[&str]| {
        let mut command = project.host(&["plugin", "doctor"]);
        let said = project.said(command.args(arguments).env("PATH", &bin));
        let program = Path::new(env!("CARGO_BIN_EXE_host"));
        said.replace(program.parent().unwrap().to_str().unwrap(), "/bin/host").replace("sudo ", "")
    };
    insta::assert_snapshot!("doctor_nothing", doctor(&["--lang", "c", "--lang", "rust"]));
    fake(&bin, "apt-get", "");
    fake(&bin, "make", "GNU Make 4.3");
    fake(&bin, "python3", "Python 3.9.1");
    fake(&bin, "node", "v18.1.0");
    fake(&bin, "host", "example.com has address 192.0.2.1");
    insta::assert_snapshot!("doctor_of_the_project", doctor(&[]));
    insta::assert_snapshot!("doctor_node", doctor(&["--lang", "javascript"]));
    fake(&bin, "python3", "Python 3.12.1");
    fs::remove_file(bin.join("host")).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_host"), bin.join("host")).unwrap();
    let complete = finish(project.host(&["plugin", "doctor", "--format", "json"]).env("PATH", &bin));
    let complete: serde_json::Value = serde_json::from_str(&complete.stdout).unwrap();
    assert_eq!((&complete["exit_code"], &complete["complete"]), (&0.into(), &true.into()));
    assert_eq!(complete["languages"][0]["language"], "c");
    assert_eq!(complete["tools"][1]["version"], "Python 3.12.1");
}
