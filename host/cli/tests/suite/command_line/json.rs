//! `--format json`: every command, however it ends, prints lines that `schema/output.json` describes,
//! and the last one is its end.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::{Database, Files, finish, host, host_run, sample, succeed};

/// Why `value` is not what the schema says, if so. Knows the words that ours uses.
fn mismatch(root: &Value, schema: &Value, value: &Value) -> Option<String> {
    let rules = schema.as_object().expect("a schema is an object");
    for (word, rule) in rules {
        let wrong = match word.as_str() {
            "$ref" => {
                let name = rule.as_str().unwrap().trim_start_matches("#/$defs/");
                mismatch(root, &root["$defs"][name], value).map(|why| format!("{name}: {why}"))
            }
            "anyOf" => {
                let all: Option<Vec<String>> =
                    rule.as_array().unwrap().iter().map(|schema| mismatch(root, schema, value)).collect();
                all.map(|whys| format!("none of: {}", whys.join("; ")))
            }
            "type" => {
                let names: Vec<&str> = match rule {
                    Value::Array(names) => names.iter().map(|name| name.as_str().unwrap()).collect(),
                    name => vec![name.as_str().unwrap()],
                };
                let is = |name: &&str| match *name {
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "number" => value.is_number(),
                    "boolean" => value.is_boolean(),
                    "null" => value.is_null(),
                    "array" => value.is_array(),
                    "object" => value.is_object(),
                    other => panic!("type {other}"),
                };
                (!names.iter().any(is)).then(|| format!("{value} is not of type {names:?}"))
            }
            "const" => (value != rule).then(|| format!("{value} is not {rule}")),
            "enum" => {
                (!rule.as_array().unwrap().contains(value)).then(|| format!("{value} is not of {rule}"))
            }
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                (!matches(rule.as_str().unwrap(), text)).then(|| format!("`{text}` does not match {rule}"))
            }
            "required" => rule.as_array().unwrap().iter().find_map(|name| {
                value.get(name.as_str().unwrap()).is_none().then(|| format!("{name} is missing"))
            }),
            "properties" => value.as_object().into_iter().flatten().find_map(|(name, value)| {
                mismatch(root, rule.get(name)?, value).map(|why| format!("{name}: {why}"))
            }),
            "additionalProperties" => value.as_object().into_iter().flatten().find_map(|(name, value)| {
                let is_known = rules.get("properties").is_some_and(|known| known.get(name).is_some());
                match rule {
                    _ if is_known => None,
                    Value::Bool(true) => None,
                    Value::Bool(false) => Some(format!("`{name}` is not described")),
                    schema => mismatch(root, schema, value).map(|why| format!("{name}: {why}")),
                }
            }),
            "items" => value.as_array().into_iter().flatten().find_map(|item| mismatch(root, rule, item)),
            "$schema" | "$defs" | "title" | "description" => None,
            other => panic!("the schema uses `{other}`"),
        };
        if wrong.is_some() {
            return wrong;
        }
    }
    None
}

/// Patterns of literals, classes, and counts of classes; anchored at the start, at the end if they say so.
fn matches(pattern: &str, text: &str) -> bool {
    let (mut pattern, mut text) = (pattern.strip_prefix('^').expect("anchored"), text);
    while !pattern.is_empty() {
        if pattern == "$" {
            return text.is_empty();
        }
        let (class, rest) = match pattern.strip_prefix('[') {
            Some(class) => class.split_once(']').unwrap(),
            None => pattern.split_at(1),
        };
        let is_of = |c: char| {
            let members: Vec<char> = class.chars().collect();
            let is_range =
                |range: &[char]| range.len() == 3 && range[1] == '-' && (range[0]..=range[2]).contains(&c);
            members.contains(&c) || members.windows(3).any(is_range)
        };
        let (least, most, rest) = match rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) {
            Some((count, rest)) => (count.parse().unwrap(), count.parse().unwrap(), rest),
            None => rest.strip_prefix('*').map_or((1, 1, rest), |rest| (0, usize::MAX, rest)),
        };
        let count = text.chars().take_while(|&c| is_of(c)).take(most).count();
        if count < least {
            return false;
        }
        (pattern, text) = (rest, &text[count..]);
    }
    true
}

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../schema/output.json")).unwrap()
}

