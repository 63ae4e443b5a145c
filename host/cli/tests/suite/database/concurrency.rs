//! Several runs into the same tables, at the same time or one after the other: ids never collide,
//! nobody deadlocks, readers see all of a run or nothing of it, and `--once` means once.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::database::waiting::Waiting;
use crate::support::{
    Database, Files, Finished, Running, finish, host, host_run, sample, start, succeed, summary,
};

const ROWS: i64 = 20_000;

#[test]
fn ten_runs_at_once_assigning_and_keeping() {
    let (database, files) = (Database::migrated(), Files::new());
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let counts = database.rows(
                    "SELECT (SELECT count(*) FROM transactions), (SELECT count(*) FROM anomalies),
                            (SELECT coalesce(sum(rows_written), 0) FROM ingest_runs)",
                );
                let counts: Vec<i64> = counts[0].iter().map(|count| count.parse().unwrap()).collect();
                assert_eq!((counts[0] % ROWS, counts[1] % (ROWS / 100)), (0, 0), "half a run was seen");
                assert_eq!(counts[0], counts[2], "rows without their ledger row were seen");
                thread::sleep(Duration::from_millis(10));
            }
        });
        let runs: Vec<_> = (0..10)
            .map(|i| {
                // Far from what is allotted, and from each other.
                let first = 1_000_000 * (i + 1);
                let file = files.many_rows(&format!("{i}.csv"), first..first + ROWS);
                let mut run = host_run(&database, "threshold", &file);
                run.args(if i % 2 == 0 { ["--ids", "keep"] } else { ["--ids", "assign"] });
                start(&mut run)
            })
            .collect();
        let ended: Vec<Finished> = runs.into_iter().map(Running::finish).collect();
        is_over.store(true, Ordering::Relaxed);
        reader.join().unwrap();
        // Allotted ids follow the highest, whoever brought it: there is room before the next file's.
        assert!(ended.iter().all(|run| run.code == 0), "{ended:?}");
    });
    assert_eq!(database.counts(), (10 * ROWS, 10 * ROWS / 100, 10));
}

/// It does not matter who is first: the other waits, and then finds that there is nothing to do.
#[test]
fn once_means_once_also_at_the_same_moment() {
    let (database, files) = (Database::migrated(), Files::new());
    let file = files.many_rows("many.csv", 0..ROWS);
    let both = [(); 2].map(|()| start(host_run(&database, "threshold", &file).arg("--once")));
    let mut said = both.map(|run| run.finish()).map(|finished| {
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        finished.stdout
    });
    said.sort();
    assert!(said[0].starts_with("already ingested by run "), "{said:?}");
    assert!(said[1].starts_with("committed run "), "{said:?}");
    assert_eq!(database.counts(), (ROWS, ROWS / 100, 1));
}

#[test]
fn once_asks_for_content_and_that_the_rows_are_there() {
    let (database, files) = (Database::new(), Files::new());
    let once = |file: &Path, arguments: &[&str]| {
        let mut run = host_run(&database, "threshold", file);
        summary(run.arg("--once").args(arguments))["already_ingested"] == false
    };
    assert!(once(&sample(), &[]));
    assert!(!once(&sample(), &[]));
    assert!(!once(&sample(), &["--set", "limit=400"]), "it is the content that counts");
    let renamed = files.write("other.csv", std::fs::read(sample()).unwrap());
    assert!(!once(&renamed, &[]), "whatever its name");
    assert!(!once(&files.gzip("sample.csv.gz", &std::fs::read(sample()).unwrap()), &[]), "also compressed");
    // By a pipe, whose content is only known at the end.
    let mut piped = host_run(&database, "threshold", Path::new("/dev/stdin"));
    piped.arg("--once").stdin(piped_sample());
    assert!(succeed(&mut piped).starts_with("already ingested by run 1,"));
    assert_eq!(database.counts().2, 1);
    // The rows are gone: what the ledger remembers is not what is there.
    database.execute("TRUNCATE transactions, anomalies");
    assert!(once(&sample(), &[]));
    assert!(!once(&sample(), &[]));
    assert_eq!(database.counts(), (1_800, 38, 2));
}

