//! Options that are kept in host.toml: they are those that could be typed, what is typed wins, and every mistake
//! is shown with its place.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::Value;

use crate::support::{Database, Files, Finished, finish, host, succeed, summary};

/// What a German bank exports.
const EXPORT: &str = "Nr;Kunde;Betrag;Zeit\n1;7;12,50;2024-01-01 00:00:00\n2;7;900,00;2024-01-02 00:00:00\n";
const PROFILE: &str = r#"# Everyday
[profile.my-bank]
plugin = "threshold"
delimiter = ";"
decimal-comma = true
column = { transaction_id = "Nr", user_id = "Kunde", amount = "Betrag", timestamp = "Zeit" }
set = { limit = 10 }
max-rejects = 3
"#;

/// `host` in this folder, with a configuration folder of its own.
fn host_in(files: &Files) -> Command {
    let mut command = host();
    command.current_dir(files.path()).env("XDG_CONFIG_HOME", files.path().join("config"));
    command
}

fn check(files: &Files, arguments: &[&str]) -> Finished {
    finish(host_in(files).args(["check", "day.csv"]).args(arguments))
}

fn bank() -> Files {
    let files = Files::new();
    files.write("day.csv", EXPORT);
    files.write("host.toml", PROFILE);
    files
}

/// All options, and where they come from, as `option=value origin:line`.
fn shown(files: &Files, arguments: &[&str]) -> Vec<String> {
    let printed = succeed(host_in(files).args(["config", "show", "--format", "json"]).args(arguments));
    let shown: Value = serde_json::from_str(&printed).unwrap();
    let line = |option: &Value| {
        let text = |name: &str| option[name].as_str().unwrap_or("").to_owned();
        let line = option["line"].as_u64().map_or(String::new(), |line| format!(":{line}"));
        format!("{}={} {}{line}", text("option"), text("value"), text("origin"))
    };
    shown["options"].as_array().unwrap().iter().map(line).filter(|line| !line.ends_with(" default")).collect()
}

#[test]
fn a_run_takes_its_options_from_a_profile() {
    let (database, files) = (Database::new(), bank());
    let mut run = host_in(&files);
    run.args(["run", "--profile", "my-bank", "day.csv", "--database-url", &database.url()]);
    let run = summary(&mut run);
    assert_eq!((&run["rows_written"], &run["anomalies"]), (&2.into(), &2.into()));
    assert_eq!(
        (&run["reading"]["delimiter"], &run["plugin"]["settings"]["limit"]),
        (&";".into(), &"10".into())
    );
    // The replay needs no profile: the ledger has what it says.
    succeed(host_in(&files).args(["verify", "1", "day.csv", "--database-url", &database.url()]));
    // Without `--profile`, nothing is read.
    files.write("host.toml", "nonsense");
    assert!(check(&files, &["--plugin", "threshold"]).stderr.contains("pass `--delimiter ';'`"));
}

