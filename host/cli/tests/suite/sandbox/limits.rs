//! Every attack on the sandbox: what stops it, what the operator sees, and that nothing of the
//! run is in the database. SANDBOX.md has the same as a table.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use host_core::batch::{Batch, Row};
use host_core::text::is_unprintable;
use host_detector::{Cache, Call, Detector, DetectorError, Limits, Requirements, TransferLimit, load};

use crate::sandbox::forged;
use crate::support::{self, Database, Files, finish, host, host_run, plugin, sample, summary};

const MIB: usize = 1 << 20;
/// Of every batch that a guest is given here.
const ROWS: usize = 100;
const BATCHES: u64 = 3;

/// Plenty for an honest guest, and soon used up by the others. The deadline is for those whose
/// crime is not that they take for ever: on a busy machine it must not come first.
fn tight() -> Limits {
    Limits {
        call_deadline: Duration::from_secs(60),
        memory_bytes: 32 * MIB,
        transfer_bytes: 4 * MIB,
        ..Limits::default()
    }
}

/// The flags of [`tight`] but the deadline.
const TIGHT: [&str; 4] = ["--memory-limit", "32MiB", "--transfer-limit", "4MiB"];

/// A run of a plugin by the library.
fn run(plugin: &Path, mode: Option<&str>, limits: &Limits) -> Result<Detector, DetectorError> {
    let sandbox = support::sandbox(limits.clone(), Requirements::default(), Cache::of_user())?;
    let mut detector = Detector::start(&load(&sandbox, plugin)?)?;
    let settings: Vec<_> = mode.iter().map(|mode| ("mode".to_owned(), (*mode).to_owned())).collect();
    detector.configure(&settings)?;
    for i in 0..BATCHES {
        detector.classify(&batch(i * ROWS as u64))?;
    }
    detector.finish()?;
    Ok(detector)
}

fn batch(first_row: u64) -> Batch {
    let mut batch = Batch { first_row, ..Batch::default() };
    for line in first_row + 2..first_row + 2 + ROWS as u64 {
        batch.push(Row { transaction_id: Some(1), user_id: 7, amount_cents: 100, timestamp_micros: 0, line });
    }
    batch
}

/// The variant's name.
fn kind(error: &DetectorError) -> String {
    let debug = format!("{error:?}");
    debug.split([' ', '{', '(']).next().unwrap().to_owned()
}

/// By the library: the error's type. By the command line: exit code 4, no row, no ledger row, and
/// no byte that a terminal would obey.
fn attack(database: &Database, csv: &Path, plugin: &Path, mode: Option<&str>, expected: &str) {
    let name = mode.unwrap_or_else(|| plugin.file_name().unwrap().to_str().unwrap());
    let (deadline, deadline_flag) = match expected {
        "Deadline" => (Duration::from_millis(100), "100ms"),
        _ => (tight().call_deadline, "60s"),
    };
    match run(plugin, mode, &Limits { call_deadline: deadline, ..tight() }) {
        Ok(_) => panic!("{name} came through"),
        Err(error) => assert_eq!(kind(&error), expected, "{name}: {error:?}"),
    }
    let mut command = host_run(database, plugin.to_str().unwrap(), csv);
    command.args(TIGHT).args(["--deadline", deadline_flag, "--batch-rows", &ROWS.to_string()]);
    command.args(mode.map(|mode| format!("--set=mode={mode}")));
    let finished = finish(&mut command);
    assert_eq!((finished.code, finished.stdout.as_str()), (4, ""), "{name}: {}", finished.stderr);
    assert_eq!(database.counts(), (0, 0, 0), "{name}");
    let obeyed = finished.stderr.chars().find(|&character| character != '\n' && is_unprintable(character));
    assert_eq!(obeyed, None, "{name}: {}", finished.stderr);
    assert!(finished.stderr.len() < 8_000, "{name}: {} bytes of message", finished.stderr.len());
}

