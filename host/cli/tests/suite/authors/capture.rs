//! `host run --capture`: what a plugin failed on becomes a case on which it fails again.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Database, Files, Finished, finish, host, host_run, succeed};

/// `host check` with `--capture` of a run that fails: what it printed on stderr, and the command that it suggests.
fn check(files: &Files, arguments: &[&str]) -> (String, String) {
    let mut command = host();
    command.current_dir(files.path()).args(["check", "--capture", "kept"]).args(arguments);
    let Finished { code, stderr, .. } = finish(&mut command);
    assert_eq!(code, 4, "{stderr}");
    let (_, suggested) =
        stderr.lines().next().and_then(|line| line.split_once(": host ")).expect("a command");
    (files.anonymous(&stderr), format!("host {suggested}"))
}

/// Types what was suggested.
fn follow(files: &Files, line: &str) -> Finished {
    let bin = Path::new(env!("CARGO_BIN_EXE_host")).parent().unwrap();
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    // With the same variables as `host`.
    for (name, value) in host().get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    finish(command.args(["-c", line]).env("PATH", path).current_dir(files.path()))
}

/// The case that was kept.
fn kept(files: &Files) -> (String, String) {
    let folder = fs::read_dir(files.path().join("kept")).unwrap().map(|entry| entry.unwrap().path());
    let cases: Vec<_> = folder.filter(|file| file.extension().is_some_and(|is| is == "csv")).collect();
    let [case] = cases.as_slice() else { panic!("{cases:?}") };
    (case.file_name().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(case).unwrap())
}

#[test]
fn a_plugin_fails_again_on_what_is_kept() {
    // What is wrong, with which limits, how many rows are needed, and in which words it is told.
    let cases = [
        ("panic", &[][..], 20, "it panicked"),
        ("panic-in-batch-29", &["--batch-rows", "1"], 29, "it panicked"),
        ("panic-in-second-batch", &["--batch-rows", "20"], 20, "row by row: `hostile.wasm` crashed"),
        ("loop", &["--deadline", "300ms"], 20, "within 0.3 s"),
        ("memory-bomb", &["--memory-limit", "9MiB"], 20, "MiB of memory"),
        ("leak", &["--memory-limit", "32MiB"], 20, "MiB of memory"),
        ("loop", &["--fuel", "3000000"], 20, "3000000 units of fuel"),
        ("out-of-range", &[], 20, "row"),
        ("nan", &[], 20, "finite"),
        ("many-anomalies", &["--batch-anomalies", "7"], 20, "7"),
        ("internal", &[], 20, "the model is broken"),
        ("panic-in-finish", &[], 20, "at the very end"),
    ];
    for (mode, limits, rows, told) in cases {
        let files = Files::new();
        files.many_rows("day.csv", 1..101);
        let mode = format!("mode={mode}");
        let batches = if limits.contains(&"--batch-rows") { &[][..] } else { &["--batch-rows", "20"] };
        let arguments = [&["day.csv", "--plugin", "hostile", "--set", &mode], limits, batches].concat();
        let (stderr, line) = check(&files, &arguments);
        assert!(stderr.contains("to see it fail again"), "{mode} {limits:?}: {stderr}");
        let again = follow(&files, &line);
        assert_eq!(again.code, 4, "{line}: {again:?}");
        assert!(again.stdout.starts_with("FAILED   day-lines-"), "{mode} {limits:?}: {again:?}");
        assert!(again.stdout.contains(told), "{mode} {limits:?}: {again:?}");
        let (_, text) = kept(&files);
        assert_eq!(text.lines().count(), rows + 1, "{mode} {limits:?}: {text}");
    }
}

#[test]
fn rows_are_kept_as_they_are_in_the_file() {
    let files = Files::new();
    let header = "note;transaction_id;user_id;Betrag;timestamp";
    let rows = [
        "\"a;\"\"b\"\"\nc\";1;7;1000,00;29/02/2024 10:00",
        "caf\u{e9};2;7;\"5,0\";29/02/2024 10:01",
        "bad;3;7;nothing;29/02/2024 10:02",
        ";4;8;-1,00;29/02/2024 10:03",
    ];
    let text = format!("{header}\r\n{}\r\n", rows.join("\r\n"));
    let latin1: Vec<u8> = text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect();
    files.gzip("bank.csv.gz", &latin1);
    let reading = [
        &["bank.csv.gz", "--plugin", "hostile", "--set", "mode=panic", "--delimiter", ";", "--decimal-comma"]
            [..],
        &["--encoding", "latin1", "--column", "amount=Betrag", "--timestamp-format", "%d/%m/%Y %H:%M"],
        &["--max-rejects", "9"],
    ]
    .concat();
    let (stderr, line) = check(&files, &reading);
    insta::assert_snapshot!("capture", stderr.lines().next().unwrap());
    let (name, text) = kept(&files);
    assert_eq!(name, "bank-lines-2-6.csv");
    // Without the record that never reached the plugin.
    assert_eq!(text, format!("{header}\n{}\n{}\n{}\n", rows[0], rows[1], rows[3]));
    let folder = files.path().join("kept");
    assert_eq!(fs::read_to_string(folder.join("bank-lines-2-6.settings")).unwrap(), "mode=panic\n");
    insta::assert_snapshot!(
        "capture_reading",
        fs::read_to_string(folder.join("bank-lines-2-6.reading.json")).unwrap()
    );
    assert!(follow(&files, &line).stdout.contains("3 rows are more than I can take"));

    // Once the plugin is mended, the author writes down what it answers, in the same way of writing.
    fs::write(folder.join("bank-lines-2-6.settings"), "mode=escapes-not\n").unwrap();
    let unknown = follow(&files, &line);
    assert!(unknown.code == 3 && unknown.stderr.contains("--update"), "{unknown:?}");
    assert_eq!(follow(&files, &format!("{line} --update")).code, 0);
    assert_eq!(follow(&files, &line).code, 0);
    assert!(kept(&files).1.starts_with(&format!("{header};expected_score\n")));
    // What has become of it is not overwritten.
    check(&files, &reading);
    assert!(folder.join("bank-lines-2-6-2.csv").is_file());
    check(&files, &reading);
    assert!(!folder.join("bank-lines-2-6-3.csv").exists());
}