/// A folder to which a file is added every day, each day ingested as a whole.
#[test]
fn once_ingests_what_is_new_in_a_folder() {
    let (database, files) = (Database::new(), Files::new());
    let folder = files.path().join("inbox");
    std::fs::create_dir(&folder).unwrap();
    let day = |day: i64| {
        let file = files.many_rows(&format!("inbox/day{day}.csv"), day * 100..day * 100 + 100);
        let finished = finish(host_run(&database, "threshold", &folder).arg("--once"));
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        (file, finished)
    };
    for (number, left_out) in [(1, 0), (2, 1), (3, 2)] {
        let (_, finished) = day(number);
        assert_eq!(finished.stderr.matches("it was left out").count(), left_out, "{}", finished.stderr);
        assert_eq!(database.number("SELECT count(*) FROM transactions"), number * 100);
        assert_eq!(database.number("SELECT count(*) FROM ingest_files"), number);
        let name = format!(
            "SELECT count(*) FROM ingest_files WHERE run_id = {number} AND name LIKE '%day{number}.csv'"
        );
        assert_eq!(database.number(&name), 1);
    }
    // All are known, by different runs.
    let all = summary(host_run(&database, "threshold", &folder).arg("--once"));
    assert_eq!((&all["already_ingested"], &all["run_id"]), (&true.into(), &3.into()));
    // The same content twice in one run.
    let copies = [files.many_rows("a.csv", 900..910), files.many_rows("b.csv", 900..910)];
    let twice = summary(host_run(&database, "threshold", &copies[0]).arg(&copies[1]).arg("--once"));
    assert_eq!(
        (&twice["rows_written"], &twice["left_out"][0]["same_as"]),
        (&10.into(), &copies[0].to_str().into())
    );
}

/// What is left out is not counted when ids run out, and does not shift the place of a row that the
/// database refuses.
#[test]
fn files_that_are_left_out_are_not_counted_with_the_others() {
    let (database, files) = (Database::migrated(), Files::new());
    let known = files.many_rows("known.csv", 0..2_000);
    succeed(&mut host_run(&database, "threshold", &known));
    let new = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,-5.00,2024-01-01 00:00:00"]);
    let run = || finish(host_run(&database, "threshold", &known).arg(&new).arg("--once"));
    database.execute("ALTER TABLE transactions ADD CONSTRAINT positive CHECK (amount > 0)");
    let refused = run();
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains(&format!("`{}` line 3", new.display())), "{}", refused.stderr);
    database.execute("ALTER TABLE transactions DROP CONSTRAINT positive");
    // There is room for the new rows, but not for those that are there already.
    database.execute("INSERT INTO transactions VALUES (2147483640, 7, 1, '2024-01-01')");
    let committed = run();
    assert_eq!(committed.code, 0, "{}", committed.stderr);
    assert_eq!(database.number("SELECT max(transaction_id) FROM transactions"), 2_147_483_642);
}

/// Where ids run short, the rows are counted, and meanwhile others may write: the first attempt gives the lock
/// back, and its number with it.
#[test]
fn rows_are_counted_without_the_lock() {
    let (database, files) = (Database::migrated(), Files::new());
    let insert =
        |id: i64| database.execute(&format!("INSERT INTO transactions VALUES ({id}, 7, 1, '2024-01-01')"));
    let file = files.many_rows("ten.csv", 0..10);
    let run = || finish(&mut host_run(&database, "threshold", &file));
    // As many ids as rows, but fewer than such a file could have rows.
    insert(2_147_483_637);
    assert_eq!(run().code, 0);
    assert_eq!(database.rows("SELECT run_id, last_transaction_id FROM ingest_runs"), [["2", "2147483647"]]);
    database.execute("TRUNCATE transactions, anomalies");
    insert(2_147_483_638);
    let refused = run();
    assert_eq!(refused.code, 5, "{}", refused.stderr);
    assert!(refused.stderr.contains("no room for the rows of this file, which has 10"), "{}", refused.stderr);
    assert!(refused.stderr.contains("note: nothing was written; the transaction was rolled back"));
}