fn csv(files: &Files) -> PathBuf {
    let lines = vec!["1,7,1.00,2024-01-01 00:00:00"; ROWS * BATCHES as usize];
    files.csv(&lines)
}

#[test]
fn misbehaviour_that_rust_can_express() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    let cases = [
        ("loop", "Deadline"),
        ("loop-in-configure", "Deadline"),
        ("loop-in-finish", "Deadline"),
        ("panic", "Trap"),
        ("panic-in-configure", "Trap"),
        ("panic-in-second-batch", "Trap"),
        ("panic-in-finish", "Trap"),
        ("abort", "Trap"),
        ("exit", "Trap"),
        ("recursion", "Trap"),
        ("internal", "Guest"),
        ("invalid-input", "Guest"),
        ("error-in-finish", "Guest"),
        ("memory-bomb", "Memory"),
        ("leak", "Memory"),
        ("giant-list", "Memory"),
        ("giant-string", "Memory"),
        ("large-string", "Transfer"),
        ("many-anomalies", "Violation"),
        ("long-reason", "Violation"),
        ("out-of-range", "Violation"),
        ("unsorted", "Violation"),
        ("duplicate", "Violation"),
        ("nan", "Violation"),
        ("infinite", "Violation"),
        ("nul", "Violation"),
        ("escapes", "Violation"),
    ];
    for (mode, expected) in cases {
        attack(&database, &csv, &plugin("hostile.wasm"), Some(mode), expected);
    }
}

#[test]
fn misbehaviour_with_wasi() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    for (mode, expected) in
        [("exit", "Trap"), ("abort", "Trap"), ("panic", "Trap"), ("busy-clock", "Deadline")]
    {
        attack(&database, &csv, &plugin("hostile-wasi.wasm"), Some(mode), expected);
    }
}

/// Modules that no compiler would write.
#[test]
fn misbehaviour_that_must_be_forged() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    for (name, module, expected) in forged::attacks() {
        let file = files.write(&format!("{name}.wasm"), module);
        attack(&database, &csv, &file, None, expected);
    }
}

/// The forger's own honesty: without an attack, the module is a plugin.
#[test]
fn a_forged_plugin_without_an_attack_is_a_plugin() {
    let files = Files::new();
    let file = files.write("honest.wasm", forged::honest());
    let detector = run(&file, None, &tight()).unwrap();
    assert_eq!(detector.metadata.name, "forged");
}

#[test]
fn a_plugin_for_a_later_patch_of_the_contract_runs() {
    let files = Files::new();
    let file = files.write("later.wasm", forged::later_patch());
    run(&file, None, &tight()).unwrap();
}

/// What a guest asks of the system is refused or empty, and the run goes on.
#[test]
fn nothing_of_the_system_is_to_be_had() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    let cases = [
        ("open-file", "refused: NotFound"),
        ("write-file", "refused: NotFound"),
        ("list-folder", "refused: NotFound"),
        ("connect", "refused: PermissionDenied"),
        ("listen", "refused: PermissionDenied"),
        ("resolve", "refused: Uncategorized"),
        ("environment", "0 variables, 0 arguments"),
        ("read-stdin", r#"got """#),
    ];
    for (mode, reason) in cases {
        let mut run = host_run(&database, "hostile-wasi", &csv);
        let run_id = summary(run.args(["--set", &format!("mode={mode}")]))["run_id"].to_string();
        let reasons =
            database.rows(&format!("SELECT DISTINCT reason FROM anomalies WHERE run_id = {run_id}"));
        assert_eq!(reasons, [[reason]], "{mode}");
    }
    // An hour's sleep takes no time.
    summary(host_run(&database, "hostile-wasi", &csv).args(["--set", "mode=sleep", "--deadline", "1m"]));
}

