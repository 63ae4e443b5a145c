//! All or nothing, whatever dies: one small ingest, or its [`undo`], and a fault at every boundary between two of
//! its messages, in either direction. After each, what is in the database, what the ledger says
//! and what the program said must agree, and the next run must succeed.

#![allow(clippy::print_stdout, reason = "the tallies are for people who read the tests' output")]

mod proxy;
mod undo;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use self::proxy::{Direction, Fault, Moment, Plan, Proxy};
use crate::support::{Database, Files, Finished, KILLED, OwnServer, host, start, succeed, wait_until};

/// Faults that are tried side by side; most of the time, each waits.
const WORKERS: usize = 4;
/// Patience that is enough on any machine.
const ENOUGH_SECONDS: u32 = 27;
const NOTHING: Contents = Contents { transactions: 0, anomalies: 0, rejected: 0, runs: 0, entries: 0 };

/// What runs have written, one of which was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Contents {
    transactions: i64,
    anomalies: i64,
    rejected: i64,
    runs: i64,
    /// Of the detector's state.
    entries: i64,
}

/// What is run: five rows with two anomalies, and one that is rejected.
#[derive(Clone, Copy, Debug)]
struct Subject {
    plugin: &'static str,
    /// Besides the usual.
    arguments: &'static [&'static str],
    lines: [&'static str; 6],
    /// How many entries a run writes of its detector's state.
    entries: i64,
}

const STATELESS: Subject = Subject {
    plugin: "threshold",
    arguments: &[],
    lines: [
        "1,7,1.00,2024-01-01 00:00:00",
        "2,7,900.00,2024-01-01 00:00:00",
        "3,8,none,2024-01-01 00:00:00",
        "4,8,3.00,2024-01-01 00:00:00",
        "5,9,901.00,2024-01-01 00:00:00",
        "6,9,4.00,2024-01-01 00:00:00",
    ],
    entries: 0,
};

/// It finds anomalies only because it knows the users from the run before: from all of what that run wrote, since
/// what is not as it was written is refused.
const STATEFUL: Subject = Subject {
    plugin: "zscore",
    arguments: &["--set", "minimum-history=4"],
    lines: [
        "1,7,1.00,2024-01-01 00:00:00",
        "2,7,900.00,2024-01-01 00:00:00",
        "3,8,none,2024-01-01 00:00:00",
        "4,8,1.00,2024-01-01 00:00:00",
        "5,8,901.00,2024-01-01 00:00:00",
        "6,9,1.00,2024-01-01 00:00:00",
    ],
    entries: 3,
};

impl Subject {
    /// What a run writes.
    fn all(&self) -> Contents {
        Contents { transactions: 5, anomalies: 2, rejected: 1, runs: 1, entries: self.entries }
    }
}

/// A database behind a proxy, and a file to ingest.
struct Scene {
    database: Database,
    subject: Subject,
    deed: Deed,
    file: PathBuf,
    /// What is there before the subject is run.
    earlier: Contents,
    files: Files,
}

/// What is disturbed: the program writes a run, or removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    Run,
    Undo,
}

impl Scene {
    fn new(database: Database, subject: Subject) -> Scene {
        let files = Files::new();
        let file = files.csv(&subject.lines);
        let mut scene = Scene { database, subject, deed: Deed::Run, file, earlier: NOTHING, files };
        if subject.entries > 0 {
            let rows =
                [7, 8, 9].map(|user_id| format!("0,{user_id},1.00,2024-01-01 00:00:00\n").repeat(4)).concat();
            let header = "transaction_id,user_id,amount,timestamp\n";
            let earlier = scene.files.write("earlier.csv", format!("{header}{rows}"));
            succeed(&mut scene.run_of(&earlier, &scene.database.url()));
            scene.earlier = scene.contents();
        }
        scene
    }

    fn run(&self, url: &str) -> Command {
        self.run_of(&self.file, url)
    }

    fn run_of(&self, file: &Path, url: &str) -> Command {
        let mut command = host();
        command.args(["run", "--plugin", self.subject.plugin, "--max-rejects", "1", "--database-url", url]);
        command.args(self.subject.arguments).arg(file);
        command
    }

