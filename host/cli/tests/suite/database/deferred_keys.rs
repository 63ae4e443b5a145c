//! `--defer-keys`: keys that are built after the rows are those that were there before, and where
//! they cannot be, they stay, and the run is the same.

use crate::support::{Database, Files, finish, host_run, sample, summary};

/// Everything that there is to know of the keys, but their internal numbers.
const KEYS: &str = "
    SELECT conrelid::regclass, conname, contype, condeferrable, convalidated, pg_get_constraintdef(c.oid),
           pg_get_indexdef(conindid)
    FROM pg_constraint c WHERE conrelid IN ('transactions'::regclass, 'anomalies'::regclass) ORDER BY 1, 2";
/// Of each index: it changes when the index is built anew.
const BUILT: &str = "SELECT indexrelid FROM pg_index
    WHERE indrelid IN ('transactions'::regclass, 'anomalies'::regclass) ORDER BY 1";

/// Autovacuum would be somebody who uses the tables, at moments of its own choosing.
fn migrated() -> Database {
    let database = Database::migrated();
    for table in ["transactions", "anomalies"] {
        database.execute(&format!("ALTER TABLE {table} SET (autovacuum_enabled = off)"));
    }
    database
}

fn run_and_say_whether_deferred(database: &Database) -> bool {
    let (keys, built) = (database.rows(KEYS), database.rows(BUILT));
    let (transactions, ..) = database.counts();
    let mut run = host_run(database, "threshold", &sample());
    assert_eq!(summary(run.args(["--defer-keys", "always"]))["anomalies"], 38);
    assert_eq!(database.counts().0, transactions + 1_800);
    assert_eq!(database.rows(KEYS), keys);
    database.rows(BUILT) != built
}

#[test]
fn keys_of_empty_tables_are_built_after_the_rows() {
    let database = migrated();
    assert!(run_and_say_whether_deferred(&database));
    assert!(!run_and_say_whether_deferred(&database), "the tables were not empty");
    database.execute("TRUNCATE transactions, anomalies");
    assert!(run_and_say_whether_deferred(&database));
    // They do what keys do.
    for twice in [
        "INSERT INTO transactions SELECT * FROM transactions LIMIT 1",
        "INSERT INTO anomalies (transaction_id, user_id, amount, transaction_timestamp) VALUES (-5, 1, 1, now())",
    ] {
        let refuses = format!(
            "DO $$ BEGIN {twice}; RAISE EXCEPTION 'taken'; EXCEPTION
            WHEN unique_violation OR foreign_key_violation THEN NULL; END $$"
        );
        database.execute(&refuses);
    }
}

#[test]
fn keys_stay_where_more_depends_on_them_than_the_host_knows() {
    let changes = [
        ("a key that others refer to", "CREATE TABLE notes (id INT REFERENCES transactions)"),
        ("a key of the operator's", "ALTER TABLE transactions ADD UNIQUE (transaction_id, amount)"),
        ("an index of the operator's", "CREATE INDEX ON transactions (user_id)"),
        (
            "a trigger",
            "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
            CREATE TRIGGER t AFTER INSERT ON transactions FOR EACH ROW EXECUTE FUNCTION f()",
        ),
        ("a comment", "COMMENT ON CONSTRAINT transactions_pkey ON transactions IS 'dear'"),
        ("a parameter", "ALTER INDEX transactions_pkey SET (fillfactor = 90)"),
        ("a replica identity", "ALTER TABLE transactions REPLICA IDENTITY USING INDEX transactions_pkey"),
        (
            "a deferrable key",
            "ALTER TABLE anomalies ALTER CONSTRAINT anomalies_transaction_id_fkey DEFERRABLE",
        ),
        (
            "a view",
            "CREATE VIEW v AS SELECT transaction_id, amount FROM transactions GROUP BY transaction_id",
        ),
    ];
    for (name, change) in changes {
        let database = migrated();
        database.execute(change);
        assert!(!run_and_say_whether_deferred(&database), "{name}");
    }
}

/// A reader is not waited for, and not disturbed.
#[test]
fn keys_stay_where_somebody_reads() {
    let database = migrated();
    let deferred = crate::support::with_client(&database.url(), async |client| {
        client.batch_execute("BEGIN; SELECT count(*) FROM transactions").await.unwrap();
        std::thread::scope(|scope| scope.spawn(|| run_and_say_whether_deferred(&database)).join().unwrap())
    });
    assert!(!deferred);
}

#[test]
fn a_run_that_fails_leaves_the_keys() {
    let (database, files) = (migrated(), Files::new());
    let (keys, built) = (database.rows(KEYS), database.rows(BUILT));
    let file = files.csv(&["1,7,900.00,2024-01-01 00:00:00", "2,7,nothing,2024-01-01 00:00:00"]);
    let refused = finish(host_run(&database, "threshold", &file).args(["--defer-keys", "always"]));
    assert_eq!((refused.code, database.counts()), (3, (0, 0, 0)));
    assert_eq!((database.rows(KEYS), database.rows(BUILT)), (keys, built));
}