/// What is typed wins over the profile, which wins over variables and defaults.
#[test]
fn what_is_typed_wins() {
    let files = bank();
    let in_profile = [
        "plugin=threshold profile:3",
        "set=limit=10 profile:7",
        "max-rejects=3 profile:8",
        "column=transaction_id=Nr profile:6",
        "column=user_id=Kunde profile:6",
        "column=amount=Betrag profile:6",
        "column=timestamp=Zeit profile:6",
        "delimiter=; profile:4",
        "decimal-comma= profile:5",
    ];
    let sorted = |mut lines: Vec<String>| {
        lines.sort();
        lines
    };
    let with = |changes: &[(&str, &str)]| {
        let mut lines: Vec<String> = in_profile.iter().map(|line| (*line).to_owned()).collect();
        for (from, to) in changes {
            lines.retain(|line| from.is_empty() || !line.starts_with(from));
            lines.extend((!to.is_empty()).then(|| (*to).to_owned()));
        }
        sorted(lines)
    };
    type Changes<'a> = &'a [(&'a str, &'a str)];
    let cases: [(&[&str], Changes<'_>); 7] = [
        (&[], &[]),
        (&["--delimiter", "tab"], &[("delimiter", "delimiter=tab command_line")]),
        (&["-p", "zscore"], &[("plugin", "plugin=zscore command_line")]),
        (&["--decimal-comma"], &[("decimal-comma", "decimal-comma= command_line")]),
        // Of pairs, each name by itself, in any case.
        (&["--set", "limit=5"], &[("set", "set=limit=5 command_line")]),
        (&["--set", "below=5"], &[("", "set=below=5 command_line")]),
        (&["--column", "Amount=Wert"], &[("column=amount", "column=Amount=Wert command_line")]),
    ];
    for (typed, changes) in cases {
        let arguments = [&["--profile", "my-bank"], typed].concat();
        assert_eq!(sorted(shown(&files, &arguments)), with(changes), "{typed:?}");
        // It does not matter on which side of it.
        let arguments = [typed, &["--profile=my-bank"]].concat();
        assert_eq!(sorted(shown(&files, &arguments)), with(changes), "{typed:?}");
    }
    files.write("host.toml", "[profile.p]\nengine = \"interpreter\"\n");
    let mut show = host_in(&files);
    show.args(["config", "show", "--profile", "p"]).env("HOST_ENGINE", "native");
    assert!(succeed(&mut show).contains("interpreter  host.toml:2:1\n"));
    let mut show = host_in(&files);
    let printed = succeed(show.args(["config", "show"]).env("HOST_ENGINE", "native"));
    assert!(printed.contains("environment HOST_ENGINE"), "{printed}");
}

#[test]
fn what_people_read() {
    let files = bank();
    let printed = succeed(host_in(&files).args(["config", "show", "--profile", "my-bank", "--jobs", "2"]));
    // Without what is not about this profile, and changes with every option that is added.
    let lines =
        printed.lines().filter(|line| !line.ends_with(" default") && !line.starts_with("without a value:"));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"));
}

/// The file that is named, else the one in the current folder, else the user's own; never two of them.
#[test]
fn which_file_it_is() {
    let files = Files::new();
    let write = |name: &str, delimiter: &str| {
        let path = files.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("[profile.p]\ndelimiter = \"{delimiter}\"\n")).unwrap();
    };
    let delimiter = |arguments: &[&str], variable: Option<&str>| {
        let mut show = host_in(&files);
        show.envs(variable.map(|file| ("HOST_CONFIG", file)));
        let printed = succeed(show.args(["config", "show", "--profile", "p"]).args(arguments));
        let line = printed.lines().find(|line| line.trim().starts_with("delimiter")).unwrap().to_owned();
        line.split_whitespace().nth(1).unwrap().to_owned()
    };
    let absent = finish(host_in(&files).args(["config", "show", "--profile", "p"]));
    insta::assert_snapshot!("no_file", files.anonymous(&absent.stderr));
    write("config/host/host.toml", "a");
    assert_eq!(delimiter(&[], None), "a");
    write("host.toml", "b");
    assert_eq!(delimiter(&[], None), "b");
    write("other/host.toml", "c");
    assert_eq!(delimiter(&[], Some("other/host.toml")), "c");
    write("named.toml", "d");
    assert_eq!(delimiter(&["--config", "named.toml"], Some("other/host.toml")), "d");
    let mut before = host_in(&files);
    before.args(["--config", "named.toml", "config", "show", "--profile", "p"]);
    assert!(succeed(&mut before).contains("named.toml:2:1"));
}

/// Paths are relative to the file's folder; the name of a plugin is not a path.
#[test]
fn paths_are_those_of_the_file() {
    let files = Files::new();
    fs::create_dir(files.path().join("etc")).unwrap();
    files.write(
        "etc/host.toml",
        "[profile.names]\nplugin = \"threshold\"\nrejects = \"bad.csv\"\ncapture = \"/tmp/cases\"\n\
         [profile.paths]\nplugin = \"./my.wasm\"\nrejects = \"../bad.csv\"\n",
    );
    let values = |profile: &str| {
        let lines = shown(&files, &["--config", "etc/host.toml", "--profile", profile]);
        let values = lines.iter().map(|line| line.split([' ', '=']).nth(1).unwrap().to_owned());
        values.collect::<Vec<String>>()
    };
    assert_eq!(values("names"), ["threshold", "etc/bad.csv", "/tmp/cases"]);
    assert_eq!(values("paths"), ["etc/./my.wasm", "etc/../bad.csv"]);
}

