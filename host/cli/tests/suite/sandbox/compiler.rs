//! Plugins are compiled in a process of its own: what takes too much there, and what becomes of it.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use host_detector::{Cache, DetectorError, Limits, Requirements, load};
use rustix::process::{Pid, Signal, WaitOptions, getpid, set_child_subreaper, waitpid};

use crate::sandbox::forged;
use crate::support::{self, Files, Finished, finish, host, plugin, sample, start, succeed, wait_until};

const MIB: usize = 1 << 20;

fn compile(files: &Files, bytes: &[u8], limits: Limits) -> DetectorError {
    let sandbox = support::sandbox(limits, Requirements::default(), Cache::none()).unwrap();
    load(&sandbox, &files.write("p.wasm", bytes)).err().expect("it cannot be compiled")
}

/// Each takes gigabytes where nothing stops it.
#[test]
fn what_takes_too_much_memory_to_compile() {
    let files = Files::new();
    let elements = format!("(func $f) (elem func {})", "$f ".repeat(4_500_000));
    let adds = "(local.set 0 (i32.xor (local.get 0) (i32.mul (local.get 0) (i32.const 77))))".repeat(400_000);
    let function = format!("(func (export \"f\") (param i32) {adds})");
    for (name, bytes) in [
        ("a nest", forged::nest(1_000, 1_000)),
        ("a long segment", forged::with_fields(&elements)),
        ("a long function", forged::with_fields(&function)),
    ] {
        let allowed = 192 * MIB;
        let error = compile(&files, &bytes, Limits { compile_memory_bytes: allowed, ..Limits::default() });
        assert!(
            matches!(error, DetectorError::CompileMemory { allowed_bytes, .. } if allowed_bytes == allowed),
            "{name}: {error:?}"
        );
    }
}

/// Not even the component can be read there.
#[test]
fn too_little_memory_for_any_plugin() {
    let (files, honest) = (Files::new(), forged::honest());
    for compile_memory_bytes in [20 * MIB, 24 * MIB] {
        let error = compile(&files, &honest, Limits { compile_memory_bytes, ..Limits::default() });
        let is_told = matches!(error, DetectorError::CompileMemory { .. });
        assert!(is_told, "{compile_memory_bytes}: {error:?}");
    }
}

#[test]
fn what_takes_too_long_to_compile() {
    let limits = Limits { compile_deadline: std::time::Duration::from_millis(300), ..Limits::default() };
    let error = compile(&Files::new(), &forged::nest(1_000, 1_000), limits);
    assert!(matches!(error, DetectorError::CompileDeadline { .. }), "{error:?}");
}

/// What the system allows is less than what the host would.
#[test]
fn a_plugin_is_not_blamed_for_what_the_system_does_not_let_the_compiler_have() {
    let files = Files::new();
    let nest = files.write("nest.wasm", forged::nest(1_000, 1_000));
    let mut check = Command::new("prlimit");
    check
        .args(["--as=400000000", env!("CARGO_BIN_EXE_host"), "check", "--format=json", "--plugin"])
        .arg(&nest);
    let finished = finish(check.arg(sample()).env("XDG_CACHE_HOME", files.path()));
    assert_eq!(finished.code, 4, "{finished:?}");
    assert!(
        finished.stdout.contains("plugin_system") && finished.stdout.contains("ulimit -v"),
        "{finished:?}"
    );
}

/// `host check` of a plugin that compiles for long, with a file open that it does not know of and a
/// password in its environment.
fn check_of_a_nest(files: &Files) -> Command {
    let nest = files.write("nest.wasm", forged::nest(1_000, 1_000));
    let program = host();
    let mut shell = Command::new("sh");
    shell.args(["-c", "exec 9</etc/passwd; exec \"$@\"", "sh"]).arg(program.get_program());
    shell.args(["check", "--format=json", "--plugin"]).arg(nest).arg(sample());
    shell.env("XDG_CACHE_HOME", files.path()).env("PGPASSWORD", "S3cret");
    shell
}

