//! README.md and OPERATIONS.md, followed from top to bottom: each block of shell is run, in the order of the
//! page, by one shell, in a scratch folder and with an embedded server of its own.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::support::{Files, Finished, OwnServer, cache_folder, finish, host, plugin, succeed};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The blocks of shell of a document, each with the line on which it begins.
fn blocks(document: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut block: Option<(usize, String)> = None;
    for (number, line) in (1..).zip(document.lines()) {
        match &mut block {
            None if line == "```sh" => block = Some((number, String::new())),
            None => {}
            Some(_) if line == "```" => blocks.extend(block.take()),
            Some((_, text)) => text.push_str(&format!("{line}\n")),
        }
    }
    blocks
}

/// A line whose comment promises an exit code must end with that one.
fn with_expected_code(line: &str) -> String {
    let Some((command, comment)) = line.split_once(" #") else { return line.to_owned() };
    match comment.split_once("exit code ") {
        Some((_, code)) => {
            let code: String = code.chars().take_while(char::is_ascii_digit).collect();
            if command.contains("||") {
                line.to_owned()
            } else {
                format!("{command} && exit 99 || [ $? = {code} ]")
            }
        }
        None => line.to_owned(),
    }
}

/// Runs what is left of a document without the blocks that have one of these words in them. Each of them must
/// occur, so that none is left out for ever.
fn follow(document: &str, left_out: &[&str], folder: &Path, home: &Path) -> Finished {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let blocks = blocks(&text);
    for word in left_out {
        assert!(blocks.iter().any(|(_, block)| block.contains(word)), "{document} has no `{word}` any more");
    }
    let mut script = String::new();
    let followed = blocks.iter().filter(|(_, block)| !left_out.iter().any(|word| block.contains(word)));
    for (number, block) in followed {
        script.push_str(&format!("echo '{document}:{number}' >&2\n"));
        block.lines().for_each(|line| script.push_str(&format!("{}\n", with_expected_code(line))));
    }
    let bin = Path::new(env!("CARGO_BIN_EXE_host")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    let file = home.join("blocks.sh");
    fs::write(&file, script).unwrap();
    bash.args(["-eu", "-o", "pipefail"]).arg(file).current_dir(folder).env_clear().stdin(Stdio::null());
    bash.env("PATH", path).env("HOME", home).env("TMPDIR", home).env("XDG_CACHE_HOME", cache_folder());
    bash.env("HOST_DATA_DIR", home);
    finish(&mut bash)
}

/// Stops the embedded servers that were started below a folder, whatever became of the test.
struct Servers<'a>(&'a Path);

impl Drop for Servers<'_> {
    fn drop(&mut self) {
        let folders = fs::read_dir(self.0).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
        for folder in folders.chain([self.0.to_owned()]).filter(|folder| folder.join("postgresql").is_dir()) {
            let _ = host().env("HOST_DATA_DIR", folder).args(["db", "stop"]).output();
        }
    }
}

#[test]
fn operations_can_be_followed_from_top_to_bottom() {
    let server = OwnServer::new();
    let home = server.files.path();
    let _servers = Servers(home);
    let project = Files::new();
    symlink(root().join("data"), project.path().join("data")).unwrap();
    let followed = follow("OPERATIONS.md", &[], project.path(), home);
    assert_eq!(followed.code, 0, "{}\n{}", followed.stdout, followed.stderr);
    for said in [
        "already ingested by run 1",
        "file,line,transaction_id,score,reason",
        "1 of its rows was replaced since, by run 2",
        "2024-01-02.csv",
        "NOT AS EXPECTED",
        "there is nothing to remove",
    ] {
        assert!(followed.stdout.contains(said), "{said}\n{}\n{}", followed.stdout, followed.stderr);
    }
}

#[test]
fn the_readme_can_be_followed_from_top_to_bottom() {
    let server = OwnServer::new();
    let home = server.files.path();
    let _servers = Servers(home);
    let project = Files::new();
    symlink(root().join("data"), project.path().join("data")).unwrap();
    fs::copy(plugin("threshold"), project.path().join("my_detector.wasm")).unwrap();
    // As `cargo xtask demo` does; and what any home has.
    let mut demo = host();
    demo.env("HOST_DATA_DIR", home).current_dir(project.path());
    succeed(demo.args(["run", "--plugin", "threshold", "data/consumed_transactions.csv"]));
    for folder in [".local/share/bash-completion/completions", ".config/fish/completions"] {
        fs::create_dir_all(home.join(folder)).unwrap();
    }
    // The first builds this program, the second never ends (`database::watch` ends it), the third takes the tools of a
    // language (`authors::templates` follows the same lines in the guide), the fourth an engine, and the last installs
    // the program (`package` does).
    let left_out = ["cargo xtask demo", "host watch", "host plugin new", "docker compose", "cargo xtask deb"];
    let followed = follow("README.md", &left_out, project.path(), home);
    assert_eq!(followed.code, 0, "{}\n{}", followed.stdout, followed.stderr);
    for said in [
        "committed run 2: 1,800 rows, 38 anomalies",
        "3600|76",
        "already ingested by run 2",
        "run 2 is exactly reproduced",
    ] {
        assert!(followed.stdout.contains(said), "{said}\n{}\n{}", followed.stdout, followed.stderr);
    }
}
