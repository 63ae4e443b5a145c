//! A run in the middle of its transaction, which waits for more of its input: the moment at which
//! others do to it whatever a test is about.

use std::fs::File;
use std::io::Write as _;
use std::process::Command;

use crate::support::{Database, Files, Finished, Running, start};

/// Its input goes on when the test says so.
pub struct Waiting {
    pub running: Running,
    pub input: File,
}

const HEADER: &str = "transaction_id,user_id,amount,timestamp\n";
/// More than a batch, and more than is collected before it is sent.
const ROWS: u32 = 20_000;

/// The run has begun, and the server has rows of it and waits for more. (COPY takes this lock when
/// it starts. The one that is held for the ids comes earlier: whoever waits for that acts while
/// the host has not heard yet that its transaction has begun.)
const COPIES: &str = "SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid)
    WHERE relation = 'transactions'::regclass AND mode = 'RowExclusiveLock' AND granted
      AND datname = current_database() AND application_name LIKE 'host run %'";

impl Waiting {
    /// Starts it with this command, to which the input is added. None of the rows that it is given
    /// is an anomaly.
    pub fn start(database: &Database, command: &mut Command, files: &Files) -> Waiting {
        let mut waiting = Waiting::with_header(command, files);
        waiting.write_rows(0, "1.00");
        database.wait_for(COPIES, 1);
        waiting
    }

    /// Starts it and gives it nothing but a header, so that nothing is copied.
    pub fn with_header(command: &mut Command, files: &Files) -> Waiting {
        let pipe = files.pipe();
        let running = start(command.arg(&pipe));
        let mut input = File::options().write(true).open(&pipe).unwrap();
        input.write_all(HEADER.as_bytes()).unwrap();
        Waiting { running, input }
    }

    /// Ends its input, and waits for its end.
    pub fn end_input(self) -> Finished {
        drop(self.input);
        self.running.finish()
    }

    /// Gives it many anomalies, and waits for its end.
    pub fn go_on(mut self) -> Finished {
        // The run may have ended already.
        (1..6).take_while(|part| self.write_rows(part * ROWS, "900.00")).for_each(drop);
        self.end_input()
    }

    /// Returns whether somebody takes them.
    fn write_rows(&mut self, first: u32, amount: &str) -> bool {
        let rows: String =
            (first..first + ROWS).map(|id| format!("{id},7,{amount},2024-01-01 00:00:00\n")).collect();
        self.input.write_all(rows.as_bytes()).is_ok()
    }
}