/// Clocks and random numbers are the same every time.
#[test]
fn a_run_is_deterministic() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    let reasons = || {
        let mut run = host_run(&database, "hostile-wasi", &csv);
        let run_id = summary(run.args(["--set", "mode=entropy", "--batch-rows", "50"]))["run_id"].to_string();
        database.rows(&format!(
            "SELECT score, reason FROM anomalies WHERE run_id = {run_id} ORDER BY transaction_id"
        ))
    };
    let first = reasons();
    assert_eq!(first.len(), 6);
    assert_ne!(first[0], first[1], "the random numbers go on from batch to batch");
    assert_eq!(reasons(), first);
}

#[test]
fn the_limits_of_a_whole_run() {
    let limits = Limits { run_deadline: Some(Duration::from_millis(50)), ..tight() };
    let error = run(&plugin("hostile.wasm"), Some("loop"), &limits).err().unwrap();
    assert_eq!(kind(&error), "RunDeadline");

    let fuel = |mode, fuel| {
        run(&plugin("hostile.wasm"), Some(mode), &Limits { fuel: Some(fuel), ..Limits::default() })
    };
    let error = fuel("loop", 1_000_000).err().unwrap();
    assert!(
        matches!(error, DetectorError::Fuel { call: Call::Classify { .. }, fuel: 1_000_000, .. }),
        "{error:?}"
    );
    // The same work takes the same fuel, and exactly that is enough.
    let used = fuel("none", 1_000_000).unwrap().used_fuel().unwrap();
    assert_eq!(fuel("none", 10_000_000).unwrap().used_fuel(), Some(used));
    assert!(fuel("none", used).is_ok());
    assert!(matches!(fuel("none", used / 2), Err(DetectorError::Fuel { .. })));
    assert_eq!(run(&plugin("hostile.wasm"), None, &tight()).unwrap().used_fuel(), None);

    let limits = Limits { batch_anomalies: 0, ..tight() };
    let error = run(&plugin("hostile-wasi.wasm"), Some("entropy"), &limits).err().unwrap();
    assert_eq!(kind(&error), "Violation");
}

#[test]
fn a_flood_in_the_log_is_cut_and_counted() {
    let (database, files) = (Database::new(), Files::new());
    for (plugin, mode) in [("hostile", "log-flood"), ("hostile-wasi", "print-flood")] {
        let mut run = host_run(&database, plugin, &files.csv(&["1,7,1.00,2024-01-01 00:00:00"]));
        let finished = finish(run.args(["--set", &format!("mode={mode}"), "--log-lines", "5", "-v"]));
        assert_eq!(finished.code, 0, "{}", finished.stderr);
        assert_eq!(finished.stderr.matches("spam").count(), 5 * 100, "{mode}");
        assert!(finished.stdout.contains("dropped 19,995 lines of the plugin's log"), "{}", finished.stdout);
        assert!(!finished.stderr.contains('\x1b'), "{mode}");
    }
}

#[test]
fn what_the_guest_used_is_in_the_summary() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    let without_limit = summary(&mut host_run(&database, "threshold", &csv));
    assert_eq!(without_limit["plugin_fuel"], serde_json::Value::Null);
    let with_limit = || {
        summary(host_run(&database, "threshold", &csv).args(["--fuel", "100000000"]))["plugin_fuel"].clone()
    };
    let fuel = with_limit();
    assert!(fuel.as_u64().is_some_and(|used| used > 1_000), "{fuel}");
    assert_eq!(with_limit(), fuel);
    let memory = without_limit["plugin_memory_bytes"].as_u64().unwrap();
    assert!((1 << 20..8 << 20).contains(&memory), "{memory}");
}

/// Half a million globals: eight megabytes that no memory shows.
#[test]
fn the_state_of_instances_is_memory() {
    let files = Files::new();
    let file =
        files.write("globals.wasm", forged::with_fields(&"(global i64 (i64.const 7))".repeat(500_000)));
    let error = run(&file, None, &Limits { memory_bytes: 8 * MIB, ..tight() }).err().unwrap();
    assert!(matches!(error, DetectorError::Memory { call: Call::Start, .. }), "{error:?}");
    let detector = run(&file, None, &tight()).unwrap();
    assert!(detector.peak_memory_bytes() > 500_000 * 16 + (64 << 16));
}