    /// What is there that was not there earlier.
    fn contents(&self) -> Contents {
        let row = self.database.rows(
            "SELECT (SELECT count(*) FROM transactions), (SELECT count(*) FROM anomalies),
                    (SELECT count(*) FROM rejected_rows), (SELECT count(*) FROM ingest_runs WHERE undone_at IS NULL),
                    (SELECT count(*) FROM detector_states)",
        );
        let number = |i: usize| row[0][i].parse::<i64>().unwrap();
        Contents {
            transactions: number(0) - self.earlier.transactions,
            anomalies: number(1) - self.earlier.anomalies,
            rejected: number(2) - self.earlier.rejected,
            runs: number(3) - self.earlier.runs,
            entries: number(4) - self.earlier.entries,
        }
    }

    fn command(&self, url: &str) -> Command {
        match self.deed {
            Deed::Run => self.run(url),
            Deed::Undo => self.undo(url),
        }
    }

    /// As it is before, or after a deed that failed.
    fn before(&self) -> Contents {
        match self.deed {
            Deed::Run => NOTHING,
            Deed::Undo => undo::BOTH,
        }
    }

    /// As it is if the deed is done.
    fn after(&self) -> Contents {
        match self.deed {
            Deed::Run => self.subject.all(),
            Deed::Undo => undo::FIRST,
        }
    }

    /// How the program begins to say that it is done, and what it says otherwise.
    fn said(&self) -> (&'static str, &'static str) {
        match self.deed {
            Deed::Run => ("committed run ", "nothing was written"),
            Deed::Undo => ("undone run ", "nothing was removed"),
        }
    }

    fn reset(&self) {
        match self.deed {
            Deed::Run => self.empty(),
            Deed::Undo => self.run_again(),
        }
    }

    /// Removes what was not there earlier.
    fn empty(&self) {
        let Contents { transactions, runs, .. } = self.earlier;
        let others = ["rejected_rows", "ingest_runs", "ingest_files", "detector_states"];
        let others = others.map(|table| format!("DELETE FROM {table} WHERE run_id > {runs}")).join("; ");
        self.database.execute(&format!(
            "DELETE FROM anomalies WHERE transaction_id > {transactions};
            DELETE FROM transactions WHERE transaction_id > {transactions}; {others};
            ALTER TABLE ingest_runs ALTER run_id RESTART WITH {}",
            runs + 1
        ));
    }
}

/// How a faulty run ended, in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Committed,
    RolledBack,
    KilledCommitted,
    KilledRolledBack,
    InDoubtCommitted,
    InDoubtRolledBack,
    Unknown,
}

/// How many faults ended how.
#[derive(Default)]
struct Tally(BTreeMap<Verdict, usize>);

impl Tally {
    fn of(&self, verdicts: &[Verdict]) -> usize {
        verdicts.iter().map(|verdict| self.0.get(verdict).copied().unwrap_or_default()).sum()
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use Verdict::*;
        write!(
            f,
            "{} faults: {} committed, {} rolled back (of these {} and {} when the program was killed, {} and {} in doubt at first), {} unknown; 0 wrong answers",
            self.0.values().sum::<usize>(),
            self.of(&[Committed, KilledCommitted, InDoubtCommitted]),
            self.of(&[RolledBack, KilledRolledBack, InDoubtRolledBack]),
            self.of(&[KilledCommitted]),
            self.of(&[KilledRolledBack]),
            self.of(&[InDoubtCommitted]),
            self.of(&[InDoubtRolledBack]),
            self.of(&[Unknown]),
        )
    }
}

/// Tries a fault at every boundary of both directions, while a run is written.
fn sweep(name: &str, fault: Fault, later_connections: bool, subject: Subject) -> Tally {
    let place = || Scene::new(Database::migrated(), subject);
    sweep_over(name, fault, later_connections, 1, place)
}

/// Around COMMIT, every boundary matters.
const LAST_MESSAGES: usize = 12;

