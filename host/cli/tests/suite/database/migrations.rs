//! Tables: made, adopted, or refused with the reason.

use crate::support::{Database, finish, host, host_run, sample, succeed};

/// The statements of the original system, as somebody would have run them by hand.
const BY_HAND: &str = "
    CREATE TABLE transactions (transaction_id INT PRIMARY KEY, user_id INT NOT NULL, amount DECIMAL(10, 2) NOT NULL,
        transaction_timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL, is_anomalous INT);
    CREATE TABLE anomalies (anomaly_id SERIAL PRIMARY KEY, transaction_id INT UNIQUE NOT NULL, user_id INT NOT NULL,
        amount DECIMAL(10, 2) NOT NULL, transaction_timestamp TIMESTAMP WITHOUT TIME ZONE NOT NULL,
        FOREIGN KEY (transaction_id) REFERENCES transactions(transaction_id));";

#[test]
fn tables_made_by_hand_are_adopted_with_what_is_in_them() {
    let database = Database::new();
    database.execute(BY_HAND);
    database.execute("INSERT INTO transactions VALUES (41, 7, 1.00, '2024-01-01', 0)");
    succeed(&mut host_run(&database, "threshold", &sample()));
    assert_eq!(database.counts(), (1_801, 38, 1));
    assert_eq!(
        database.text("SELECT min(transaction_id) || ' ' || max(transaction_id) FROM transactions WHERE source_id IS NOT NULL"),
        "42 1841"
    );
}

#[test]
fn tables_made_by_the_host_are_those_made_by_hand_and_more() {
    let (made, by_hand) = (Database::new(), Database::new());
    succeed(host().args(["migrate", "--database-url", &made.url()]));
    by_hand.execute(BY_HAND);
    let columns = "SELECT table_name, column_name, data_type, numeric_precision, numeric_scale, is_nullable, column_default
        FROM information_schema.columns WHERE table_name IN ('transactions', 'anomalies')
        AND column_name NOT IN ('source_id', 'source_key', 'score', 'reason', 'run_id', 'currency') ORDER BY 1, ordinal_position";
    assert_eq!(made.rows(columns), by_hand.rows(columns));
    let constraints = "SELECT conrelid::regclass, contype, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE conrelid IN ('transactions'::regclass, 'anomalies'::regclass) ORDER BY 1, 2, 3";
    assert_eq!(made.rows(constraints), by_hand.rows(constraints));
}

#[test]
fn migrations_are_applied_once_and_listed() {
    let database = Database::new();
    let migrate = || {
        let mut command = host();
        command.args(["migrate", "--database-url", &database.url()]);
        command
    };
    let status = succeed(migrate().arg("--status"));
    assert_eq!(
        status,
        "0001 tables       not applied\n0002 ledger       not applied\n0003 rejects      not applied\n0004 runs         not applied\n0005 places       not applied\n0006 skipped      not applied\n0007 ids          not applied\n0008 currency     not applied\n0009 operations   not applied\n0010 knowledge    not applied\n0011 undo         not applied\n"
    );
    assert!(succeed(&mut migrate()).starts_with("11 migrations applied\n"));
    assert!(succeed(&mut migrate()).starts_with("0 migrations applied\n"));
    let status = succeed(migrate().arg("--status"));
    assert_eq!(status.matches(" applied 2").count(), 11, "{status}");

    database.execute("UPDATE ingest_migrations SET sha256 = 'other' WHERE version = 2");
    let refused = finish(&mut migrate());
    assert_eq!(refused.code, 5);
    insta::assert_snapshot!(refused.stderr);
}

#[test]
fn ten_hosts_at_once_on_an_empty_database_get_along() {
    let database = Database::new();
    let children: Vec<_> = (0..10)
        .map(|_| {
            host_run(&database, "threshold", &sample()).stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(database.counts(), (18_000, 380, 10));
    assert_eq!(database.number("SELECT max(transaction_id) FROM transactions"), 18_000);
}

#[test]
fn a_table_that_does_not_fit_is_told_precisely() {
    let cases = [
        ("amount_is_float", "ALTER TABLE transactions ALTER amount TYPE double precision"),
        ("timestamp_with_time_zone", "ALTER TABLE transactions ALTER transaction_timestamp TYPE timestamptz"),
        ("column_gone", "ALTER TABLE anomalies DROP COLUMN reason"),
        ("unknown_not_null", "ALTER TABLE transactions ADD COLUMN country TEXT NOT NULL"),
        ("table_gone", "DROP TABLE anomalies"),
    ];
    for (name, spoil) in cases {
        let database = Database::new();
        succeed(host().args(["migrate", "--database-url", &database.url()]));
        database.execute(spoil);
        let refused = finish(&mut host_run(&database, "threshold", &sample()));
        assert_eq!(refused.code, 5, "{name}");
        assert_eq!(database.number("SELECT count(*) FROM transactions"), 0, "{name}");
        insta::assert_snapshot!(format!("does_not_fit_{name}"), refused.stderr);
    }
}

#[test]
fn a_column_of_its_own_with_a_default_does_not_disturb() {
    let database = Database::new();
    succeed(host().args(["migrate", "--database-url", &database.url()]));
    database.execute("ALTER TABLE transactions ADD COLUMN loaded_at TIMESTAMP NOT NULL DEFAULT now()");
    succeed(&mut host_run(&database, "threshold", &sample()));
    assert_eq!(database.counts(), (1_800, 38, 1));
}
