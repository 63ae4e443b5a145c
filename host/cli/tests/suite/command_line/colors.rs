//! Colours, and what was meant by a name that is unknown.

use std::process::Command;

use crate::support::{Files, Finished, finish, host, sample};

/// A command with all that may decide about colours taken away.
fn plain(arguments: &[&str]) -> Command {
    with(arguments, &[])
}

/// The same with further arguments, before and after.
fn with(arguments: &[&str], before: &[&str]) -> Command {
    let mut command = host();
    for name in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "TERM"] {
        command.env_remove(name);
    }
    command.args(before).args(arguments).arg(sample());
    command
}

fn without_colors(text: &str) -> String {
    let mut pieces = text.split("\x1b[");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| {
        let (numbers, rest) = piece.split_once('m').expect("nothing but colours");
        assert!(numbers.bytes().all(|byte| byte.is_ascii_digit() || byte == b';'), "{piece:?}");
        text + rest
    })
}

/// They add nothing to the text, and are there where they are asked for: in results, errors, messages of the command
/// line and help; never in JSON.
#[test]
fn colours_are_added_where_they_are_asked_for() {
    let cases: [(&[&str], bool); 7] = [
        (&["check", "-p", "threshold"], true),
        (&["check", "-p", "treshold"], true),
        (&["check", "--delimiter", ";;", "-p", "threshold"], true),
        (&["check", "--max-reject", "5"], true),
        (&["run", "--help"], true),
        (&["check", "-p", "threshold", "--format", "json", "--min-rows", "1"], false),
        (&["config", "schema", "--max"], true),
    ];
    let output = |done: &Finished| format!("{}{}", done.stdout, done.stderr);
    for (arguments, has_colors) in cases {
        let without = finish(&mut plain(arguments));
        assert!(!output(&without).contains('\x1b'), "{arguments:?}");
        if !has_colors {
            assert!(
                !finish(plain(arguments).args(["--color", "always"])).stdout.contains('\x1b'),
                "{arguments:?}"
            );
            continue;
        }
        let forced = [
            finish(&mut with(arguments, &["--color", "always"])),
            finish(plain(arguments).env("CLICOLOR_FORCE", "1")),
            finish(with(arguments, &["--color=always"]).env("NO_COLOR", "1")),
        ];
        for with in forced {
            assert!(output(&with).contains("\x1b["), "{arguments:?}");
            // clap's help has the arguments that come first.
            assert_eq!((without_colors(&with.stdout), with.code), (without.stdout.clone(), without.code));
            assert_eq!(without_colors(&with.stderr), without.stderr, "{arguments:?}");
        }
        for without_too in [
            finish(plain(arguments).env("CLICOLOR_FORCE", "1").env("NO_COLOR", "1")),
            finish(with(arguments, &["--color", "never"]).env("CLICOLOR_FORCE", "1")),
        ] {
            assert_eq!(output(&without_too), output(&without), "{arguments:?}");
        }
    }
}

/// Text from outside does not bring its own, nor a line that looks like ours.
#[test]
fn nobody_else_colours() {
    let files = Files::new();
    let hostile = "\x1b[31mRED\n\x1b[2Jerror: forged";
    for arguments in
        [&["check", hostile, "-p", "threshold"][..], &["check", "--delimiter", hostile, "x"], &[hostile]]
    {
        let done = finish(host().args(arguments).args(["--color", "always"]).current_dir(files.path()));
        assert_ne!(done.code, 0);
        let text = without_colors(&done.stderr);
        assert!(text.contains("\\u{1b}[31mRED\\n\\u{1b}[2J"), "{text}");
        assert_eq!(text.matches("\nerror:").count(), 0, "{text}");
    }
}

#[test]
fn what_was_meant_is_said() {
    let cases: [(&[&str], &str); 8] = [
        (&["chekc"], "'check'"),
        (&["check", "--delimeter", ";"], "'--delimiter'"),
        (&["plugin", "inspekt"], "'inspect'"),
        (&["check", "-p", "threshold", "--encoding", "utf_8"], "unknown encoding; did you mean `utf-8`?"),
        (
            &["check", "-p", "threshold", "--timezone", "Europe/Berln"],
            "unknown zone; did you mean `Europe/Berlin`?",
        ),
        (&["check", "-p", "threshold", "--set", "limt=5"], "no such setting; did you mean `limit`?"),
        (&["check", "-p", "threshold", "--column", "ammount=x"], "did you mean `--column amount=…`?"),
        (&["check", "-p", "treshold"], "did you mean `threshold`?"),
    ];
    for (arguments, expected) in cases {
        let done = finish(plain(arguments).env("HOST_DATA_DIR", "/nowhere"));
        assert!(done.stderr.contains(expected), "{arguments:?}: {}", done.stderr);
    }
    // Where nothing is like it, nothing is said.
    for arguments in [["--encoding", "klingon"], ["--timezone", "Mars"]] {
        let done = finish(plain(&["check", "-p", "threshold"]).args(arguments));
        assert!(!done.stderr.contains("did you mean"), "{arguments:?}: {}", done.stderr);
    }
}