/// Runs a command with `--format json`; all that it prints fits the schema, and the last line is its
/// end, with its exit code.
pub fn lines(command: &mut Command) -> (Vec<Value>, Value) {
    let finished = finish(command.args(["--format", "json"]));
    let mut lines = described(&finished.stdout);
    let end = lines.pop().unwrap_or_else(|| panic!("{command:?} printed nothing: {}", finished.stderr));
    assert_eq!(end["exit_code"], finished.code, "{command:?}");
    assert!(lines.iter().all(|line| line.get("exit_code").is_none()), "{command:?}");
    (lines, end)
}

/// The lines of a JSON output, all of which fit the schema.
pub fn described(output: &str) -> Vec<Value> {
    let schema = schema();
    let one = |line: &str| {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(mismatch(&schema, &schema, &value), None, "{line}");
        value
    };
    output.lines().map(one).collect()
}

fn end(command: &mut Command) -> Value {
    let (records, end) = lines(command);
    assert_eq!(records, Vec::<Value>::new());
    end
}

#[test]
fn the_schema_refuses_what_it_does_not_describe() {
    let schema = schema();
    let wrong = [
        json!({}),
        json!({ "command": "db url", "exit_code": 0 }),
        json!({ "command": "db url", "exit_code": 0, "url": 7 }),
        json!({ "command": "db url", "exit_code": 0, "url": "x", "more": 1 }),
        json!({ "command": "runs", "exit_code": 9, "listed": 0, "not_shown": 0 }),
    ];
    for value in wrong {
        assert!(mismatch(&schema, &schema, &value).is_some(), "{value}");
    }
    let time = schema["$defs"]["time"]["pattern"].as_str().unwrap();
    assert!(matches(time, "2024-02-29T23:59:59.000000Z"));
    for text in ["2024-02-29 23:59:59+00", "2024-02-29T23:59:59Z", "2024-02-29T23:59:59.000000Z "] {
        assert!(!matches(time, text), "{text}");
    }
}