/// A pipe's content is known at its end; then it is too late to leave it out.
#[test]
fn once_refuses_a_known_pipe_among_new_files() {
    let (database, files) = (Database::new(), Files::new());
    succeed(&mut host_run(&database, "threshold", &sample()));
    let new = files.many_rows("new.csv", 0..10);
    let mut run = host_run(&database, "threshold", Path::new("/dev/stdin"));
    let refused = finish(run.arg(&new).arg("--once").stdin(piped_sample()));
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    insta::assert_snapshot!(files.anonymous(&refused.stderr));
    assert_eq!(database.counts(), (1_800, 38, 1));
}

#[test]
fn once_all_asks_for_plugin_and_settings_too() {
    let database = Database::new();
    let once = |plugin: &str, arguments: &[&str]| {
        let mut run = host_run(&database, plugin, &sample());
        summary(run.arg("--once=all").args(arguments))["already_ingested"] == false
    };
    assert!(once("threshold", &[]));
    assert!(!once("threshold", &[]));
    assert!(once("zscore", &[]), "another plugin");
    assert!(once("threshold", &["--set", "limit=400"]), "other settings");
    assert!(!once("threshold", &["--set", "limit=400"]));
    assert!(once("threshold", &["--timezone", "UTC"]), "read otherwise");
    assert!(once("threshold", &[sample().to_str().unwrap()]), "other files");
    // By a pipe, whose content is only known at the end.
    let mut piped = host_run(&database, "threshold", Path::new("/dev/stdin"));
    piped.arg("--once=all").stdin(piped_sample());
    assert!(succeed(&mut piped).starts_with("already ingested by run 1,"));
    database.execute("TRUNCATE transactions, anomalies");
    assert!(once("threshold", &[]));
    assert!(!once("threshold", &[]));
    assert!(once("zscore", &[]), "its ids are another run's now");
    assert_eq!(database.counts().2, 7);
}

/// Nothing that is sent to the server grows with the number of files, but for the ledger's rows.
#[test]
fn ten_thousand_files_are_one_run() {
    let (database, files) = (Database::new(), Files::new());
    let folder = files.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for i in 0..10_000 {
        files.many_rows(&format!("folder/shop_transactions_2024-01-01_{i:05}.csv"), i..i + 1);
    }
    let finished = finish(&mut host_run(&database, "threshold", &folder));
    assert_eq!(finished.code, 0, "{}", finished.stderr);
    assert!(finished.stdout.len() < 4_000, "the summary names all files");
    assert_eq!(database.number("SELECT count(*) FROM ingest_files WHERE run_id = 1"), 10_000);
    let in_order = "SELECT count(*) FROM transactions WHERE source_id = transaction_id - 1";
    assert_eq!(database.number(in_order), 10_000);
    assert!(database.number("SELECT length(file_name) FROM ingest_runs") < 1_100);
}

/// The sample, through a pipe.
fn piped_sample() -> Stdio {
    let mut cat = std::process::Command::new("cat");
    cat.arg(sample()).stdout(Stdio::piped()).spawn().unwrap().stdout.unwrap().into()
}