/// Kind by kind: how many there are, and what each of them is in memory, in bytes, or more.
#[test]
fn every_kind_of_state_counts() {
    let files = Files::new();
    let run_with = |plugin: &[u8], limits: &Limits| run(&files.write("p.wasm", plugin), None, limits);
    // Where nothing is allowed, the error says what it would have had.
    let asked_bytes = |plugin: &[u8]| match run_with(plugin, &Limits { memory_bytes: 0, ..tight() }).err() {
        Some(DetectorError::Memory { call: Call::Start, asked_bytes, .. }) => asked_bytes,
        error => panic!("{error:?}"),
    };
    let fields = |field: &str, count: usize| forged::with_fields(&field.repeat(count));
    let segment = |kind: &str| format!("(func $f) (elem {kind} {})", "$f ".repeat(1_000));
    let module = |field: &str| format!("(core module $m {})", field.repeat(1_000));
    let instances = |count| "(core instance (instantiate $m))".repeat(count);
    let globals = module("(global i64 (i64.const 7))");
    let cases = [
        ("globals", fields("(global i64 (i64.const 7))", 1_000), 1_000, 16),
        ("functions", fields("(func)", 1_000), 1_000, 40),
        ("tables", fields("(table 0 funcref)", 50), 50, 64),
        ("memories", fields("(memory 0)", 15), 15, 64),
        ("data segments", fields("(data \"\")", 1_000), 1_000, 1),
        ("element segments", fields("(elem func)", 1_000), 1_000, 64),
        ("elements that wait for their use", forged::with_fields(&segment("func")), 1_000, 16),
        (
            "instances",
            forged::with_components(&[(&format!("(core module $m) {}", instances(40)), 1)]),
            40,
            1_024,
        ),
        (
            "instances of a module",
            forged::with_components(&[(&format!("{globals} {}", instances(40)), 1)]),
            40,
            1_000 * 16,
        ),
        (
            "instances of a component",
            forged::with_components(&[(&format!("{globals} {}", instances(1)), 40)]),
            40,
            1_000 * 16,
        ),
        (
            "instances of several components",
            forged::with_components(&[("", 1), (&format!("{globals} {}", instances(2)), 20)]),
            40,
            1_000 * 16,
        ),
    ];
    let honest_bytes = asked_bytes(&forged::honest());
    let counts = |(_, plugin, count, bytes): &&(&str, Vec<u8>, usize, usize)| {
        asked_bytes(plugin) >= honest_bytes + count * bytes
    };
    let missed: Vec<&str> = cases.iter().filter(|case| !counts(case)).map(|case| case.0).collect();
    assert_eq!(missed, [""; 0]);
    // All of them are plugins.
    for (kind, plugin, ..) in &cases {
        run_with(plugin, &tight()).unwrap_or_else(|error| panic!("{kind}: {error:?}"));
    }
}

/// What it passes to the host is its memory, too; a function of the host is given no more than it can look at in
/// no time, and no answer is looked at that is longer than a right one can be.
#[test]
fn what_a_guest_passes_is_bounded() {
    let files = Files::new();
    let run_with = |plugin: &[u8], memory_bytes, transfer_bytes| {
        let limits = Limits { memory_bytes, transfer_bytes, ..tight() };
        run(&files.write("p.wasm", plugin), None, &limits)
    };
    run_with(&forged::logs(64, 3 << 20), 32 * MIB, 64 * MIB).unwrap();
    // 64 pages are 4 MiB, and 1 MiB is the stack: of 6 MiB not even 1 is left.
    let memory = TransferLimit::Memory { allowed_bytes: 6 * MIB };
    for (plugin, memory_bytes, transfer_bytes, limit, option) in [
        (forged::logs(128, 5 << 20), 32 * MIB, 64 * MIB, TransferLimit::HostFunction, "whatever the options"),
        (forged::logs(64, 3 << 20), 6 * MIB, 64 * MIB, memory, "`--memory-limit 12MiB`"),
        (forged::logs(64, 3 << 20), 32 * MIB, MIB, TransferLimit::Setting, "`--transfer-limit 2048KiB`"),
        (
            forged::answers_with_anomalies(500_000),
            256 * MIB,
            64 * MIB,
            TransferLimit::Answer,
            "no option allows it",
        ),
        (
            forged::describes_settings(200_000),
            256 * MIB,
            64 * MIB,
            TransferLimit::Answer,
            "no option allows it",
        ),
    ] {
        let error = run_with(&plugin, memory_bytes, transfer_bytes).err().unwrap();
        let DetectorError::Transfer { allowed_bytes, because, .. } = &error else { panic!("{error:?}") };
        assert!(*allowed_bytes <= 4 * MIB && *because == limit, "{error:?}");
        assert!(error.help().unwrap().contains(option), "{:?}", error.help());
    }
}