/// What a run says of itself is what the ledger says of it, field by field, whoever is asked.
#[test]
fn one_run_is_the_same_for_every_command() {
    let (database, files) = (Database::new(), Files::new());
    let url = database.url();
    let file = files.csv(&[
        "1,7,900.00,2024-01-02 00:00:00",
        "2,7,x,2024-01-01 00:00:00",
        "3,7,1.00,2023-12-31 23:59:59.5",
    ]);
    let rejects = files.path().join("bad.csv");
    let with = |arguments: &[&str]| {
        let mut run = host_run(&database, "threshold", &file);
        run.args(["--max-rejects", "1"]).args(arguments);
        run
    };
    let run = end(with(&["--rejects"]).arg(&rejects));
    assert_eq!(run["first_timestamp"], "2023-12-31T23:59:59.500000");
    assert_eq!(run["last_timestamp"], "2024-01-02T00:00:00.000000");
    assert_eq!(run["rejects"], rejects.to_str().unwrap());
    let (listed, runs) = lines(host().args(["runs", "--database-url", &url]));
    assert_eq!((&runs["listed"], &runs["not_shown"]), (&1.into(), &0.into()));
    let one = end(host().args(["runs", "1", "--database-url", &url]));
    let once = end(&mut with(&["--once"]));
    assert_eq!(once["already_ingested"], true);
    let verified = end(host().args(["verify", "1", "--database-url", &url]).arg(&file));
    assert_eq!(verified["is_reproduced"], true);
    for (name, value) in listed[0].as_object().unwrap() {
        for other in [&run, &one, &once, &verified] {
            assert_eq!(&other[name], value, "{name} in {other}");
        }
    }
    let (rejected, end_of_rejects) = lines(host().args(["rejects", "1", "--database-url", &url]));
    let (_, end_of_skipped) = lines(host().args(["skipped", "1", "--database-url", &url]));
    assert_eq!((&end_of_skipped["command"], &end_of_skipped["listed"]), (&"skipped".into(), &0.into()));
    let (_, end_of_replaced) = lines(host().args(["replaced", "1", "--database-url", &url]));
    assert_eq!((&end_of_replaced["command"], &end_of_replaced["listed"]), (&"replaced".into(), &0.into()));
    let status = end(host().args(["status", "--anomaly-change", "0%", "--database-url", &url]));
    assert_eq!((&status["is_as_expected"], &status["run"]), (&true.into(), &listed[0]));
    let (of_check, check) = lines(host().args(["check", "-p", "threshold", "--max-rejects", "1"]).arg(&file));
    assert_eq!(end_of_rejects["listed"], 1);
    for name in ["file", "line", "byte_offset", "column", "reason", "message", "raw"] {
        assert_eq!(rejected[0][name], of_check[0][name], "{name}");
    }
    for name in
        ["rows_read", "rows_written", "rows_rejected", "rejected_by_reason", "anomalies", "files", "plugin"]
    {
        assert_eq!(check[name], run[name], "{name}");
    }
    assert_eq!(check["would_commit"], true);
    assert_eq!(lines(host().args(["check", "-p", "threshold"]).arg(&file)).1["exit_code"], 3);

    let prune = end(host().args(["prune", "--rejects", "--run", "1", "--database-url", &url]));
    assert_eq!(prune["removed"], json!([{ "run_id": 1, "table": "rejected_rows", "rows": 1 }]));
    let pruned = end(host().args(["verify", "1", "--database-url", &url]).arg(&file));
    assert_eq!((&pruned["exit_code"], &pruned["pruned"][0]["rows"]), (&0.into(), &1.into()));
    let correction = files
        .write("correction.csv", "transaction_id,user_id,amount,timestamp\n1,7,800.00,2024-01-02 00:00:00\n");
    let mut replacing = host_run(&database, "threshold", &correction);
    let replacing = end(replacing.args(["--ids", "keep", "--on-conflict", "replace", "--source", "north"]));
    assert_eq!((&replacing["rows_replaced"], &replacing["rows_replaced_differing"]), (&1.into(), &1.into()));
    let by = replacing["run_id"].clone();
    let (replaced, _) = lines(host().args(["replaced", &by.to_string(), "--database-url", &url]));
    assert_eq!((&replaced[0]["amount"], &replaced[0]["written_by"]), (&"900.00".into(), &1.into()));
    let since = end(host().args(["verify", "1", "--database-url", &url]).arg(&file));
    assert_eq!(since["replaced_since"], json!([{ "run_id": by, "rows": 1 }]));
    let undo = ["undo", &by.to_string(), "--database-url", &url].map(str::to_owned);
    assert_eq!(lines(host().args(&undo)).1["error"]["kind"], "usage_nobody_to_ask");
    let undone = end(host().args(&undo).arg("--yes"));
    assert_eq!(undone["runs"][0]["transactions_put_back"], 1);
    assert_eq!(
        end(host().args(["runs", &by.to_string(), "--database-url", &url]))["undone_at"],
        undone["runs"][0]["undone_at"]
    );
    assert_eq!(
        end(host().args(["rejects", &by.to_string(), "--database-url", &url]))["undone_at"],
        undone["runs"][0]["undone_at"]
    );
    let again = lines(host().args(&undo).arg("--yes")).1;
    assert_eq!(
        (&again["error"]["kind"], &again["database"]),
        (&"undo_already_undone".into(), &"untouched".into())
    );

    database.execute("UPDATE transactions SET amount = 2 WHERE transaction_id = 2");
    let differs = end(host().args(["verify", "1", "--database-url", &url]).arg(&file));
    assert_eq!((&differs["exit_code"], &differs["difference_count"]), (&7.into(), &1.into()));
    assert_eq!(differs["error"]["kind"], "verify_differs");

    // As a detector that remembers would have left it.
    database.execute(
        "UPDATE ingest_runs SET state = 'north', state_entries = 0, state_sha256 = '' WHERE run_id = 1",
    );
    let (states, _) = lines(host().args(["state", "list", "--database-url", &url]));
    assert_eq!((&states[0]["state"], &states[0]["run_id"]), (&"north".into(), &1.into()));
    let shown = end(host().args(["state", "show", "north", "--database-url", &url]));
    assert_eq!((&shown["runs_shown"][0]["predecessor"], &shown["entries"]), (&Value::Null, &0.into()));
    let absent = end(host().args(["state", "show", "south", "--database-url", &url]));
    assert_eq!((&absent["exit_code"], &absent["error"]["kind"]), (&2.into(), &"usage_no_state".into()));
}