/// The boundaries at which faults are tried: each one, or each `stride`-th until shortly before the end.
fn boundaries(messages: usize, stride: usize) -> impl Iterator<Item = usize> {
    (0..=messages).filter(move |boundary| boundary % stride == 0 || messages - boundary < LAST_MESSAGES)
}

/// The same in scenes of any kind, at each `stride`-th boundary.
fn sweep_over(
    name: &str,
    fault: Fault,
    later_connections: bool,
    stride: usize,
    place: impl Fn() -> Scene + Sync,
) -> Tally {
    let (to_server, to_client) = undisturbed(&place());
    let mut plans = Vec::new();
    for (direction, messages) in [(Direction::ToServer, to_server), (Direction::ToClient, to_client)] {
        let moments = boundaries(messages, stride).map(|messages| Moment { direction, messages });
        plans.extend(moments.map(|moment| Plan { moment, fault, later_connections }));
    }
    let tally = try_all(plans, place, |scene, plan| try_one(scene, plan, None));
    println!("{name}, {to_server} messages to the server and {to_client} to the client: {tally}");
    tally
}

/// Shares the plans among workers, each with a place of its own.
fn try_all<W>(
    plans: Vec<Plan>,
    place: impl Fn() -> W + Sync,
    try_one: impl Fn(&W, Plan) -> Verdict + Sync,
) -> Tally {
    let queue = Mutex::new(plans.into_iter());
    let tally = Mutex::new(Tally::default());
    thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| {
                let place = place();
                loop {
                    let Some(plan) = queue.lock().unwrap().next() else { return };
                    let verdict = try_one(&place, plan);
                    *tally.lock().unwrap().0.entry(verdict).or_default() += 1;
                }
            });
        }
    });
    tally.into_inner().unwrap()
}

/// How many messages go each way when nothing happens.
fn undisturbed(scene: &Scene) -> (usize, usize) {
    let proxy = Proxy::start(&socket(&scene.database), None, None);
    succeed(&mut scene.command(&behind(&proxy, &scene.database)));
    assert_eq!(scene.contents(), scene.after());
    proxy.messages()
}

/// One run with one fault; panics where anything does not agree.
fn try_one(scene: &Scene, plan: Plan, server: Option<&OwnServer>) -> Verdict {
    // Where nobody answers, only patience can end: then it is short, and on a busy machine it may
    // end for want of an answer that was on its way. That is tried again, with more of it.
    let is_patience_tried = plan.fault == Fault::Stall || !plan.later_connections;
    let mut seconds = if is_patience_tried { 1 } else { ENOUGH_SECONDS };
    let (has_struck, finished) = loop {
        let (has_struck, finished) = run_once(scene, plan, server, seconds);
        let is_too_soon = !has_struck || finished.code == 6 && plan.later_connections;
        if finished.code == 0 || !is_too_soon || seconds >= ENOUGH_SECONDS {
            break (has_struck, finished);
        }
        scene.reset();
        seconds *= 3;
    };
    let verdict = judge(scene, plan, has_struck, &finished);
    // The next run finds nothing that would be in its way.
    if scene.deed == Deed::Undo {
        scene.undo_again();
    } else {
        let before = scene.contents();
        succeed(&mut scene.run(&scene.database.url()));
        let after = scene.contents();
        let all = scene.subject.all();
        assert_eq!(after.transactions, before.transactions + all.transactions, "{plan:?}");
        assert_eq!((after.runs, after.entries), (before.runs + 1, before.entries + all.entries), "{plan:?}");
    }
    scene.reset();
    verdict
}

/// Runs it once, with this much patience; returns whether the fault came, and how it ended.
fn run_once(scene: &Scene, plan: Plan, server: Option<&OwnServer>, seconds: u32) -> (bool, Finished) {
    let socket = socket(&scene.database);
    let proxy = Proxy::start(&socket, Some(plan), server.map(OwnServer::process));
    let mut run = scene.command(&behind(&proxy, &scene.database));
    run.arg(format!("--server-timeout={seconds}s")).arg(format!("--connect-timeout={seconds}s"));
    let mut running = start(&mut run);
    proxy.host_is(running.id());
    if let Some(server) = server {
        wait_until("the server to be killed", || proxy.has_struck() || running.has_ended());
        // The last message of all is a goodbye, which the program need not get to.
        if proxy.has_struck() {
            // SIGKILL takes a moment.
            let is_down = || std::os::unix::net::UnixStream::connect(&socket).is_err();
            wait_until("the server to be gone", is_down);
            server.start();
        }
    }
    let finished = running.finish();
    let has_struck = proxy.has_struck();
    drop(proxy);
    wait_for_sessions(&scene.database);
    (has_struck, finished)
}

