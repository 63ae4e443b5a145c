//! A watch that is killed again and again while files arrive, on a server that crashes: nothing is lost, and nothing
//! is there twice. `cargo xtask soak watch` does the same with many more files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::database::watch::Watch;
use crate::support::{Database, Files, OwnServer, wait_until};

/// Rows of a good file.
const ROWS: u32 = 20;
/// One file in so many cannot be read, and one has the content of an earlier one.
const BAD_EVERY: u32 = 20;
const SAME_EVERY: u32 = 15;

/// How much happens.
struct Soak {
    files: u32,
    kills: u32,
    restarts: u32,
}

/// What a file is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Good,
    Bad,
    /// As the one before it.
    Same,
}

fn kind(number: u32) -> Kind {
    match number {
        _ if number % BAD_EVERY == BAD_EVERY - 1 => Kind::Bad,
        _ if number % SAME_EVERY == SAME_EVERY - 1 && kind(number - 1) == Kind::Good => Kind::Same,
        _ => Kind::Good,
    }
}

fn name(number: u32) -> String {
    format!("{number:04}.csv")
}

/// Of each row, its number is in the file's own id.
fn content(number: u32) -> String {
    let of = if kind(number) == Kind::Same { number - 1 } else { number };
    let mut text = String::from("transaction_id,user_id,amount,timestamp\n");
    for row in 0..ROWS {
        let amount = if kind(number) == Kind::Bad && row == ROWS / 2 { "x" } else { "1.00" };
        text.push_str(&format!("{},7,{amount},2024-01-01 00:00:00\n", of * ROWS + row));
    }
    text
}

/// Written under another name, in two pieces, and renamed.
fn deliver(folder: &Path, number: u32) {
    let hidden = folder.join(format!("{}.tmp", name(number)));
    let text = content(number);
    let (first, second) = text.split_at(text.len() / 2);
    fs::write(&hidden, first).unwrap();
    fs::write(&hidden, format!("{first}{second}")).unwrap();
    fs::rename(&hidden, folder.join(name(number))).unwrap();
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().is_file());
    let names = files.map(|entry| entry.file_name().into_string().unwrap());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// How many files have been dealt with.
fn ended(folder: &Path) -> u32 {
    let count = |name: &str| {
        let names = if folder.join(name).is_dir() { names(&folder.join(name)) } else { BTreeSet::new() };
        names.iter().filter(|name| name.ends_with(".csv")).count() as u32
    };
    count("done") + count("failed")
}

impl Soak {
    fn run(&self) {
        let server = OwnServer::new();
        let url = server.start();
        let database = Database::on(url);
        let files = Files::new();
        let mut delivered = 0;
        let disturbances = self.kills + self.restarts;
        let mut watch = Watch::start(&database.url(), files.path(), &[]);
        for disturbance in 1..=disturbances {
            // Some are always left to do when it comes.
            let until = self.files * disturbance / disturbances;
            (delivered..until).for_each(|number| deliver(files.path(), number));
            delivered = until;
            let before = self.files * (disturbance - 1) / disturbances + (until / disturbance) / 3;
            wait_until("some files", || ended(files.path()) >= before || watch.has_ended());
            assert!(!watch.has_ended(), "{}", watch.said("stderr"));
            // At any moment of what is being done with a file.
            std::thread::sleep(Duration::from_millis(u64::from(disturbance * 37 % 60)));
            if self.is_restart(disturbance) {
                server.pg_ctl(&["stop", "--mode", "immediate"]);
                server.start();
            } else {
                watch.signal("KILL");
                wait_until("its end", || watch.has_ended());
                watch = Watch::start(&database.url(), files.path(), &[]);
            }
        }
        wait_until("all files", || ended(files.path()) >= self.files || watch.has_ended());
        let finished = watch.end();
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        self.assert_all_is_there_once(&database, files.path());
    }

    /// Spread over the time.
    fn is_restart(&self, disturbance: u32) -> bool {
        let every = (self.kills + self.restarts) / (self.restarts + 1);
        disturbance.is_multiple_of(every) && disturbance / every <= self.restarts
    }

    fn assert_all_is_there_once(&self, database: &Database, folder: &Path) {
        let of = |wanted: &[Kind]| {
            let numbers = (0..self.files).filter(|number| wanted.contains(&kind(*number)));
            numbers.map(name).collect::<BTreeSet<_>>()
        };
        let (good, bad) = (of(&[Kind::Good]), of(&[Kind::Bad]));
        let rows = good.len() as i64 * i64::from(ROWS);
        assert_eq!(database.counts(), (rows, 0, good.len() as i64));
        assert_eq!(database.number("SELECT count(DISTINCT source_id) FROM transactions"), rows);
        assert_eq!(database.number("SELECT count(DISTINCT sha256) FROM ingest_files"), good.len() as i64);
        assert_eq!(database.number("SELECT sum(rows_written) FROM ingest_runs"), rows);
        // A file that was moved when the watch was killed is not moved again under another name.
        assert_eq!(names(&folder.join("done")), of(&[Kind::Good, Kind::Same]));
        let reports =
            [".error.json", ".error.txt", ""].map(|ending| bad.iter().map(move |n| format!("{n}{ending}")));
        assert_eq!(names(&folder.join("failed")), reports.into_iter().flatten().collect());
        assert_eq!(names(folder), BTreeSet::new());
    }
}

#[test]
fn nothing_is_lost_and_nothing_is_there_twice() {
    let soak = match std::env::var_os("HOST_TEST_SOAK") {
        Some(_) => Soak { files: 500, kills: 20, restarts: 2 },
        None => Soak { files: 40, kills: 6, restarts: 1 },
    };
    soak.run();
}