#[test]
fn kept_ids_are_the_keys() {
    let database = Database::new();
    let keep = |arguments: &[&str]| {
        let mut run = host_run(&database, "threshold", &sample());
        run.args(["--ids", "keep"]).args(arguments);
        run
    };
    assert_eq!(summary(&mut keep(&[]))["rows_written"], 1_800);
    assert_eq!(database.number("SELECT count(*) FROM transactions WHERE transaction_id = source_id"), 1_800);
    let refused = finish(&mut keep(&[]));
    assert_eq!(refused.code, 5);
    assert!(refused.stderr.contains("the id 1 in "), "{}", refused.stderr);
    assert!(refused.stderr.contains(" at line 2 is taken: run 1 wrote it\n"), "{}", refused.stderr);
    // Allotted ids go on after kept ones.
    assert_eq!(summary(&mut host_run(&database, "threshold", &sample()))["first_transaction_id"], 1_801);
    database.execute("UPDATE transactions SET amount = 7.77 WHERE transaction_id = 42");
    let skipped = summary(&mut keep(&["--on-conflict", "skip"]));
    assert_eq!((&skipped["rows_written"], &skipped["rows_skipped"]), (&0.into(), &1_800.into()));
    assert_eq!(skipped["rows_skipped_differing"], 1);
    assert_eq!(database.rows("SELECT transaction_id, line FROM skipped_rows WHERE differs"), [["42", "43"]]);
    assert_eq!(database.counts(), (3_600, 76, 3));
}

#[test]
fn ids_that_are_twice_in_a_file_or_do_not_fit() {
    let (database, files) = (Database::migrated(), Files::new());
    let twice = files.csv(&[
        "9,7,1.00,2024-01-01 00:00:00",
        "5,7,900.00,2024-01-01 00:00:00",
        "9,7,2.00,2024-01-01 00:00:00",
        "-3,7,901.00,2024-01-01 00:00:00",
    ]);
    let mut keep = host_run(&database, "threshold", &twice);
    keep.args(["--ids", "keep"]);
    let refused = finish(&mut keep);
    assert_eq!((refused.code, database.counts()), (5, (0, 0, 0)));
    insta::assert_snapshot!("id_twice_in_a_file", files.anonymous(&refused.stderr));
    let skipped = summary(keep.args(["--on-conflict", "skip"]));
    assert_eq!((&skipped["rows_written"], &skipped["rows_skipped"]), (&3.into(), &1.into()));
    let ids = [&skipped["first_transaction_id"], &skipped["last_transaction_id"]];
    assert_eq!(ids, [&-3, &9]);
    assert_eq!(database.rows("SELECT line, transaction_id, differs FROM skipped_rows"), [["4", "9", "t"]]);
    assert_eq!(
        database.rows("SELECT transaction_id, amount FROM transactions ORDER BY 1"),
        [["-3", "901.00"], ["5", "900.00"], ["9", "1.00"]]
    );

    let wide = files.csv(&["3000000000,7,1.00,2024-01-01 00:00:00"]);
    let mut keep = host_run(&database, "threshold", &wide);
    keep.args(["--ids", "keep"]);
    let refused = finish(&mut keep);
    assert_eq!(refused.code, 3);
    insta::assert_snapshot!("id_that_does_not_fit", files.anonymous(&refused.stderr));
    database.execute(
        "ALTER TABLE transactions ALTER transaction_id TYPE BIGINT;
        ALTER TABLE anomalies ALTER transaction_id TYPE BIGINT",
    );
    assert_eq!(summary(&mut keep)["last_transaction_id"], 3_000_000_000_i64);
}

