//! What the sender says about a delivery: if what is read is something else, nothing is written.

use std::path::{Path, PathBuf};
use std::process::Command;

use host_core::digest::Sha256Digest;

use crate::support::{Database, Files, Finished, finish, host, host_run, summary};

const HEADER: &str = "transaction_id,user_id,timestamp,amount\n";
/// The amounts sum up to 12.50 − 0.25 + 1,250.00.
const ROWS: &str =
    "1,1,2024-01-01 00:00:00,12.50\n2,1,2024-01-01 00:00:00,-0.25\n3,1,2024-01-01 00:00:00,1250.00\n";

struct Delivery {
    database: Database,
    files: Files,
}

impl Delivery {
    fn new() -> Delivery {
        Delivery { database: Database::migrated(), files: Files::new() }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        self.files.write(name, text)
    }

    fn commands(&self, given: &[&Path], arguments: &[&str]) -> [Command; 2] {
        let mut run = host_run(&self.database, "threshold", given[0]);
        run.args(&given[1..]).args(arguments);
        let mut check = host();
        check.args(["check", "--plugin", "threshold"]).args(given).args(arguments);
        [run, check]
    }

    /// Both go through.
    fn accepts(&self, given: &[&Path], arguments: &[&str]) {
        let before = self.database.counts().2;
        for mut command in self.commands(given, arguments) {
            let finished = finish(&mut command);
            assert_eq!(finished.code, 0, "{arguments:?}: {}", finished.stderr);
        }
        assert_eq!(self.database.counts().2, before + 1);
    }

    /// Neither goes through, and nothing is written. What they say is the same but for the database.
    fn refuses(&self, given: &[&Path], arguments: &[&str], code: i32) -> String {
        let before = self.database.counts();
        let [run, check] = self.commands(given, arguments).map(|mut command| {
            let Finished { code: found, stderr, .. } = finish(&mut command);
            assert_eq!(found, code, "{arguments:?}: {stderr}");
            self.files.anonymous(&stderr)
        });
        assert_eq!(self.database.counts(), before, "{arguments:?}");
        let without_state = |text: &str| {
            let lines = text.lines().filter(|line| !line.starts_with("note: nothing was written"));
            lines.map(|line| format!("{line}\n")).collect::<String>()
        };
        assert_eq!(without_state(&run), without_state(&check));
        run
    }

    fn does_not_understand(&self, given: &Path, arguments: &[&str]) {
        for mut command in self.commands(&[given], arguments) {
            assert_eq!(finish(&mut command).code, 2, "{arguments:?}");
        }
    }
}

#[test]
fn what_is_as_it_was_announced_is_written() {
    let delivery = Delivery::new();
    let text = format!("{HEADER}{ROWS}");
    let file = delivery.write("day.csv", &text);
    let packed = delivery.files.gzip("day.csv.gz", text.as_bytes());
    let digest = |file: &Path| Sha256Digest::of(&std::fs::read(file).unwrap()).to_string();
    let (of_file, of_packed) = (digest(&file), digest(&packed));
    for arguments in [
        &["--expect-rows", "3"][..],
        &["--expect-total", "1262.25"],
        &["--expect-total", "+1262.250"],
        &["--expect-sha256", &of_file],
        &["--require-final-newline"],
    ] {
        delivery.accepts(&[&file], arguments);
    }
    // Digests are those of the files as they are on disk; everything else is of all files together.
    let both = ["--expect-sha256", &of_packed, "--expect-sha256", &of_file, "--expect-rows", "6"];
    delivery.accepts(&[&packed, &file], &[&both[..], &["--expect-total", "2524.50"]].concat());
    // A row that is rejected was announced, too; its amount was not zero.
    let bad = delivery.write("bad.csv", &text.replace("-0.25", "-0,25"));
    delivery.accepts(&[&bad], &["--max-rejects", "1", "--expect-rows", "3", "--expect-total", "1262.50"]);
    let negative = delivery.write("negative.csv", &format!("{HEADER}1,1,2024-01-01 00:00:00,-7\n"));
    delivery.accepts(&[&negative], &["--expect-total", "-7"]);
    for end in ["\r\n", "\r", "\n\u{1a}", "\n\n"] {
        let file = delivery.write("end.csv", &format!("{}{end}", text.trim_end()));
        delivery.accepts(&[&file], &["--require-final-newline"]);
    }
}

