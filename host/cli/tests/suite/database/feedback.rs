//! `host feedback`: what becomes known of rows is recorded for exactly the rows that are meant, all of it or nothing,
//! and once.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::command_line::json::lines;
use crate::support::{Database, Files, Finished, Running, finish, host, host_run, start, succeed};

fn feedback(database: &Database, file: &Path) -> Command {
    let mut command = host();
    command.args(["feedback", "--database-url", &database.url()]).arg(file);
    command
}

/// Three rows, which the database numbers 1 to 3, and their own files 101 to 103.
fn three_rows(files: &Files) -> std::path::PathBuf {
    files.csv(&[
        "101,7,1.00,2024-01-01 00:00:00",
        "102,7,900.00,2024-01-01 00:00:01",
        "103,8,3.00,2024-01-01 00:00:02",
    ])
}

/// Everything that is recorded but for the time.
fn recorded(database: &Database) -> Vec<String> {
    let rows = database.rows(
        "SELECT feedback_id, transaction_id, run_id, is_fraud, known_at, line FROM feedback ORDER BY feedback_id",
    );
    rows.iter().map(|row| row.join(" ")).collect()
}

#[test]
fn a_label_is_recorded_once_and_corrections_are_kept() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &three_rows(&files)));
    let first = files.write(
        "first.csv",
        "transaction_id,is_fraud,known_at\n2,1,2024-01-05 12:00:00\n1,no,2024-01-04 00:00:00.5\n2,1,2024-01-05 12:00:00\n",
    );
    let (_, end) = lines(&mut feedback(&database, &first));
    assert_eq!((&end["labels_recorded"], &end["labels_known"]), (&2.into(), &1.into()));
    assert_eq!((&end["frauds"], &end["corrections"]), (&1.into(), &0.into()));
    let both = ["1 2 1 t 2024-01-05 12:00:00 2", "2 1 1 f 2024-01-04 00:00:00.5 3"];
    assert_eq!(recorded(&database), both);
    assert_eq!(succeed(&mut feedback(&database, &first)), "recorded nothing new; 3 known before\n");
    assert_eq!(recorded(&database), both);

    let second = files.write(
        "second.csv",
        "transaction_id,label,known_at\n2,genuine,2024-01-09 00:00:00\n1,genuine,2024-01-06 00:00:00\n3,FRAUD,2024-01-09 00:00:00\n",
    );
    assert_eq!(
        succeed(&mut feedback(&database, &second)),
        "recorded 3 labels, of which 1 fraud; 1 corrects earlier ones\n"
    );
    assert_eq!(
        recorded(&database)[2..],
        ["3 2 1 f 2024-01-09 00:00:00 2", "4 1 1 f 2024-01-06 00:00:00 3", "5 3 1 t 2024-01-09 00:00:00 4"]
    );
    // What was corrected once can become true again.
    let back = files.write("back.csv", "transaction_id,label,known_at\n2,1,2024-01-10 00:00:00\n");
    assert_eq!(
        succeed(&mut feedback(&database, &back)),
        "recorded 1 label, of which 1 fraud; 1 corrects earlier ones\n"
    );
}

#[test]
fn without_a_time_it_is_known_now_and_only_news_are_recorded() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &three_rows(&files)));
    let file = files.write("known.csv", "transaction_id,label\n1,1\n2,0\n1,1\n");
    for expected in
        ["recorded 2 labels, of which 1 fraud; 1 known before\n", "recorded nothing new; 3 known before\n"]
    {
        assert_eq!(succeed(&mut feedback(&database, &file)), expected);
    }
    let now = "SELECT count(*) FROM feedback
        WHERE known_at BETWEEN (now() AT TIME ZONE 'UTC') - interval '10 minutes' AND now() AT TIME ZONE 'UTC'";
    assert_eq!(database.number(now), 2);
    succeed(
        feedback(&database, &files.write("kathmandu.csv", "transaction_id,label\n1,0\n"))
            .args(["--timezone", "Asia/Kathmandu"]),
    );
    let hours = "SELECT round(extract(epoch FROM known_at - now() AT TIME ZONE 'UTC') / 900) FROM feedback WHERE feedback_id = 3";
    assert_eq!(database.number(hours), 23, "quarters of an hour");
}