/// More of them than come at a time.
#[test]
fn skipped_rows_are_listed() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.csv(&[
        "2,7,1.00,2024-01-01 00:00:00",
        "2,8,12.50,2024-01-01 23:59:59.5",
        "3,7,1.00,2024-01-01 00:00:00",
        "2,7,1.00,2024-01-01 00:00:00",
    ]);
    let keep = ["--ids", "keep", "--on-conflict", "skip"];
    let run = |file| succeed(host_run(&database, "threshold", file).args(keep));
    let of_summary = |text: String| text.lines().find(|line| line.contains("skipped")).unwrap().to_owned();
    let told = of_summary(run(&file));
    let many = files.many_rows("many.csv", 0..1_200);
    let told = [told, of_summary(run(&many)), of_summary(run(&many))].join("\n");

    let of_run = |run: &str, format: &str| {
        let url = database.url();
        succeed(host().args(["skipped", run, "--format", format, "--database-url", &url]))
    };
    let listed = of_run("1", "human") + &of_run("1", "json");
    let seen = files.anonymous(&database.anonymous(&format!("{told}\n\n{listed}")));
    insta::with_settings!({ filters => [(r#""ended_at":"[^"]*""#, r#""ended_at":"[time]""#)] }, {
        insta::assert_snapshot!(seen);
    });
    let listed = of_run("3", "human");
    let numbers = listed.lines().map(|line| line.split(':').nth(1).unwrap().parse().unwrap());
    assert_eq!(numbers.collect::<Vec<u32>>(), (2..1_202).collect::<Vec<_>>());

    succeed(&mut host_run(&database, "threshold", &file));
    assert_eq!(of_run("4", "human"), "run 4 skipped nothing\n");
    let of_none = finish(host().args(["skipped", "99", "--database-url", &database.url()]));
    assert_eq!(of_none.code, 2, "{}", of_none.stderr);
}

/// More rows than are compared at a time, so that the file conflicts with itself across the border.
#[test]
fn kept_ids_conflict_with_rows_that_this_run_has_written_already() {
    let (database, files) = (Database::migrated(), Files::new());
    let many = files.many_rows("many.csv", 0..150_000);
    let mut text = std::fs::read_to_string(&many).unwrap();
    text.push_str("17,7,1.00,2024-01-01 00:00:00\n");
    let file = files.write("many.csv", text);
    let mut keep = host_run(&database, "threshold", &file);
    keep.args(["--ids", "keep"]);
    let refused = finish(&mut keep);
    assert_eq!((refused.code, database.counts()), (5, (0, 0, 0)));
    let told = "at line 150002 is taken: an earlier row of this run has it too\n";
    assert!(refused.stderr.contains(told), "{}", refused.stderr);
    let skipped = summary(keep.args(["--on-conflict", "skip"]));
    assert_eq!((&skipped["rows_written"], &skipped["anomalies"]), (&150_000.into(), &1_500.into()));
    assert_eq!(database.rows("SELECT line, differs FROM skipped_rows"), [["150002", "f"]]);
}

/// Whoever waits says for whom, and goes on when the other has ended.
#[test]
fn a_run_that_waits_says_for_whom() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = waited_for(&database, &files);
    let mut second = host_run(&database, "threshold", &sample());
    let mut second = second.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(second.stderr.take().unwrap());
    let mut line = String::new();
    said.read_line(&mut line).unwrap();
    anonymous_holder().bind(|| insta::assert_snapshot!(line));
    assert_eq!(first.end_input().code, 0);
    let mut rest = String::new();
    said.read_to_string(&mut rest).unwrap();
    assert!(second.wait().unwrap().success(), "{rest}");
    let (transactions, anomalies, runs) = database.counts();
    assert_eq!((transactions - 1_800, anomalies, runs), (20_000, 38, 2));
}

/// It does not wait longer than it was told to.
#[test]
fn a_run_that_has_waited_long_enough_ends() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = waited_for(&database, &files);
    let mut second = host_run(&database, "threshold", &sample());
    let refused = finish(second.args(["--lock-timeout", "2500ms"]));
    assert_eq!(refused.code, 5);
    // On a busy machine it may not have heard in this time for whom it waits.
    let error = refused.stderr.split_once("error: ").unwrap().1;
    anonymous_holder().bind(|| insta::assert_snapshot!(error));
    assert_eq!(first.end_input().code, 0);
    assert_eq!(database.counts(), (20_000, 0, 1));
}

/// A run that holds the lock until its input ends.
fn waited_for(database: &Database, files: &Files) -> Waiting {
    let mut run = host();
    run.args(["run", "--plugin", "threshold", "--database-url", &database.url()]);
    Waiting::start(database, &mut run, files)
}

/// What differs from run to run, and from machine to machine.
fn anonymous_holder() -> insta::Settings {
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r", last held by [^\n]*", "");
    settings.add_filter(r"process \d+", "process [n]");
    settings.add_filter(r"at \d\d:\d\d:\d\d", "at [time]");
    settings.add_filter(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[time]");
    settings.add_filter(r"more than \d+(\.\d+)? s", "more than [n] s");
    settings
}