/// The process that compiles for this one, once it is confined.
fn compiler_of(parent: u32) -> u32 {
    let mut found = None;
    wait_until("the compiler's process", || {
        let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
        let children = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
        let child = children.flat_map(|list| list.split(' ').find_map(|child| child.parse().ok())).next();
        found = child.filter(|child| is_confined(*child));
        found.is_some()
    });
    found.unwrap()
}

fn is_confined(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/limits")).is_ok_and(|limits| {
        limits.lines().any(|limit| limit.starts_with("Max file size") && limit.contains("4096"))
    })
}

#[test]
fn the_compiler_has_nothing_of_the_host() {
    let files = Files::new();
    let running = start(&mut check_of_a_nest(&files));
    let compiler = compiler_of(running.id());
    let of = |what: &str| format!("/proc/{compiler}/{what}");
    assert!(Path::new(&format!("/proc/{}/fd/9", running.id())).exists());
    let open: BTreeSet<String> = fs::read_dir(of("fd"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(open, ["0", "1", "2"].map(String::from).into());
    let environment = String::from_utf8(fs::read(of("environ")).unwrap()).unwrap();
    assert!(environment.contains("MALLOC_ARENA_MAX") && !environment.contains("S3cret"), "{environment}");
    let limits = fs::read_to_string(of("limits")).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].split_whitespace().take(2).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(limit("Max address space"), [(448 * MIB).to_string(), (448 * MIB).to_string()]);
    assert_eq!(
        (limit("Max open files"), limit("Max core file size")),
        (vec!["3".into(); 2], vec!["0".into(); 2])
    );

    // If it dies, that is an error of the plugin.
    succeed(Command::new("kill").args(["-KILL", &compiler.to_string()]));
    let Finished { code, stdout, .. } = running.finish();
    assert_eq!(code, 4, "{stdout}");
    assert!(stdout.contains("plugin_compiler_crash") && stdout.contains("SIGKILL"), "{stdout}");
}

/// It would end sooner or later by itself; but then not by a signal.
#[test]
fn the_compiler_dies_with_the_host() {
    let files = Files::new();
    // Whoever becomes the parent of an orphan is told how it ended.
    set_child_subreaper(Some(getpid())).unwrap();
    let running = start(&mut check_of_a_nest(&files));
    let compiler = compiler_of(running.id());
    running.signal("KILL");
    running.finish();
    let compiler = Pid::from_raw(compiler.try_into().unwrap());
    let (_, ended) = waitpid(compiler, WaitOptions::empty()).unwrap().unwrap();
    assert_eq!(ended.terminating_signal(), Some(Signal::KILL.as_raw()), "{ended:?}");
    // An interrupt is the host's, which takes the compiler with it.
    let running = start(&mut check_of_a_nest(&files));
    let compiler = compiler_of(running.id());
    running.signal("INT");
    running_is_gone(compiler);
    assert_eq!(running.finish().code, 130);
}

fn running_is_gone(process: u32) {
    wait_until("the end of the compiler", || {
        let state = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        state.is_empty() || state.contains(") Z")
    });
}

/// Whoever calls it by hand gets nothing done, and no crash.
#[test]
fn an_order_that_is_none_is_refused() {
    for order in ["", "{}", "help"] {
        let finished = finish(host().args(["compile-plugin", order]));
        assert_eq!((finished.code, finished.stdout.as_str()), (5, ""), "{}", finished.stderr);
    }
}

/// The interpreter gives the same answers, rule by rule, and every tool has it.
#[test]
fn the_interpreter_answers_as_machine_code_does() {
    for name in ["threshold", "zscore"] {
        let digest = |engine: &str| {
            succeed(host().args(["plugin", "digest", "--engine", engine]).arg(plugin(name)).arg(sample()))
        };
        assert_eq!(digest("native"), digest("interpreter"), "{name}");
    }
    let inspected =
        succeed(host().args(["plugin", "inspect", "threshold"]).env("HOST_ENGINE", "interpreter"));
    assert!(inspected.contains("threshold"), "{inspected}");
}