/// Ten megabytes: every row anomalous, with the longest reason that there may be.
#[test]
fn the_longest_right_answer_is_taken() {
    const ROWS: u64 = 10_000;
    let sandbox = support::sandbox(Limits::default(), Requirements::default(), Cache::of_user()).unwrap();
    let talkative = support::test_plugins().join("talkative.wasm");
    let mut detector = Detector::start(&load(&sandbox, &talkative).unwrap()).unwrap();
    detector.configure(&[("reason-bytes".to_owned(), "1000".to_owned())]).unwrap();
    let mut batch = Batch::default();
    for line in 2..ROWS + 2 {
        batch.push(Row { transaction_id: Some(1), user_id: 7, amount_cents: 100, timestamp_micros: 0, line });
    }
    assert_eq!(detector.classify(&batch).unwrap().len() as u64, ROWS);
}

#[test]
fn a_compiler_that_takes_too_long_is_not_waited_for() {
    let limits = Limits { compile_deadline: Duration::from_nanos(1), ..Limits::default() };
    let sandbox = support::sandbox(limits, Requirements::default(), Cache::none()).unwrap();
    let error = load(&sandbox, &plugin("hostile.wasm")).err().unwrap();
    assert!(matches!(error, DetectorError::CompileDeadline { .. }), "{error:?}");
}

/// A file far larger than any plugin is refused without being read whole.
#[test]
fn a_plugin_file_of_200_mb_is_refused() {
    let (database, files) = (Database::new(), Files::new());
    let file = files.path().join("large.wasm");
    std::fs::File::create(&file).unwrap().set_len(200_000_000).unwrap();
    let finished = finish(&mut host_run(&database, file.to_str().unwrap(), &csv(&files)));
    assert_eq!(finished.code, 4);
    insta::assert_snapshot!(files.anonymous(&finished.stderr));
}

/// A guest that has crashed stays down, and takes nothing else with it.
#[test]
fn after_a_crash_the_instance_is_dead_and_others_live() {
    let sandbox = support::sandbox(tight(), Requirements::default(), Cache::of_user()).unwrap();
    let plugin = load(&sandbox, &plugin("hostile.wasm")).unwrap();
    let start = |mode: &str| {
        let mut detector = Detector::start(&plugin).unwrap();
        detector.configure(&[("mode".into(), mode.into())]).unwrap();
        detector
    };
    let (mut crashing, mut other) = (start("panic"), start("none"));
    assert!(crashing.classify(&batch(0)).is_err());
    assert!(matches!(crashing.classify(&batch(100)), Err(DetectorError::Trap { .. })));
    assert!(matches!(crashing.finish(), Err(DetectorError::Trap { .. })));
    assert_eq!(other.classify(&batch(0)).unwrap(), []);
}

