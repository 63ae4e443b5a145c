//! Completions for shells and man pages: of the name that the program was called by, with every command
//! that users see and none that they do not.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use clap::ValueEnum as _;
use clap_complete::Shell;
use host::cli::completions;

use crate::support::{Files, finish, host, succeed};

/// What bash proposes for the last of these words.
fn proposed(script: &str, words: &[&str]) -> Vec<String> {
    let last = words.len() - 1;
    let files = Files::new();
    // Too long for an argument.
    let file = files.write("host.bash", script);
    let ask = format!(
        ". {}\nCOMP_WORDS=({}) COMP_CWORD={last}\n\
         complete -p {program} >&2\n_{function} {program} '{}' '{}'\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"",
        file.display(),
        words.join(" "),
        words[last],
        words[last - 1],
        program = words[0],
        function = words[0],
    );
    let printed = succeed(Command::new("bash").args(["--norc", "--noprofile", "-c", &ask]));
    printed.lines().map(str::to_owned).collect()
}

#[test]
fn bash_proposes_commands_options_and_values() {
    let script = succeed(host().args(["completions", "bash"]));
    let cases: [(&[&str], &[&str]); 4] = [
        (&["host", "r"], &["run", "runs", "rejects", "replaced"]),
        (&["host", "run", "--max-"], &["--max-rejects"]),
        (&["host", "run", "--ids", ""], &["assign", "keep"]),
        (&["host", "plugin", "i"], &["inspect"]),
    ];
    for (words, expected) in cases {
        assert_eq!(proposed(&script, words), expected, "{words:?}");
    }
    // Those that the host calls itself are nobody's business.
    for (words, seen, hidden) in [
        (&["host", ""][..], "check", "man"),
        (&["host", "db", ""], "start", "guard"),
        (&["host", "plugin", ""], "new", "digest"),
    ] {
        let commands = proposed(&script, words);
        assert!(commands.contains(&seen.into()) && !commands.contains(&hidden.into()), "{commands:?}");
    }
}

#[test]
fn every_shell_gets_its_script_as_it_was_made() {
    for &shell in Shell::value_variants() {
        let name = shell.to_string();
        let printed = succeed(host().args(["completions", &name]));
        assert_eq!(printed, completions(shell, "host"), "{name}");
    }
    assert_eq!(finish(host().args(["completions", "cobol"])).code, 2);
}

#[test]
fn every_command_that_users_see_has_a_man_page() {
    let files = Files::new();
    let folder = files.path().join("share/man1");
    succeed(host().arg("man").arg(&folder));
    let mut pages: Vec<String> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    pages.sort();
    insta::assert_snapshot!(pages.join("\n"));
    let page = |name: &str| fs::read_to_string(folder.join(name)).unwrap();
    assert!(page("host.1").contains("the file cannot be ingested"), "exit codes");
    assert!(page("host-run.1").contains(r"\-\-max\-rejects") && page("host-run.1").contains("\"host 0."));
    let end = finish(host().args(["man", "/dev/null/pages"]));
    assert_eq!(end.code, 3, "{end:?}");
    assert!(end.stderr.contains("could not write man pages to `/dev/null/pages`"), "{end:?}");
}

#[test]
fn a_package_may_give_the_program_another_name() {
    let files = Files::new();
    let program = files.path().join("ingest-host");
    symlink(env!("CARGO_BIN_EXE_host"), &program).unwrap();
    let script = succeed(Command::new(&program).args(["completions", "bash"]));
    assert_eq!(script, completions(Shell::Bash, "ingest-host"));
    succeed(Command::new(&program).arg("man").arg(files.path()));
    let page = fs::read_to_string(files.path().join("ingest-host-run.1")).unwrap();
    assert!(page.contains(r"ingest\-host run"), "{page}");
}
