//! Amounts and sums that are in thousands in one country and have three decimals in another.

use std::path::Path;

use crate::support::{Database, Files, finish, host, host_run, succeed, summary};

const HEADER: &str = "transaction_id;user_id;amount;timestamp\n";

fn check(file: &Path, arguments: &[&str]) -> crate::support::Finished {
    finish(host().args(["check", "--plugin", "threshold", "--delimiter", ";"]).args(arguments).arg(file))
}

/// Neither of the two is guessed, and each can be asked for.
#[test]
fn an_amount_that_may_be_in_thousands_is_rejected() {
    let (database, files) = (Database::new(), Files::new());
    let file = |amount: &str| {
        files.write(
            "day.csv",
            format!("{HEADER}1;7;980;2024-01-01 00:00:00\n2;7;{amount};2024-01-01 00:00:00\n"),
        )
    };
    let mut told = String::new();
    for (amount, arguments) in [
        ("1.250", &[][..]),
        ("-12.000", &[]),
        ("1.234", &[]),
        ("1,250", &["--decimal-comma"]),
        ("1,250", &[]),
    ] {
        let refused = check(&file(amount), arguments);
        assert_eq!(refused.code, 3, "{amount} {arguments:?}: {}", refused.stderr);
        let rejected = files.anonymous(&format!("{}{}", refused.stdout, refused.stderr));
        told.push_str(&format!("$ {amount} {}\n{rejected}\n", arguments.join(" ")));
    }
    insta::assert_snapshot!(told);
    for (amount, arguments, total) in [
        ("1.250", &["--amount-format", "1.234,56"][..], "2230.00"),
        ("1.250", &["--amount-format", "1234.560"], "981.25"),
        ("1,250", &["--amount-format", "1,234.56"], "2230.00"),
        ("1,250", &["--amount-format", "1234,560"], "981.25"),
        // These are not in thousands.
        ("1.2500", &[], "981.25"),
        ("1234.500", &[], "2214.50"),
        ("0.500", &[], "980.50"),
        ("1,25", &["--decimal-comma"], "981.25"),
    ] {
        let checked = check(&file(amount), &[arguments, &["--expect-total", total]].concat());
        assert_eq!(checked.code, 0, "{amount} {arguments:?}: {}", checked.stderr);
    }
    let path = file("12.500");
    let mut run = host_run(&database, "threshold", &path);
    let run = summary(run.args(["--delimiter", ";", "--amount-format", "1,234.560"]));
    assert_eq!(run["reading"]["amount_format"], "1,234.560");
    assert_eq!(database.rows("SELECT amount FROM transactions ORDER BY 1"), [["12.50"], ["980.00"]]);
    succeed(host().args(["verify", "1", "--database-url", &database.url()]).arg(&path));
    // What an earlier host has ingested is recognised, although it read such amounts.
    database.execute("UPDATE ingest_runs SET reading = reading - 'rejects_three_decimals'");
    let mut again = host_run(&database, "threshold", &path);
    succeed(again.args(["--delimiter", ";", "--amount-format", "1,234.560", "--once=all"]));
    assert_eq!(database.counts().2, 1);
}

/// Sums are written like the amounts of the file, or plain.
#[test]
fn sums_are_understood_as_amounts_are() {
    let files = Files::new();
    let rows = "1;7;(1.250,00 €);2024-01-01 00:00:00\n2;7;12,50 €;2024-01-01 00:00:00\n";
    let format = ["--amount-format", "(1.234,56 €)"];
    let with_trailer = |total: &str| files.write("trailer.csv", format!("{HEADER}{rows}T;{total}\n"));
    for total in ["(1.237,50 €)", "(1.237,50)", "-1237,5"] {
        let checked = check(&with_trailer(total), &[&format[..], &["--trailer", "T;{total}"]].concat());
        assert_eq!(checked.code, 0, "{total}: {}", checked.stderr);
    }
    let file = files.write("day.csv", format!("{HEADER}{rows}"));
    for total in ["(1.237,50 €)", "(1.237,50)", "-1237,50", "-1237.50"] {
        let checked = check(&file, &[&format[..], &["--expect-total", total]].concat());
        assert_eq!(checked.code, 0, "{total}: {}", checked.stderr);
    }
    let mut told = String::new();
    for (code, total) in [(3, "(1.237,51 €)"), (3, "1.237"), (2, "1,237"), (2, "1.237,50 $"), (2, "--once")]
    {
        let refused = check(&file, &[&format[..], &["--expect-total", total]].concat());
        assert_eq!(refused.code, code, "{total}: {}", refused.stderr);
        told.push_str(&format!("$ {total}\n{}\n", files.anonymous(&refused.stderr)));
    }
    // Without a format, a sum in thousands may be something else.
    assert_eq!(check(&file, &["--expect-total", "1.250"]).code, 2);
    let refused = check(&with_trailer("1,237"), &[&format[..], &["--trailer", "T;{total}"]].concat());
    assert_eq!(refused.code, 3, "{}", refused.stderr);
    told.push_str(&files.anonymous(&refused.stderr));
    insta::assert_snapshot!(told);
}