/// Holds what the program said against what is in the database.
fn judge(scene: &Scene, plan: Plan, has_struck: bool, finished: &Finished) -> Verdict {
    let contents = scene.contents();
    let is_there = match contents {
        done if done == scene.after() => true,
        not_done if not_done == scene.before() => false,
        half => panic!("half a {:?}: {half:?}, {plan:?}, {finished:?}", scene.deed),
    };
    const KEYS: &str = "SELECT count(*) FROM pg_constraint
        WHERE contype IN ('p', 'u', 'f') AND conrelid IN ('transactions'::regclass, 'anomalies'::regclass)";
    assert_eq!(scene.database.number(KEYS), 4, "{plan:?}");
    let was_in_doubt = finished.stderr.contains("asking what became of it");
    let (done, nothing) = scene.said();
    let said_committed = finished.stdout.starts_with(done);
    let said_nothing = finished.stderr.contains(nothing);
    let wrong = format!("a wrong answer: {plan:?}, struck: {has_struck}, {finished:?}, {contents:?}");
    match (finished.code, is_there) {
        (0, true) if said_committed && !said_nothing => {
            if was_in_doubt {
                Verdict::InDoubtCommitted
            } else {
                Verdict::Committed
            }
        }
        (5, false) if said_nothing && !said_committed && has_struck => {
            if was_in_doubt {
                Verdict::InDoubtRolledBack
            } else {
                Verdict::RolledBack
            }
        }
        // Killed before it could say anything, or after it had said the truth.
        (KILLED, true) if plan.fault == Fault::KillHost => Verdict::KilledCommitted,
        (KILLED, false) if plan.fault == Fault::KillHost && !said_committed => Verdict::KilledRolledBack,
        (6, _) if !plan.later_connections && !said_committed && !said_nothing => {
            // What the message tells to ask decides.
            let query = finished.stderr.split_once("Or ask the database: `").expect(&wrong).1;
            let query = query.split_once('`').expect(&wrong).0;
            let answer = scene.database.text(query);
            assert_eq!(answer == "committed", is_there, "{answer}, {plan:?}, {finished:?}");
            assert_ne!(answer, "in progress: ask again", "{plan:?}, {finished:?}");
            Verdict::Unknown
        }
        _ => panic!("{wrong}"),
    }
}

/// The server notices that a client is gone a moment later.
fn wait_for_sessions(database: &Database) {
    const SESSIONS: &str = "SELECT count(*) FROM pg_stat_activity
        WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    database.wait_for(SESSIONS, 0);
}

/// The socket on which the test server listens.
fn socket(database: &Database) -> PathBuf {
    let [data, folder] =
        ["data_directory", "unix_socket_directories"].map(|name| database.text(&format!("SHOW {name}")));
    // It may be named from the server's data folder, whose name may be any.
    Path::new(&data).join(folder).join(".s.PGSQL.5432")
}

/// The database's URL through the proxy.
fn behind(proxy: &Proxy, database: &Database) -> String {
    let url = database.url();
    let name = url.rsplit_once('/').unwrap().1;
    format!("postgres://postgres@127.0.0.1:{}/{name}?sslmode=disable", proxy.port)
}

#[test]
fn connections_that_are_cut() {
    let tally = sweep("cut", Fault::Cut, true, STATELESS);
    assert!(tally.of(&[Verdict::InDoubtCommitted]) > 0, "no cut came between COMMIT and its answer");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
}

#[test]
fn connections_that_are_reset() {
    let tally = sweep("reset", Fault::Reset, true, STATELESS);
    assert!(tally.of(&[Verdict::InDoubtCommitted]) > 0, "no reset came between COMMIT and its answer");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
}