/// Every form in which a value may be written.
#[test]
fn forms_of_values() {
    let files = Files::new();
    let cases = [
        ("jobs = 4", vec!["jobs=4 profile:2"]),
        ("jobs = \"4\"", vec!["jobs=4 profile:2"]),
        ("once = true", vec!["once=file profile:2"]),
        ("once = \"all\"", vec!["once=all profile:2"]),
        ("once = false", vec![]),
        ("no-header = false", vec![]),
        ("strict = true", vec!["strict= profile:2"]),
        ("set = [\"a=1\", \"b=2\"]", vec!["set=a=1 profile:2", "set=b=2 profile:2"]),
        ("set.limit = 1.5\nset.is = true", vec!["set=limit=1.5 profile:2", "set=is=true profile:3"]),
        ("[profile.p.set]\n\"odd name\" = \"x=y\"", vec!["set=odd name=x=y profile:3"]),
        ("timestamp-format = '''%d.%m.%Y'''", vec!["timestamp-format=%d.%m.%Y profile:2"]),
        // A value that looks like an option is one all the same.
        ("database-url = \"--help\"", vec!["database-url=--help profile:2"]),
    ];
    for (text, expected) in cases {
        files.write("host.toml", format!("[profile.p]\n{text}\n"));
        assert_eq!(shown(&files, &["--profile", "p"]), expected, "{text}");
    }
}

#[test]
fn mistakes_have_a_place() {
    let files = bank();
    let cases: &[(&str, &str)] = &[
        ("syntax", "[profile.p]\ndelimiter = ;\n"),
        ("twice", "[profile.p]\njobs = 1\njobs = 2\n"),
        ("control_character", "[profile.p]\n# \u{0}x\n"),
        ("top_level", "[profiles.p]\njobs = 1\n"),
        ("no_table", "profile = 5\n"),
        ("profile_no_table", "[profile]\np = 5\n"),
        ("no_profile", "[profile.q]\n[profile.pp]\n"),
        ("no_profiles", ""),
        ("unknown_key", "[profile.p]\n  delimeter = \";\"\n"),
        ("unlike_any_key", "[profile.p]\ncolour = 1\n"),
        ("positional", "[profile.p]\nfiles = [\"x\"]\n"),
        ("of_all_commands", "[profile.p]\nformat = \"json\"\n"),
        ("recursion", "[profile.p]\nprofile = \"p\"\n"),
        ("value", "[profile.p]\njobs = 1\ndelimiter = \";;\"\n"),
        ("value_not_of_list", "[profile.p]\nids = \"kept\"\n"),
        ("number", "[profile.p]\njobs = 99\n"),
        ("switch", "[profile.p]\nno-header = 1\n"),
        ("truth", "[profile.p]\njobs = true\n"),
        ("list", "[profile.p]\njobs = [1]\n"),
        ("table", "[profile.p]\njobs = { a = 1 }\n"),
        ("date", "[profile.p]\njobs = 2024-01-01\n"),
        ("pair", "[profile.p]\nset = 5\n"),
        ("list_in_pair", "[profile.p]\nset = { a = 1, limit = [1] }\n"),
        // Found after clap has read it.
        ("later", "[profile.p]\nset = [\"limit\"]\n"),
        ("escapes", "[profile.p]\n\"a\\u001b[31m\" = 1\n"),
    ];
    for (name, text) in cases {
        files.write("host.toml", text);
        let refused = check(&files, &["--profile", "p", "--plugin", "threshold"]);
        assert_eq!((refused.code, refused.stdout.as_str()), (2, ""), "{name}: {}", refused.stderr);
        insta::assert_snapshot!(format!("profile_{name}"), files.anonymous(&refused.stderr));
    }
    fs::write(files.path().join("host.toml"), b"[profile.p]\n# \xff\n").unwrap();
    assert!(
        check(&files, &["--profile", "p"]).stderr.starts_with("error: host.toml:2:3: this is not UTF-8\n")
    );
    files.write("host.toml", "#".repeat(1024 * 1024 + 1));
    assert!(check(&files, &["--profile", "p"]).stderr.contains("is longer than 1048576 bytes"));
    for (name, code) in [("absent.toml", 3), ("/dev/zero", 2), (".", 3)] {
        let refused = check(&files, &["--profile", "p", "--config", name]);
        assert_eq!(refused.code, code, "{name}: {}", refused.stderr);
    }
}

/// Also where it is refused together with what was typed.
#[test]
fn programs_are_told_the_place() {
    let files = bank();
    files.write("host.toml", "[profile.p]\n\ncapture-lines = \"x\"\n");
    let mut run = host_in(&files);
    run.args(["run", "--profile", "p", "day.csv", "--format", "json"]);
    let refused = finish(&mut run);
    let end: Value = serde_json::from_str(&refused.stdout).unwrap();
    assert_eq!((&end["exit_code"], &end["error"]["kind"]), (&2.into(), &"profile_refused".into()));
    assert_eq!((&end["error"]["file"], &end["error"]["line"]), (&"host.toml".into(), &3.into()));
}