#[test]
fn every_other_command_ends_with_an_object_too() {
    let (database, files) = (Database::new(), Files::new());
    let url = database.url();
    let migrate = end(host().args(["migrate", "--database-url", &url]));
    assert!(migrate["newly_applied"].as_u64() >= Some(6));
    let status = end(host().args(["migrate", "--status", "--database-url", &url]));
    assert_eq!((&status["newly_applied"], &status["migrations"]), (&0.into(), &migrate["migrations"]));
    assert_eq!(end(host().args(["runs", "--database-url", &url]))["listed"], 0);
    let status = end(host().args(["status", "--max-age", "1h", "--database-url", &url]));
    assert_eq!((&status["exit_code"], &status["problems"][0]["kind"]), (&8.into(), &"no_run".into()));
    assert_eq!(end(host().args(["state", "list", "--database-url", &url]))["listed"], 0);
    let prune = end(host().args(["prune", "--rejects", "--older", "90d", "--database-url", &url]));
    assert_eq!((&prune["rows_removed"], &prune["is_dry_run"]), (&0.into(), &false.into()));
    for command in ["status", "url", "programs", "stop"] {
        let end = end(host().args(["db", command]).env("HOST_DATA_DIR", files.path()));
        assert_eq!(end["command"], format!("db {command}"));
    }
    let (of_files, sniffed) = lines(host().arg("sniff").arg(sample()));
    assert_eq!((of_files.len(), &sniffed["command"]), (1, &"sniff".into()));
    for command in ["show", "schema"] {
        assert_eq!(end(host().args(["config", command]))["command"], format!("config {command}"));
    }
    assert_eq!(end(host().args(["completions", "fish"]))["shell"], "fish");
    assert_eq!(end(host().arg("man").arg(files.path().join("man")))["command"], "man");
    let list = end(host().args(["plugin", "list"]));
    let threshold = list["plugins"].as_array().unwrap().iter().find(|plugin| plugin["name"] == "threshold");
    assert_eq!(threshold.unwrap()["version"], "0.1.0");
    for command in ["inspect", "check"] {
        assert_eq!(
            end(host().args(["plugin", command, "threshold"]))["command"],
            format!("plugin {command}")
        );
    }
    let new = end(host().current_dir(files.path()).args(["plugin", "new", "night-owls", "--lang", "c"]));
    assert_eq!(new["name"], "night-owls");
    let built = std::path::Path::new(env!("CARGO_BIN_EXE_host")).with_file_name("plugins/threshold.wasm");
    let added = end(host().args(["plugin", "add"]).arg(built).env("HOST_DATA_DIR", files.path()));
    assert_eq!(added["name"], "threshold");
    files.write(
        "case.csv",
        "transaction_id,user_id,amount,timestamp,expected_score\n1,7,1.00,2024-01-01 00:00:00,\n",
    );
    let test = end(host().args(["plugin", "test", "threshold", "--cases"]).arg(files.path()));
    assert_eq!(test["passed"], true);
}