#[test]
fn strict_takes_no_wasi_and_a_pin_takes_no_other_bytes() {
    let files = Files::new();
    let load_with = |name: &str, requirements: Requirements| {
        let sandbox =
            support::sandbox(Limits::default(), requirements, Cache::in_folder(&files.path().join("cache")))?;
        load(&sandbox, &plugin(name))
    };
    let strict = || Requirements { strict: true, sha256: None };
    assert!(load_with("threshold.wasm", strict()).is_ok());
    assert!(load_with("threshold-wasi.wasm", Requirements::default()).is_ok());
    match load_with("threshold-wasi.wasm", strict()) {
        Err(DetectorError::NotStrict { imports, .. }) => {
            assert!(imports.iter().all(|import| import.starts_with("wasi:")), "{imports:?}");
        }
        other => panic!("{:?}", other.err()),
    }

    let digest = |name: &str| host_core::digest::Sha256Digest::of(&std::fs::read(plugin(name)).unwrap());
    let pin = |name: &str| Requirements { strict: false, sha256: Some(digest(name)) };
    assert_eq!(load_with("threshold.wasm", pin("threshold.wasm")).unwrap().sha256, digest("threshold.wasm"));
    // Also where the cache has both.
    let other = load_with("zscore.wasm", pin("threshold.wasm"));
    assert!(matches!(other, Err(DetectorError::OtherBytes { found, .. }) if found == digest("zscore.wasm")));
}

/// Ten hosts that compile the same plugin into the same new cache at the same moment.
#[test]
fn hosts_share_a_cache() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    let children: Vec<_> = (0..10)
        .map(|_| {
            let mut run = host_run(&database, "threshold", &csv);
            run.env("XDG_CACHE_HOME", files.path()).stdout(std::process::Stdio::null()).spawn().unwrap()
        })
        .collect();
    for child in children {
        assert!(child.wait_with_output().unwrap().status.success());
    }
    let kept: Vec<_> = std::fs::read_dir(files.path().join("host/compiled")).unwrap().collect();
    assert_eq!(kept.len(), 1, "one compiled plugin, and no half-written file");
}

#[test]
fn limits_that_make_no_sense_are_usage_errors() {
    let (database, files) = (Database::new(), Files::new());
    let csv = csv(&files);
    for arguments in [
        ["--deadline", "0s"],
        ["--deadline", "soon"],
        ["--run-deadline", "-1s"],
        ["--memory-limit", "much"],
        ["--stack-limit", "1GiB"],
        ["--compile-memory-limit", "1MiB"],
        ["--fuel", "0"],
        ["--plugin-sha256", "abc"],
        ["--batch-rows", "0"],
        ["--batch-rows", "65537"],
    ] {
        let finished = finish(host_run(&database, "threshold", &csv).args(arguments));
        assert_eq!(finished.code, 2, "{arguments:?}: {}", finished.stderr);
    }
}

/// `host check` by way of another program, which limits it; what it says at the end.
fn limited(by: &[&str], arguments: &[&str]) -> (i32, serde_json::Value) {
    let plain = host();
    let mut command = Command::new(by[0]);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.args(&by[1..]).arg(plain.get_program()).args(["check", "--format", "json"]);
    let finished = finish(command.args(arguments).arg(sample()));
    let end = finished.stdout.lines().last().unwrap_or_else(|| panic!("{finished:?}"));
    (finished.code, serde_json::from_str(end).unwrap())
}

/// The system's limits are told as the system's.
#[test]
fn a_plugin_is_not_blamed_for_too_little_address_space() {
    let by = ["prlimit", "--as=1000000000"];
    assert_eq!(limited(&by, &["--plugin", "threshold"]).0, 0);
    // Not even four instances that may have little take address space as if they might have much.
    assert_eq!(limited(&by, &["--plugin", "zscore", "--jobs", "4", "--memory-limit", "16MiB"]).0, 0);
    // What the host would allow it, the system does not.
    let mut bomb = vec!["--plugin", "hostile", "--set", "mode=memory-bomb"];
    bomb.extend(["--memory-limit", "3GiB", "--deadline", "5m"]);
    let (code, end) = limited(&by, &bomb);
    assert_eq!((code, &end["error"]["kind"]), (4, &"plugin_system".into()), "{end}");
    assert!(end["error"]["help"].to_string().contains("ulimit -v"), "{end}");
}
