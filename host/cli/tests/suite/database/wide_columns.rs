//! Columns that somebody has made wider than the host does: they are used as far as they go.

use crate::support::{Database, Files, finish, host, host_run, succeed, summary};

/// The host's tables, with columns of these types.
fn widened(user_id: [&str; 2], amount: [&str; 2]) -> Database {
    let database = Database::migrated();
    for (table, user_id, amount) in
        [("transactions", user_id[0], amount[0]), ("anomalies", user_id[1], amount[1])]
    {
        database.execute(&format!(
            "ALTER TABLE {table} ALTER user_id TYPE {user_id}, ALTER amount TYPE {amount}"
        ));
    }
    database
}

const LARGE: &str = "2,2703186189652095,9999999999.99,2024-01-01 00:00:00";

#[test]
fn wide_users_and_amounts_are_taken_where_both_tables_hold_them() {
    for (user_id, amount, row, reason) in [
        (["BIGINT"; 2], ["DECIMAL(12, 2)"; 2], LARGE, ""),
        (
            ["BIGINT"; 2],
            ["DECIMAL"; 2],
            "2,-9223372036854775808,-92233720368547758.07,2024-01-01 00:00:00",
            "",
        ),
        (["BIGINT", "INT"], ["DECIMAL(12, 2)"; 2], LARGE, "user_id_out_of_range"),
        (["BIGINT"; 2], ["DECIMAL(12, 2)", "DECIMAL(10, 2)"], LARGE, "amount_out_of_range"),
        (
            ["BIGINT"; 2],
            ["DECIMAL(12, 2)"; 2],
            "2,7,10000000000.00,2024-01-01 00:00:00",
            "amount_out_of_range",
        ),
        (["INT"; 2], ["DECIMAL(12, 2)"; 2], LARGE, "user_id_out_of_range"),
    ] {
        let (database, files) = (widened(user_id, amount), Files::new());
        let file = files.csv(&["1,7,5.00,2024-01-01 00:00:00", row]);
        let below = ["--set", "below=-1"];
        let summary =
            summary(host_run(&database, "threshold", &file).args(below).args(["--max-rejects", "1"]));
        let verified = finish(host().args(["verify", "1", "--database-url", &database.url()]).arg(&file));
        assert_eq!(verified.code, 0, "{}{}", verified.stdout, verified.stderr);
        if !reason.is_empty() {
            assert_eq!(
                summary["rejected_by_reason"],
                serde_json::json!({ reason: 1 }),
                "{user_id:?} {amount:?}"
            );
            continue;
        }
        let [_, user, value, _] = row.split(',').collect::<Vec<_>>()[..] else { panic!("{row}") };
        for table in ["transactions", "anomalies"] {
            let stored = format!("SELECT user_id, amount FROM {table} ORDER BY transaction_id DESC LIMIT 1");
            assert_eq!(database.rows(&stored), [[user, value]], "{table}");
        }
    }
}

#[test]
fn skipped_rows_are_as_wide() {
    let (database, files) = (widened(["BIGINT"; 2], ["DECIMAL(12, 2)"; 2]), Files::new());
    let file = files.csv(&[LARGE]);
    let keep = ["--ids", "keep", "--on-conflict", "skip"];
    for _ in 0..2 {
        succeed(host_run(&database, "threshold", &file).args(keep));
    }
    let skipped = succeed(host().args(["skipped", "2", "--database-url", &database.url()]));
    assert!(skipped.contains("9999999999.99"), "{skipped}");
    succeed(host().args(["verify", "2", "--database-url", &database.url()]).arg(&file));
}

/// What to do is said, and doing it helps.
#[test]
fn what_does_not_fit_names_the_column_and_what_to_do() {
    let (database, files) = (Database::migrated(), Files::new());
    let user = files.write(
        "user.csv",
        "transaction_id,user_id,amount,timestamp\n1,2703186189652095,5.00,2024-01-01 00:00:00\n",
    );
    let amount = files.write(
        "amount.csv",
        "transaction_id,user_id,amount,timestamp\n1,7,9999999999.99,2024-01-01 00:00:00\n",
    );
    for (name, file) in [("wide_user", user), ("wide_amount", amount)] {
        let refused = finish(&mut host_run(&database, "threshold", &file));
        assert_eq!(refused.code, 3);
        insta::assert_snapshot!(name, files.anonymous(&refused.stderr));
        let help = refused.stderr.lines().find(|line| line.starts_with("help: ")).unwrap();
        database.execute(help.split('`').find(|text| text.starts_with("ALTER ")).unwrap());
        succeed(&mut host_run(&database, "threshold", &file));
    }
}
