//! The same faults while a run is undone that has replaced rows of another: all of it is gone, and what it had replaced
//! is there again, or nothing has changed.

use std::process::Command;

use super::proxy::Fault;
use super::{Contents, Deed, STATELESS, Scene, Subject, Verdict, sweep_over, sweep_over_servers};
use crate::support::{Database, finish, host, host_run, succeed};

/// What the first run gives.
pub const FIRST: Contents = Contents { transactions: 2, anomalies: 1, rejected: 0, runs: 1, entries: 0 };
/// What is there after the second one.
pub const BOTH: Contents = Contents { transactions: 5, anomalies: 2, rejected: 1, runs: 2, entries: 0 };

impl Scene {
    /// Two runs, of which the second is to be undone.
    fn of_undo(database: Database) -> Scene {
        let arguments = &["--ids", "keep", "--on-conflict", "replace"];
        let subject = Subject { arguments, ..STATELESS };
        let scene = Scene { deed: Deed::Undo, ..Scene::new(database, subject) };
        let first = scene.files.write(
            "first.csv",
            "transaction_id,user_id,amount,timestamp\n1,7,950.00,2024-01-01 00:00:00\n2,7,1.00,2024-01-01 00:00:00\n",
        );
        succeed(host_run(&scene.database, "threshold", &first).args(["--ids", "keep"]));
        assert_eq!(scene.contents(), FIRST);
        scene.run_again();
        scene
    }

    /// Undoes the second run.
    pub(super) fn undo(&self, url: &str) -> Command {
        let run = self.database.text("SELECT max(run_id) FROM ingest_runs");
        let mut command = host();
        command.args(["undo", &run, "--yes", "--database-url", url]);
        command
    }

    /// Whoever tries it again succeeds, or is told that it is done.
    pub(super) fn undo_again(&self) {
        let is_done = self.contents() == FIRST;
        let again = finish(&mut self.undo(&self.database.url()));
        let is_told = match is_done {
            true => again.code == 5 && again.stderr.contains(" was undone at "),
            false => again.code == 0 && again.stdout.starts_with("undone run "),
        };
        assert!(is_told, "{again:?}");
        assert_eq!(self.contents(), FIRST);
        assert_eq!(
            self.database.rows("SELECT transaction_id, amount, is_anomalous FROM transactions ORDER BY 1"),
            [["1", "950.00", "1"], ["2", "1.00", "0"]]
        );
    }

    /// The second run, if it is not there.
    pub(super) fn run_again(&self) {
        if self.contents() == FIRST {
            succeed(&mut self.run(&self.database.url()));
        }
        assert_eq!(self.contents(), BOTH);
    }
}

/// A statement is about this many messages; there are many statements.
const STRIDE: usize = 5;

fn place() -> Scene {
    Scene::of_undo(Database::migrated())
}

#[test]
fn connections_that_are_cut() {
    let tally = sweep_over("cut while undoing", Fault::Cut, true, STRIDE, place);
    assert!(tally.of(&[Verdict::InDoubtCommitted]) > 0, "no cut came between COMMIT and its answer");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
}

#[test]
fn connections_that_stall() {
    let tally = sweep_over("stall while undoing", Fault::Stall, true, STRIDE, place);
    let in_doubt = [Verdict::InDoubtCommitted, Verdict::InDoubtRolledBack];
    assert!(in_doubt.iter().all(|verdict| tally.of(&[*verdict]) > 0), "{tally}");
    assert_eq!(tally.of(&[Verdict::Unknown]), 0);
}

#[test]
fn connections_that_are_cut_for_good() {
    let tally = sweep_over("cut for good while undoing", Fault::Cut, false, STRIDE, place);
    assert!(tally.of(&[Verdict::Unknown]) > 0, "{tally}");
    assert!(tally.of(&[Verdict::RolledBack]) > tally.of(&[Verdict::Unknown]), "{tally}");
}

#[test]
fn a_host_that_is_killed() {
    let tally = sweep_over("host killed while undoing", Fault::KillHost, true, STRIDE, place);
    assert!(tally.of(&[Verdict::KilledCommitted]) > 0, "{tally}");
    assert!(tally.of(&[Verdict::KilledRolledBack]) > 0, "{tally}");
}

#[test]
fn a_server_that_is_killed() {
    let tally = sweep_over_servers("server killed while undoing", STRIDE, Scene::of_undo);
    assert!(tally.of(&[Verdict::Committed, Verdict::InDoubtCommitted]) > 0, "{tally}");
}