/// The kinds of errors, where they are, what became of the database and what to do: for programs.
#[test]
fn every_failure_is_an_object() {
    let (database, files) = (Database::new(), Files::new());
    let url = database.url();
    let bad = files.csv(&["1,7,1.00,2024-01-01 00:00:00", "2,7,\"12,50\",2024-01-01 00:00:00"]);
    let empty = files.write("empty.csv", "");
    let column = files.write("column.csv", "transaction_id,user_id,ammount,timestamp\n");
    let run = |plugin: &str, file: &std::path::Path| host_run(&database, plugin, file);
    let elsewhere = |url: &str| {
        let mut runs = host();
        runs.args(["runs", "--database-url", url]);
        runs
    };
    let keep = files.write("keep.csv", "transaction_id,user_id,amount,timestamp\n1,7,1.00,2024-01-01 00:00:00\n1,7,1.00,2024-01-01 00:00:00\n");
    let mut ids = run("threshold", &keep);
    ids.args(["--ids", "keep"]);
    let mut setting = run("threshold", &sample());
    setting.args(["--set", "limit=x"]);
    let mut twice = run("threshold", &sample());
    twice.args(["--set", "limit"]);
    let mut flag = host();
    flag.args(["run", "--no-such-flag"]);
    let mut no_run = elsewhere(&url);
    no_run.arg("99");
    let mut empty_variable = host();
    empty_variable.args(["runs"]).env("DATABASE_URL", "");
    let mut commands = [
        run("threshold", &bad),
        run("threshold", &empty),
        run("threshold", &column),
        run("threshold", std::path::Path::new("absent.csv")),
        run("absent", &sample()),
        setting,
        twice,
        ids,
        flag,
        no_run,
        empty_variable,
        elsewhere("postgres://127.0.0.1:1/x"),
        elsewhere("postgres://127.0.0.1:x/x"),
    ];
    let told: Vec<String> = commands
        .iter_mut()
        .map(|command| {
            let end = end(command);
            let error = &end["error"];
            let place = ["file", "line", "column", "value"].map(|name| match &error[name] {
                Value::String(text) => files.anonymous(text),
                other => other.to_string(),
            });
            format!(
                "{} {} {} {} {} {}",
                end["exit_code"],
                error["kind"],
                error["retry"],
                end["database"],
                end.get("committed").unwrap_or(&Value::Null),
                place.join(" ")
            )
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"));
    assert_eq!(database.counts().0, 0);
    // A value that is as it was, for people and for programs.
    let hostile = files.path().join("a\x1b[31m\u{202e}\n\".csv");
    let end = end(&mut run("threshold", &hostile));
    assert_eq!(end["error"]["file"], hostile.to_str().unwrap());
}

#[test]
fn runs_are_found_by_time_file_and_plugin() {
    let (database, files) = (Database::new(), Files::new());
    let url = database.url();
    let day = |day: u8| {
        files.write(
            &format!("day{day}.csv"),
            format!("transaction_id,user_id,amount,timestamp\n{day},7,1.00,2024-01-01 00:00:00\n"),
        )
    };
    for file in [day(1), day(2), day(3)] {
        succeed(&mut host_run(&database, "threshold", &file));
    }
    succeed(host_run(&database, "zscore", &day(4)).arg(day(5)));
    database.execute("UPDATE ingest_runs SET committed_at = '2020-01-01 00:00:00+00' WHERE run_id <= 2");
    let runs = |arguments: &[&str]| {
        let (listed, end) = lines(host().args(["runs", "--database-url", &url]).args(arguments));
        let ids: Vec<i64> = listed.iter().map(|run| run["run_id"].as_i64().unwrap()).collect();
        (ids, end["not_shown"].as_u64().unwrap())
    };
    assert_eq!(runs(&[]), (vec![4, 3, 2, 1], 0));
    assert_eq!(runs(&["--limit", "1"]), (vec![4], 3));
    assert_eq!(runs(&["--since", "2020-01-01T00:00:00.000001Z"]), (vec![4, 3], 0));
    assert_eq!(runs(&["--since", "2019-12-31"]), (vec![4, 3, 2, 1], 0));
    assert_eq!(runs(&["--file", "day5"]), (vec![4], 0));
    assert_eq!(runs(&["--file", "day", "--plugin", "threshold", "--limit", "2"]), (vec![3, 2], 1));
    assert_eq!(runs(&["--plugin", "absent"]), (vec![], 0));
    let human = succeed(host().args(["runs", "--limit", "1", "--database-url", &url]));
    assert!(human.contains("day4.csv and 1 more\n"), "{human}");
    assert!(human.ends_with("and 3 earlier runs; see --limit\n"), "{human}");
    assert_eq!(
        succeed(host().args(["runs", "--plugin", "absent", "--database-url", &url])),
        "no such runs\n"
    );
    for refused in [["--limit", "0"], ["--since", "yesterday"]] {
        assert_eq!(end(host().args(["runs"]).args(refused))["exit_code"], 2);
    }
}
