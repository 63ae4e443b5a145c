//! The acceptance test of the original system.

use crate::support::{Database, host_run, sample, succeed};

#[test]
fn the_same_file_twice_gives_3600_transactions_and_76_anomalies() {
    let database = Database::new();
    succeed(&mut host_run(&database, "threshold.wasm", &sample()));
    database.execute("TRUNCATE transactions, anomalies RESTART IDENTITY");

    for _ in 0..2 {
        succeed(&mut host_run(&database, "threshold.wasm", &sample()));
    }

    // Every query here is on a new connection.
    assert_eq!(database.number("SELECT count(*) FROM transactions"), 3_600);
    assert_eq!(database.number("SELECT count(*) FROM anomalies"), 76);
    assert_eq!(database.number("SELECT count(*) FROM transactions WHERE is_anomalous = 1"), 76);
    assert_eq!(database.number("SELECT count(*) FROM transactions WHERE is_anomalous = 0"), 3_524);
    let equal = "SELECT count(*) FROM anomalies a JOIN transactions t USING
        (transaction_id, user_id, amount, transaction_timestamp) WHERE t.is_anomalous = 1";
    assert_eq!(database.number(equal), 76);
    // After the TRUNCATE the ids start at 1 again, in file order, without a gap.
    let ids = "SELECT count(*) FROM transactions WHERE transaction_id <> source_id + 1800 * ((transaction_id - 1) / 1800)";
    assert_eq!(database.number(ids), 0);
    assert_eq!(
        database.text("SELECT min(transaction_id) || ' ' || max(transaction_id) FROM transactions"),
        "1 3600"
    );
    assert_eq!(
        database.rows("SELECT rows_read, rows_written, rows_rejected, anomalies, first_transaction_id, last_transaction_id FROM ingest_runs ORDER BY run_id"),
        [["1800", "1800", "0", "38", "1", "1800"], ["1800", "1800", "0", "38", "1", "1800"], ["1800", "1800", "0", "38", "1801", "3600"]]
    );
    assert_eq!(database.number("SELECT count(DISTINCT run_id) FROM anomalies"), 2);
}