/// A command takes from a profile what it has: what is for `watch` alone does not disturb `check`, and what `watch`
/// refuses is left to `run`.
#[test]
fn each_command_takes_what_it_has() {
    let files = bank();
    let watch = |settings: &str| {
        files.write("host.toml", format!("{PROFILE}{settings}\n"));
        finish(host_in(&files).args(["watch", "--profile", "my-bank", "absent"]))
    };
    let refused = watch("settle = \"x\"");
    assert!(
        refused.stderr.starts_with("error: host.toml:9:1: `settle`: invalid value 'x'"),
        "{}",
        refused.stderr
    );
    assert_eq!(check(&files, &["--profile", "my-bank"]).code, 0);
    let taken = watch("settle = \"1s\"\nrejects = \"bad.csv\"");
    assert!(taken.stderr.contains("absent") && !taken.stderr.contains("rejects"), "{}", taken.stderr);
}

/// A help and what else is asked for instead of a run needs no profile; other options of this name are no profiles.
#[test]
fn where_it_is_not_meant() {
    let files = Files::new();
    assert!(succeed(host_in(&files).args(["run", "--profile", "p", "--help"])).contains("--profile <NAME>"));
    let missing = check(&files, &["--profile"]);
    assert!(missing.stderr.contains("a value is required for '--profile <NAME>'"), "{}", missing.stderr);
    let bench = finish(host_in(&files).args(["plugin", "bench", "absent", "--profile", "x.json"]));
    assert!(bench.stderr.contains("no plugin `absent`"), "{}", bench.stderr);
    let file = finish(host_in(&files).args(["check", "-p", "threshold", "--", "--profile"]));
    assert!(file.stderr.contains("could not open `--profile`"), "{}", file.stderr);
}

#[test]
fn a_password_is_not_shown_and_others_may_not_read_it() {
    let files = bank();
    let urls = ["postgres://me:S3cret@127.0.0.1:1/x", "host=127.0.0.1 port=1 password=S3cret"];
    for url in urls {
        let path = files.write("host.toml", format!("[profile.p]\ndatabase-url = \"{url}\"\n"));
        for (mode, is_warned) in [(0o644, true), (0o640, true), (0o600, false)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let mut run = host_in(&files);
            let run = finish(run.args(["run", "--profile", "p", "-p", "threshold", "day.csv"]));
            assert_eq!(run.stderr.contains("chmod go= host.toml"), is_warned, "{mode:o}: {}", run.stderr);
            let show = finish(host_in(&files).args(["config", "show", "--profile", "p"]));
            for text in [run.stderr, run.stdout, show.stdout, show.stderr] {
                assert!(!text.contains("S3cret"), "{text}");
            }
        }
    }
    let mut show = host_in(&files);
    show.args(["config", "show"]).env("DATABASE_URL", urls[0]);
    let printed = succeed(&mut show);
    assert!(
        printed.contains("postgres://me:…@127.0.0.1:1/x") && printed.contains("DATABASE_URL"),
        "{printed}"
    );
}

/// It names every option of a run, and none that a profile may not have.
#[test]
fn editors_know_every_option() {
    let schema: Value = serde_json::from_str(&succeed(host().args(["config", "schema"]))).unwrap();
    let known = schema["definitions"]["profile"]["properties"].as_object().unwrap();
    let helps = ["run", "check", "watch"].map(|command| succeed(host().args([command, "--help"])));
    let help = helps.concat();
    let options: Vec<&str> =
        help.lines().filter_map(|line| line.split_once("--")?.1.split(['=', ' ', '[', '<']).next()).collect();
    for name in known.keys() {
        assert!(options.contains(&name.as_str()), "{name}");
    }
    for name in ["plugin", "set", "column", "delimiter", "database-url", "once", "max-rejects", "deadline"] {
        assert!(known.contains_key(name), "{name}");
    }
    for name in ["profile", "config", "format", "verbose", "help"] {
        assert!(!known.contains_key(name), "{name}");
    }
    assert_eq!(known["decimal-comma"]["type"], "boolean");
    assert_eq!(known["ids"]["enum"], serde_json::json!(["assign", "keep"]));
    assert_eq!(known["jobs"]["type"][0], "integer");
    assert!(known["once"]["anyOf"][1]["enum"].as_array().unwrap().contains(&"all".into()));
    assert!(known["delimiter"]["description"].as_str().unwrap().contains("separates fields"));
}