#[test]
fn rows_are_found_by_the_ids_of_their_files() {
    let (database, files) = (Database::migrated(), Files::new());
    let header = "transaction_id,user_id,amount,timestamp\n";
    let rows = |ids: &[&str]| -> String {
        ids.iter().map(|id| format!("{id},7,1.00,2024-01-01 00:00:00\n")).collect()
    };
    let numbers = files.write("numbers.csv", format!("{header}{}", rows(&["101", "102", "103"])));
    let texts = files.write("texts.csv", format!("{header}{}", rows(&["C-1", "c-1", "0102", "104"])));
    succeed(&mut host_run(&database, "threshold", &numbers));
    succeed(host_run(&database, "threshold", &texts).args(["--transaction-ids", "text"]));
    let known = files
        .write("known.csv", "source_id,label\n101,1\n C-1 ,1\nc-1,0\n104,1\n0102,1\n0103,1\n105,1\nC-2,1\n");
    let rejects = files.path().join("rejects.csv");
    let mut command = feedback(&database, &known);
    let text = succeed(command.args(["--max-rejects", "3", "--rejects"]).arg(&rejects));
    insta::assert_snapshot!("feedback_with_rejects", text);
    let found = database.rows("SELECT transaction_id, run_id, is_fraud FROM feedback ORDER BY feedback_id");
    assert_eq!(
        found,
        // 0103 is the number 103; of 0102 there is a number, too.
        [["1", "1", "t"], ["4", "2", "t"], ["5", "2", "f"], ["7", "2", "t"], ["3", "1", "t"]]
    );
    insta::assert_snapshot!(
        "feedback_rejects_file",
        files.anonymous(&std::fs::read_to_string(&rejects).unwrap())
    );
    // Ingested twice, an id is that of two rows.
    succeed(&mut host_run(&database, "threshold", &numbers));
    let refused = finish(&mut feedback(&database, &files.write("one.csv", "source_id,label\n101,0\n")));
    assert_eq!(refused.code, 3);
    insta::assert_snapshot!("feedback_not_unique", files.anonymous(&refused.stderr));
}

#[test]
fn all_of_it_is_there_or_nothing() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &three_rows(&files)));
    let good = files.write("good.csv", "transaction_id,label\n1,1\n");
    let cases = [
        ("unknown_id", "transaction_id,label\n2,1\n101,1\n"),
        ("bad_label", "transaction_id,label\n2,1\n3,perhaps\n"),
        ("bad_time", "transaction_id,label,known_at\n2,1,yesterday\n"),
        ("no_label", "transaction_id,fraudulent\n2,1\n"),
        ("no_id", "id,label\n2,1\n"),
    ];
    for (name, content) in cases {
        let bad = files.write(&format!("{name}.csv"), content);
        let finished = finish(feedback(&database, &good).arg(&bad));
        assert_eq!((finished.code, finished.stdout.as_str()), (3, ""), "{}", finished.stderr);
        insta::assert_snapshot!(format!("feedback_{name}"), files.anonymous(&finished.stderr));
        assert_eq!(recorded(&database), [""; 0], "{name}");
    }
    // Alone, a file without anything is no file of labels.
    let empty = finish(&mut feedback(&database, &files.write("empty.csv", "\n")));
    assert_eq!(empty.code, 3);
    insta::assert_snapshot!("feedback_empty", files.anonymous(&empty.stderr));
    let bad = files.path().join("unknown_id.csv");
    let rejects = files.path().join("rejects.csv");
    let finished =
        finish(feedback(&database, &bad).args(["--max-rejects", "10%", "--rejects"]).arg(&rejects));
    insta::assert_snapshot!("feedback_too_many", files.anonymous(&finished.stderr));
    assert!(std::fs::read_to_string(&rejects).unwrap().contains("transaction_id_not_found"));
    let (_, end) = lines(&mut feedback(&database, &bad));
    assert_eq!((&end["committed"], &end["database"]), (&false.into(), &"rolled_back".into()));
    // The corrected file of rejects is one like any other.
    std::fs::write(&rejects, std::fs::read_to_string(&rejects).unwrap().replace(",101,1", ",3,1")).unwrap();
    assert_eq!(succeed(feedback(&database, &good).arg(&rejects)), "recorded 2 labels, of which 2 fraud\n");
    assert_eq!(database.number("SELECT count(*) FROM feedback"), 2);
    let wrong = finish(host().args(["feedback", "--column", "amount=a", "x.csv"]));
    assert_eq!(wrong.code, 2);
    insta::assert_snapshot!("feedback_unknown_column", wrong.stderr);
}

#[test]
fn the_run_that_wrote_a_row_is_known() {
    let (database, files) = (Database::migrated(), Files::new());
    let first = files.many_rows("first.csv", 1..11);
    succeed(host_run(&database, "threshold", &first).args(["--ids", "keep"]));
    let second = files.many_rows("second.csv", 6..16);
    succeed(host_run(&database, "threshold", &second).args(["--ids", "keep", "--on-conflict", "replace"]));
    database.execute("INSERT INTO transactions VALUES (40, 1, 1, '2024-01-01', 0)");
    // Whoever writes a row anew hides which run it was; then only ids tell.
    database.execute("UPDATE transactions SET amount = amount + 1 WHERE transaction_id IN (1, 15)");
    let known = files.write("known.csv", "transaction_id,label\n1,1\n2,1\n6,1\n15,1\n40,1\n");
    let text = succeed(feedback(&database, &known).args(["--max-rejects", "1"]));
    assert!(text.ends_with("1 record rejected\n  1 time transaction_id_of_no_run\n"), "{text}");
    let found = database.rows("SELECT transaction_id, run_id FROM feedback ORDER BY feedback_id");
    assert_eq!(found, [["1", "1"], ["2", "1"], ["6", "2"], ["15", "2"]]);
}