#[test]
fn a_run_that_fails_is_rolled_back_and_names_the_case() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = files.many_rows("day.csv", 1..11);
    let folder = files.path().join("kept");
    let mut run = host_run(&database, "hostile", &file);
    let failed = finish(run.args(["--set", "mode=panic", "--format", "json", "--capture"]).arg(&folder));
    assert_eq!((failed.code, database.counts()), (4, (0, 0, 0)));
    let end: serde_json::Value = serde_json::from_str(&failed.stdout).unwrap();
    let note = end["remarks"][0]["text"].as_str().unwrap();
    assert!(note.contains(folder.join("day-lines-2-11.csv").to_str().unwrap()), "{note}");

    // A run that succeeds, or does not fail because of the plugin, keeps nothing.
    for (name, arguments, code) in
        [("none", ["--set", "mode=none"], 0), ("missing", ["--column", "amount=absent"], 3)]
    {
        let folder = files.path().join(name);
        let mut run = host_run(&database, "hostile", &file);
        assert_eq!(finish(run.args(arguments).arg("--capture").arg(&folder)).code, code);
        assert!(!folder.exists(), "{name}");
    }
    // Nor does one that fails before there are rows, or whose rows are gone; the failure itself is told.
    let mut early = host_run(&database, "hostile", &file);
    early.args(["--set", "mode=panic-in-configure", "--capture"]).arg(&folder);
    let early = finish(&mut early);
    assert!(early.code == 4 && early.stderr.contains("nothing is kept"), "{early:?}");
    let mut piped = Command::new("sh");
    let line = format!(
        "cat {} | {} check --plugin {} --set mode=panic --capture {} -",
        file.display(),
        env!("CARGO_BIN_EXE_host"),
        crate::support::plugin("hostile").display(),
        folder.display()
    );
    let piped = finish(piped.args(["-c", &line]));
    assert!(piped.code == 4 && piped.stderr.contains("`-` cannot be read again"), "{piped:?}");
}

#[test]
fn lines_that_are_asked_for_are_kept() {
    let files = Files::new();
    files.write(
        "a.csv",
        "1,7,600.00,2024-01-01 00:00:00\n2,7,\"1.00\",2024-01-01 00:00:00\n3,7,x,2024-01-01 00:00:00\n",
    );
    let run = |arguments: &[&str]| {
        let mut command = host();
        command.current_dir(files.path()).args([
            "check",
            "--plugin",
            "threshold",
            "--capture",
            "kept",
            "--no-header",
        ]);
        for (position, column) in (1..).zip(["transaction_id", "user_id", "amount", "timestamp"]) {
            command.args(["--column", &format!("{column}={position}")]);
        }
        finish(command.args(["--max-rejects", "1"]).args(arguments))
    };
    let done = run(&["a.csv", "--capture-lines", "2-9"]);
    assert!(
        done.code == 0 && done.stderr.contains("kept lines 2 to 3 as the case `kept/a-lines-2-3.csv`"),
        "{done:?}"
    );
    let (_, text) = kept(&files);
    assert_eq!(
        text,
        "transaction_id,user_id,amount,timestamp\n2,7,\"1.00\",2024-01-01 00:00:00\n3,7,x,2024-01-01 00:00:00\n"
    );
    assert!(run(&["a.csv", "--capture-lines", "9"]).stderr.contains("so nothing is kept"));
    files.write("b.csv", "4,7,1.00,2024-01-01 00:00:00\n");
    let several = run(&["a.csv", "b.csv", "--capture-lines", "1"]);
    assert!(several.code == 2 && several.stderr.contains("but 2 are given"), "{several:?}");
    for wrong in ["0-1", "2-1", "x", "1-"] {
        assert_eq!(run(&["a.csv", "--capture-lines", wrong]).code, 2, "{wrong}");
    }
    // Only together with the folder.
    let mut alone = host();
    alone.current_dir(files.path()).args(["check", "--plugin", "threshold", "a.csv", "--capture-lines", "1"]);
    assert_eq!(finish(&mut alone).code, 2);

    // They are a case like any other.
    fs::remove_dir_all(files.path().join("kept")).unwrap();
    assert_eq!(run(&["a.csv", "--capture-lines", "1-2"]).code, 0);
    let test = ["plugin", "test", "threshold", "--cases", "kept"];
    succeed(host().current_dir(files.path()).args(test).arg("--update"));
    assert!(kept(&files).1.contains("1,7,600.00,2024-01-01 00:00:00,100\n"));
    succeed(host().current_dir(files.path()).args(test));
}