#[test]
fn connections_that_stall() {
    let tally = sweep("stall", Fault::Stall, true, STATELESS);
    let in_doubt = [Verdict::InDoubtCommitted, Verdict::InDoubtRolledBack];
    assert!(in_doubt.iter().all(|verdict| tally.of(&[*verdict]) > 0), "{tally}");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
}

/// While the tables are without their keys: they are there again, whatever happens.
#[test]
fn connections_that_are_cut_while_keys_are_put_off() {
    let tally = sweep(
        "cut, keys after rows",
        Fault::Cut,
        true,
        Subject { arguments: &["--defer-keys", "always"], ..STATELESS },
    );
    assert!(tally.of(&[Verdict::InDoubtCommitted]) > 0, "no cut came between COMMIT and its answer");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
}

/// Rows and what was learned from them are there together, or neither is.
#[test]
fn connections_that_are_cut_while_a_state_is_read_and_written() {
    let tally = sweep("cut, with a state", Fault::Cut, true, STATEFUL);
    assert!(tally.of(&[Verdict::InDoubtCommitted]) > 0, "no cut came between COMMIT and its answer");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
}

/// Nobody can be asked: then, and only then, the outcome is unknown, and only after COMMIT was
/// sent.
#[test]
fn connections_that_are_cut_for_good() {
    let tally = sweep("cut for good", Fault::Cut, false, STATELESS);
    assert!(tally.of(&[Verdict::Unknown]) > 0, "{tally}");
    assert!(tally.of(&[Verdict::RolledBack]) > tally.of(&[Verdict::Unknown]), "{tally}");
}

#[test]
fn a_host_that_is_killed() {
    let tally = sweep("host killed", Fault::KillHost, true, STATELESS);
    assert!(tally.of(&[Verdict::KilledCommitted]) > 0, "{tally}");
    assert!(tally.of(&[Verdict::KilledRolledBack]) > 0, "{tally}");
}

#[test]
fn a_host_with_a_state_that_is_killed() {
    let tally = sweep("host killed, with a state", Fault::KillHost, true, STATEFUL);
    assert!(tally.of(&[Verdict::KilledCommitted]) > 0, "{tally}");
    assert!(tally.of(&[Verdict::KilledRolledBack]) > 0, "{tally}");
}

/// SIGKILL to the server's first process; it is started again at once, recovers, and is asked.
#[test]
fn a_server_that_is_killed() {
    let tally = sweep_over_servers("server killed", 1, |database| Scene::new(database, STATELESS));
    assert!(tally.of(&[Verdict::Committed, Verdict::InDoubtCommitted]) > 0, "{tally}");
}

#[test]
fn a_server_that_is_killed_while_a_state_is_read_and_written() {
    let scene = |database| Scene::new(database, STATEFUL);
    let tally = sweep_over_servers("server killed, with a state", 3, scene);
    assert!(tally.of(&[Verdict::Committed, Verdict::InDoubtCommitted]) > 0, "{tally}");
}

/// Kills the server at every boundary of the direction to it, in scenes of any kind.
fn sweep_over_servers(name: &str, stride: usize, scene: impl Fn(Database) -> Scene + Sync) -> Tally {
    let (to_server, _) = undisturbed(&scene(Database::migrated()));
    let moments =
        boundaries(to_server, stride).map(|messages| Moment { direction: Direction::ToServer, messages });
    let plan = |moment| Plan { moment, fault: Fault::KillServer, later_connections: true };
    let place = || {
        let server = OwnServer::new();
        let database = Database::on(server.start());
        succeed(host().args(["migrate", "--database-url", &database.url()]));
        // In this order: the database goes before its server.
        (scene(database), server)
    };
    let tally = try_all(moments.map(plan).collect(), place, |(scene, server), plan| {
        try_one(scene, plan, Some(server))
    });
    println!("{name}, {to_server} messages to the server: {tally}");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
    assert!(tally.of(&[Verdict::RolledBack]) > to_server / stride / 2, "{tally}");
    tally
}