#[test]
fn many_labels_come_in_parts_from_wherever_files_come_from() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &files.many_rows("rows.csv", 0..70_000)));
    let content: String = (1..=70_000).map(|id| format!("{id};{}\n", id % 2)).collect();
    let mut command = feedback(&database, Path::new("-"));
    command.args(["--delimiter", ";", "--column", "label=Betrug"]);
    let mut running =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut input = running.stdin.take().unwrap();
    input.write_all(format!("Transaction_Id;Betrug\n{content}").as_bytes()).unwrap();
    drop(input);
    let finished = Finished::of(running.wait_with_output().unwrap());
    assert_eq!(finished.stdout, "recorded 70,000 labels, of which 35,000 fraud\n", "{}", finished.stderr);
    let wrong = "SELECT count(*) FROM feedback
        WHERE transaction_id <> feedback_id OR line <> transaction_id + 1 OR is_fraud <> (transaction_id % 2 = 1)";
    assert_eq!(database.number(wrong), 0);
    let zipped = files.gzip("again.csv.gz", format!("transaction_id;label\n{content}").as_bytes());
    let again = succeed(feedback(&database, &zipped).args(["--delimiter", ";"]));
    assert_eq!(again, "recorded nothing new; 70,000 known before\n");
}

/// One that has begun, and waits for more of its input.
fn begun(database: &Database, files: &Files) -> (Running, std::fs::File) {
    const LOCKED: &str = "SELECT count(*) FROM pg_locks
        WHERE relation = 'feedback'::regclass AND mode = 'ShareRowExclusiveLock' AND granted";
    let pipe = files.pipe();
    let running = start(&mut feedback(database, &pipe));
    let mut input = std::fs::File::options().write(true).open(&pipe).unwrap();
    input.write_all(b"transaction_id,label\n2,1\n").unwrap();
    database.wait_for(LOCKED, 1);
    (running, input)
}

/// The numbers of feedback grow in the order of commits only if nobody else can append meanwhile.
#[test]
fn who_records_feedback_waits_for_others_who_do() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &three_rows(&files)));
    let one = files.write("one.csv", "transaction_id,label\n1,1\n");
    let (first, input) = begun(&database, &files);
    let refused = finish(feedback(&database, &one).args(["--lock-timeout", "100ms"]));
    assert_eq!(refused.code, 5);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[^\n]+WARN host: ", "WARN ");
    settings.add_filter(r"for more than [0-9.]+ s.*", "for more than [time]");
    settings.add_filter(r"\(process.*\)", "(whose)");
    settings.bind(|| insta::assert_snapshot!("feedback_locked", refused.stderr));
    drop(input);
    assert_eq!(first.finish().stdout, "recorded 1 label, of which 1 fraud\n");
    succeed(&mut feedback(&database, &one));
    let order = database.rows("SELECT transaction_id FROM feedback ORDER BY feedback_id");
    assert_eq!(order, [["2"], ["1"]]);
}

/// Whatever happens to the COMMIT, what is said about it is true.
#[test]
fn a_commit_that_fails_is_told_as_what_it_is() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &three_rows(&files)));
    let known = files.write("known.csv", "transaction_id,label\n1,1\n2,0\n");
    let at_commit = |action: &str| {
        database.execute(&format!(
            "CREATE OR REPLACE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {action}; RETURN NULL; END $$;
            DROP TRIGGER IF EXISTS at_commit ON feedback;
            CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON feedback DEFERRABLE INITIALLY DEFERRED
                FOR EACH ROW EXECUTE FUNCTION at_commit()"
        ));
    };
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"[^\n]+WARN host: [^\n]+\n", "");
    for (name, action) in [
        ("refused", "RAISE EXCEPTION 'not today'"),
        ("lost", "PERFORM pg_terminate_backend(pg_backend_pid())"),
    ] {
        at_commit(action);
        let finished = finish(&mut feedback(&database, &known));
        assert_eq!((finished.code, finished.stdout.as_str()), (5, ""), "{}", finished.stderr);
        settings.bind(|| insta::assert_snapshot!(format!("feedback_commit_{name}"), finished.stderr));
        assert_eq!(recorded(&database), [""; 0], "{name}");
    }
    at_commit("NULL");
    assert_eq!(succeed(&mut feedback(&database, &known)), "recorded 2 labels, of which 1 fraud\n");
}

#[test]
fn an_interrupt_leaves_nothing() {
    let (database, files) = (Database::migrated(), Files::new());
    succeed(&mut host_run(&database, "threshold", &three_rows(&files)));
    let (running, _input) = begun(&database, &files);
    running.signal("INT");
    let finished = running.finish();
    assert_eq!(finished.code, 130);
    assert_eq!(
        finished.stderr,
        "error: interrupted\nnote: nothing was written; the transaction was rolled back\n"
    );
    assert_eq!(recorded(&database), [""; 0]);
}