#[test]
fn what_is_not_as_it_was_announced_is_refused() {
    let delivery = Delivery::new();
    let text = format!("{HEADER}{ROWS}");
    let file = delivery.write("day.csv", &text);
    let other = delivery.write("other.csv", &text);
    let cut = delivery.write("cut.csv", text.trim_end());
    let bad = delivery.write("bad.csv", &text.replace("-0.25", "-0,25"));
    let digest = Sha256Digest::of(text.as_bytes()).to_string();
    let wrong = "0".repeat(64);
    let told = [
        delivery.refuses(&[&file], &["--expect-rows", "4"], 3),
        delivery.refuses(&[&file, &other], &["--expect-rows", "3"], 3),
        delivery.refuses(&[&file], &["--expect-total", "1262.26"], 3),
        delivery.refuses(&[&bad], &["--expect-total", "1262.25", "--max-rejects", "1"], 3),
        delivery.refuses(&[&file], &["--expect-sha256", &wrong], 3),
        delivery.refuses(&[&file, &other], &["--expect-sha256", &digest, "--expect-sha256", &wrong], 3),
        delivery.refuses(&[&file, &other], &["--expect-sha256", &digest], 2),
        delivery.refuses(&[&cut], &["--require-final-newline"], 3),
    ];
    for usage in ["x", "1,5", "1.001", ""] {
        delivery.does_not_understand(&file, &["--expect-total", usage]);
    }
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(delivery.database.counts(), (0, 0, 0));
}

#[test]
fn every_file_has_its_own_trailer() {
    let delivery = Delivery::new();
    let one = delivery.write("one.csv", &format!("{HEADER}{ROWS}T,3,1262.25\n"));
    let empty = delivery.write("two.csv", &format!("{HEADER}T,0,0.00\n"));
    let wrong = delivery.write("three.csv", &format!("{HEADER}{ROWS}T,6,2524.50\n"));
    let bad = delivery.write("bad.csv", &format!("{HEADER}{ROWS}T,3,1262.25\n").replace("-0.25", "-0,25"));
    let none = delivery.write("none.csv", HEADER);
    let trailer = ["--trailer", "T,{rows},{total}"];
    delivery.accepts(&[&one, &empty], &trailer);
    let told = [
        delivery.refuses(&[&one, &wrong], &trailer, 3),
        delivery.refuses(&[&bad], &[&trailer[..], &["--max-rejects", "1"]].concat(), 3),
        delivery.refuses(&[&none], &trailer, 3),
        delivery.refuses(&[&one], &["--trailer", "T;{rows};{total}"], 3),
    ];
    delivery.does_not_understand(&one, &["--trailer", "T,{count}"]);
    insta::assert_snapshot!(told.join("\n"));
}

/// A check lists what could not be read, even if that is why the sum is another.
#[test]
fn rejected_rows_are_listed_before_a_sum_is_refused() {
    let delivery = Delivery::new();
    let bad = delivery.write("bad.csv", &format!("{HEADER}{ROWS}").replace("-0.25", "-0,25"));
    let [_, mut check] = delivery.commands(&[&bad], &["--expect-total", "1262.25"]);
    let checked = finish(&mut check);
    assert_eq!((checked.code, checked.stdout.matches("field_count").count()), (3, 1));
}

/// With `--once`, a file that is left out takes its digest with it.
#[test]
fn digests_stay_with_their_files() {
    let delivery = Delivery::new();
    let texts = ["1,1,2024-01-01 00:00:00,1\n", "2,1,2024-01-01 00:00:00,2\n", "3,1,2024-01-01 00:00:00,3\n"];
    let files: Vec<PathBuf> = (1..)
        .zip(texts)
        .map(|(i, row)| delivery.write(&format!("{i}.csv"), &format!("{HEADER}{row}")))
        .collect();
    for earlier in [&files[0], &files[1]] {
        summary(host_run(&delivery.database, "threshold", earlier).arg("--once"));
    }
    let mut run = host_run(&delivery.database, "threshold", &files[0]);
    run.args(&files[1..]).arg("--once");
    for file in &files {
        run.args(["--expect-sha256", &Sha256Digest::of(&std::fs::read(file).unwrap()).to_string()]);
    }
    assert_eq!(summary(&mut run)["rows_written"], 1);
}
