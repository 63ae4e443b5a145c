//! Every function of the host that a guest can reach, with the largest arguments that it can pass, and every
//! instruction that takes longer the larger its operands are: the deadline holds, and nothing is left behind.
//!
//! The guests are modules in text format with a world of their own. They prepare what they need (handles,
//! four megabytes of line breaks) without a deadline; then they call the function once and trap. If the
//! deadline holds, they never reach the trap.

use std::time::{Duration, Instant};

use wasmtime::component::{Component, Linker};
use wasmtime::{Store, Trap};

use super::{new_store, within};
use crate::contract::version::ContractVersion;
use crate::instance::deadline::Deadline;
use crate::runtime::limits::{EngineKind, Limits, MAX_TABLE_ENTRIES};
use crate::runtime::state::GuestState;
use crate::runtime::{engine, preview1, wasi};

const DETECTOR: &str = include_str!("../../../../wit/detector-0.1/detector.wit");

/// The part of WASI that is reachable without a file or a connection, which no guest has.
const WASI: &str = include_str!("wasi.wit");

/// Each function, its core parameters and result, and the largest arguments. `$at` is the address of four
/// megabytes of line breaks, `$out`, `$in`, `$ready` and `$net` are handles, and results go to address 0. If
/// that much is refused, a second line has the most that is accepted.
const FUNCTIONS: &[(&str, &str, &str, &str)] = &[
    ("ingest:detector/host@0.1.0", "log", "(param i32 i32 i32)", "(i32.const 0) $at $length"),
    (preview1::OUTPUT, "write", "(param i32 i32 i32)", "(i32.const 0) $at $length"),
    ("wasi:io/streams@0.2.6", "[method]input-stream.read", "(param i32 i64 i32)", "$in $max (i32.const 0)"),
    (
        "wasi:io/streams@0.2.6",
        "[method]input-stream.blocking-read",
        "(param i32 i64 i32)",
        "$in $max (i32.const 0)",
    ),
    ("wasi:io/streams@0.2.6", "[method]input-stream.skip", "(param i32 i64 i32)", "$in $max (i32.const 0)"),
    (
        "wasi:io/streams@0.2.6",
        "[method]input-stream.blocking-skip",
        "(param i32 i64 i32)",
        "$in $max (i32.const 0)",
    ),
    ("wasi:io/streams@0.2.6", "[method]input-stream.subscribe", "(param i32) (result i32)", "$in"),
    ("wasi:io/streams@0.2.6", "[method]output-stream.check-write", "(param i32 i32)", "$out (i32.const 0)"),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.write",
        "(param i32 i32 i32 i32)",
        "$out $at $length (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.blocking-write-and-flush",
        "(param i32 i32 i32 i32)",
        "$out $at $length (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.write",
        "(param i32 i32 i32 i32)",
        "$out $at (i32.const 65536) (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.blocking-write-and-flush",
        "(param i32 i32 i32 i32)",
        "$out $at (i32.const 4096) (i32.const 0)",
    ),
    ("wasi:io/streams@0.2.6", "[method]output-stream.flush", "(param i32 i32)", "$out (i32.const 0)"),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.blocking-flush",
        "(param i32 i32)",
        "$out (i32.const 0)",
    ),
    ("wasi:io/streams@0.2.6", "[method]output-stream.subscribe", "(param i32) (result i32)", "$out"),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.write-zeroes",
        "(param i32 i64 i32)",
        "$out $max (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.blocking-write-zeroes-and-flush",
        "(param i32 i64 i32)",
        "$out $max (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.write-zeroes",
        "(param i32 i64 i32)",
        "$out (i64.const 65536) (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.blocking-write-zeroes-and-flush",
        "(param i32 i64 i32)",
        "$out (i64.const 4096) (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.splice",
        "(param i32 i32 i64 i32)",
        "$out $in $max (i32.const 0)",
    ),
    (
        "wasi:io/streams@0.2.6",
        "[method]output-stream.blocking-splice",
        "(param i32 i32 i64 i32)",
        "$out $in $max (i32.const 0)",
    ),
    ("wasi:io/streams@0.2.6", "[resource-drop]output-stream", "(param i32)", "$out"),
    ("wasi:io/poll@0.2.6", "poll", "(param i32 i32 i32)", "$handles (i32.const 50000) (i32.const 0)"),
    ("wasi:io/poll@0.2.6", "[method]pollable.ready", "(param i32) (result i32)", "$ready"),
    ("wasi:io/poll@0.2.6", "[method]pollable.block", "(param i32)", "$ready"),
    ("wasi:io/poll@0.2.6", "[resource-drop]pollable", "(param i32)", "$ready"),
    ("wasi:cli/environment@0.2.6", "get-environment", "(param i32)", "(i32.const 0)"),
    ("wasi:cli/environment@0.2.6", "get-arguments", "(param i32)", "(i32.const 0)"),
    ("wasi:cli/environment@0.2.6", "initial-cwd", "(param i32)", "(i32.const 0)"),
    ("wasi:cli/exit@0.2.6", "exit", "(param i32)", "(i32.const 0)"),
    ("wasi:cli/stdin@0.2.6", "get-stdin", "(result i32)", ""),
    ("wasi:cli/stdout@0.2.6", "get-stdout", "(result i32)", ""),
    ("wasi:cli/stderr@0.2.6", "get-stderr", "(result i32)", ""),
    ("wasi:clocks/monotonic-clock@0.2.6", "now", "(result i64)", ""),
    ("wasi:clocks/monotonic-clock@0.2.6", "resolution", "(result i64)", ""),
    ("wasi:clocks/monotonic-clock@0.2.6", "subscribe-instant", "(param i64) (result i32)", "$max"),
    ("wasi:clocks/monotonic-clock@0.2.6", "subscribe-duration", "(param i64) (result i32)", "$max"),
    ("wasi:clocks/wall-clock@0.2.6", "now", "(param i32)", "(i32.const 0)"),
    ("wasi:clocks/wall-clock@0.2.6", "resolution", "(param i32)", "(i32.const 0)"),
    ("wasi:filesystem/preopens@0.2.6", "get-directories", "(param i32)", "(i32.const 0)"),
    ("wasi:random/random@0.2.6", "get-random-bytes", "(param i64 i32)", "$max (i32.const 0)"),
    ("wasi:random/random@0.2.6", "get-random-bytes", "(param i64 i32)", "(i64.const 65536) (i32.const 0)"),
    ("wasi:random/random@0.2.6", "get-random-u64", "(result i64)", ""),
    ("wasi:random/insecure@0.2.6", "get-insecure-random-bytes", "(param i64 i32)", "$max (i32.const 0)"),
    (
        "wasi:random/insecure@0.2.6",
        "get-insecure-random-bytes",
        "(param i64 i32)",
        "(i64.const 65536) (i32.const 0)",
    ),
    ("wasi:random/insecure@0.2.6", "get-insecure-random-u64", "(result i64)", ""),
    ("wasi:random/insecure-seed@0.2.6", "insecure-seed", "(param i32)", "(i32.const 0)"),
    ("wasi:sockets/instance-network@0.2.6", "instance-network", "(result i32)", ""),
    (
        "wasi:sockets/ip-name-lookup@0.2.6",
        "resolve-addresses",
        "(param i32 i32 i32 i32)",
        "$net $at $length (i32.const 0)",
    ),
    (
        "wasi:sockets/tcp-create-socket@0.2.6",
        "create-tcp-socket",
        "(param i32 i32)",
        "(i32.const 0) (i32.const 0)",
    ),
    (
        "wasi:sockets/udp-create-socket@0.2.6",
        "create-udp-socket",
        "(param i32 i32)",
        "(i32.const 0) (i32.const 0)",
    ),
];

/// The part that all guests here share.
const COMMON: &str = r#"
    (import "wasi:cli/stdin@0.2.6" "get-stdin" (func $get-stdin (result i32)))
    (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get-stdout (result i32)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $subscribe (param i64) (result i32)))
    (import "wasi:sockets/instance-network@0.2.6" "instance-network" (func $network (result i32)))
    IMPORT
    (memory (export "memory") 70)
    (global $in (mut i32) (i32.const 0))
    (global $out (mut i32) (i32.const 0))
    (global $ready (mut i32) (i32.const 0))
    (global $net (mut i32) (i32.const 0))
    (global $i (mut i32) (i32.const 0))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024))
    (func (export "prepare")
        (global.set $in (call $get-stdin))
        (global.set $out (call $get-stdout))
        (global.set $ready (call $subscribe (i64.const 0)))
        (global.set $net (call $network))
        PREPARE)
    (func (export "act") ACT)"#;

struct Guest {
    store: Store<GuestState>,
    act: wasmtime::component::TypedFunc<(), ()>,
}

impl Guest {
    /// A guest with these parts, after its `prepare`.
    fn new(import: &str, prepare: &str, act: &str) -> Guest {
        Guest::on(EngineKind::Native, import, prepare, act)
    }

    fn on(engine: EngineKind, import: &str, prepare: &str, act: &str) -> Guest {
        let text = COMMON.replace("IMPORT", import).replace("PREPARE", prepare).replace("ACT", act);
        let mut module = wat::parse_str(format!("(module {text})")).unwrap_or_else(|error| panic!("{error}"));
        let mut resolve = wit_parser::Resolve::default();
        resolve.push_str("detector.wit", DETECTOR).unwrap();
        resolve.push_str("stub.wit", preview1::WIT).unwrap();
        let package = resolve.push_str("wasi.wit", WASI).unwrap_or_else(|error| panic!("{error:?}"));
        let world = resolve.select_world(&[package], Some("guest")).unwrap();
        let encoding = wit_component::StringEncoding::UTF8;
        wit_component::embed_component_metadata(&mut module, &resolve, world, encoding).unwrap();
        let component =
            wit_component::ComponentEncoder::default().validate(true).module(&module).unwrap().encode();
        let component = component.unwrap_or_else(|error| panic!("{error:?}"));

        let limits = Limits { engine, ..Limits::default() };
        let engine = engine::new(&engine::Settings::new(&limits)).unwrap();
        let component = Component::from_binary(&engine, &component).unwrap();
        let mut linker = Linker::new(&engine);
        ContractVersion::V0_1.link(&mut linker).unwrap();
        wasi::link(&mut linker).unwrap();
        preview1::link(&mut linker).unwrap();
        let mut store = new_store(&engine, "guest", &limits, 0);
        let (act, _) = within(Deadline::Call(PATIENCE), &mut store, |store| {
            let instance = linker.instantiate(&mut *store, &component)?;
            let prepare = instance.get_typed_func::<(), ()>(&mut *store, "prepare")?;
            prepare.call(&mut *store, ())?;
            instance.get_typed_func::<(), ()>(store, "act")
        });
        let act = act.unwrap_or_else(|error| panic!("{error:?}"));
        Guest { store, act }
    }

    fn act(&mut self, within_time: Duration) -> wasmtime::Result<()> {
        within(Deadline::Call(within_time), &mut self.store, |store| self.act.call(store, ())).0
    }
}

/// Long enough for what must not be late on any machine.
const PATIENCE: Duration = Duration::from_secs(600);
/// Expires before the function has done anything.
const NO_TIME: Duration = Duration::from_nanos(1);

/// Four megabytes of line breaks, or fifty thousand ready handles, which take as much in the host.
const PREPARED: &str = "(memory.fill (i32.const 65536) (i32.const 10) (i32.const 4000000))";
const PREPARED_HANDLES: &str = "(loop $l
    (i32.store (i32.add (i32.const 65536) (i32.mul (global.get $i) (i32.const 4))) (global.get $ready))
    (global.set $i (i32.add (global.get $i) (i32.const 1)))
    (br_if $l (i32.lt_u (global.get $i) (i32.const 50000))))";

fn arguments(template: &str) -> String {
    template
        .replace("$length", "(i32.const 4000000)")
        .replace("$at", "(i32.const 65536)")
        .replace("$handles", "(i32.const 65536)")
        .replace("$max", "(i64.const -1)")
        .replace("$in", "(global.get $in)")
        .replace("$out", "(global.get $out)")
        .replace("$ready", "(global.get $ready)")
        .replace("$net", "(global.get $net)")
}

fn guest_that_calls(index: usize, then: &str) -> Guest {
    let (interface, name, signature, template) = FUNCTIONS[index];
    let import = format!(r#"(import "{interface}" "{name}" (func $called {signature}))"#);
    let prepare = if template.contains("$handles") { PREPARED_HANDLES } else { PREPARED };
    let drop = if signature.contains("result") { "drop" } else { "" };
    let act = format!("(call $called {}) {drop} {then}", arguments(template));
    Guest::new(&import, prepare, &act)
}

#[test]
fn no_function_of_the_host_outlives_the_deadline() {
    for (index, (interface, name, ..)) in FUNCTIONS.iter().enumerate() {
        let error = guest_that_calls(index, "unreachable").act(NO_TIME).unwrap_err();
        let trap = error.downcast_ref::<Trap>();
        assert_eq!(trap, Some(&Trap::Interrupt), "{interface} {name}: {error:?}");
    }
}

/// Otherwise the test above would prove nothing. Prints how long each took.
#[test]
fn with_time_the_functions_come_back() {
    for (index, (interface, name, _, arguments)) in FUNCTIONS.iter().enumerate() {
        let mut guest = guest_that_calls(index, "unreachable");
        let error = timed(&format!("{interface} {name} {arguments}"), || guest.act(PATIENCE)).unwrap_err();
        // Some refuse an argument that large, which is an error, not a trap.
        let trap = error.downcast_ref::<Trap>();
        let came_back = matches!(trap, None | Some(Trap::UnreachableCodeReached));
        assert!(came_back, "{interface} {name}: {error:?}");
    }
}

/// Prints how long something took, in wall time and in CPU time, which is closer to what it would have taken
/// on an idle machine.
#[allow(clippy::print_stdout, reason = "with `--no-capture`, for SANDBOX.md")]
fn timed<T>(what: &str, act: impl FnOnce() -> T) -> T {
    let processor_time = || {
        let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        Duration::from_nanos(spent.split(' ').next().unwrap().parse().unwrap())
    };
    let (started, spent_before) = (Instant::now(), processor_time());
    let done = act();
    println!("{:>12.3?} {:>12.3?} {what}", started.elapsed(), processor_time() - spent_before);
    done
}

/// Instructions that take longer the larger their operands are, with the largest that the limits allow, and
/// what the module needs for them. `$all` is the size of the memory in bytes, or the number of entries that
/// tables may have.
const INSTRUCTIONS: &[(&str, &str)] = &[
    (MEMORY, "(memory.fill (i32.const 0) (i32.const 1) $all)"),
    (MEMORY, "(memory.copy (i32.const 0) (i32.const 1) (i32.sub $all (i32.const 1)))"),
    (DATA, "(memory.init $data (i32.const 0) (i32.const 0) (i32.const 1000000))"),
    (TABLE, "(table.fill $table (i32.const 0) (ref.func $f) $all)"),
    (TABLE, "(table.fill $table (i32.const 0) (ref.null func) $all)"),
    (TABLE, "(table.copy $table $table (i32.const 0) (i32.const 1) (i32.sub $all (i32.const 1)))"),
    (ELEMENTS, "(table.init $table $elements (i32.const 0) (i32.const 0) (i32.const 50000))"),
];
/// Leaves some room for the stack: 250 MiB.
const MEMORY: &str = "(start $grow) (func $grow (drop (memory.grow (i32.const 3930))))";
const DATA: &str = r#"(data $data "BYTES")"#;
const TABLE: &str = "(table $table ENTRIES funcref) (func $f) (elem declare func $f)";
const ELEMENTS: &str = "(table $table ENTRIES funcref) (func $f) (elem $elements func FUNCTIONS)";

/// A guest with the instruction that many times in a row.
fn guest_that_executes(engine: EngineKind, (fields, instruction): (&str, &str), times: usize) -> Guest {
    let bytes = "(i32.mul (memory.size) (i32.const 65536))";
    let entries = format!("(i32.const {MAX_TABLE_ENTRIES})");
    let instruction = instruction.replace("$all", if fields == MEMORY { bytes } else { &entries });
    let fields = fields
        .replace("BYTES", &"x".repeat(1_000_000))
        .replace("ENTRIES", &MAX_TABLE_ENTRIES.to_string())
        .replace("FUNCTIONS", &"$f ".repeat(50_000));
    Guest::on(engine, &fields, "", &format!("{} unreachable", instruction.repeat(times)))
}

/// Often enough to be interrupted in between: also the copies of a megabyte and of 50,000 entries, which take
/// less than 0.1 ms, then take several ticks together.
fn enough_times(fields: &str) -> usize {
    if [DATA, ELEMENTS].contains(&fields) { 2_000 } else { 200 }
}

#[test]
fn no_instruction_outlives_the_deadline() {
    for instruction in INSTRUCTIONS {
        let mut guest = guest_that_executes(EngineKind::Native, *instruction, enough_times(instruction.0));
        let error = guest.act(NO_TIME).unwrap_err();
        assert_eq!(error.downcast_ref::<Trap>(), Some(&Trap::Interrupt), "{instruction:?}: {error:?}");
    }
}

/// A single instruction is not interrupted. Prints how long each took: a call may be late by that much.
#[test]
fn with_time_the_instructions_are_done() {
    for instruction in INSTRUCTIONS {
        for engine in [EngineKind::Native, EngineKind::Interpreter] {
            let mut guest = guest_that_executes(engine, *instruction, 1);
            let error = timed(&format!("{engine:?} {}", instruction.1), || guest.act(PATIENCE)).unwrap_err();
            let trap = error.downcast_ref::<Trap>();
            assert_eq!(trap, Some(&Trap::UnreachableCodeReached), "{instruction:?}: {error:?}");
        }
    }
}

/// They are only the occasion to look at the clock: each may take longer than it should.
#[test]
fn ticks_are_not_time() {
    let mut guest = Guest::new("", "", "");
    let act = guest.act;
    let (answer, _) = within(Deadline::Call(PATIENCE), &mut guest.store, |store| {
        (0..1_000_000).for_each(|_| store.engine().increment_epoch());
        act.call(store, ())
    });
    answer.unwrap();
}

#[test]
fn an_answer_that_comes_late_is_none() {
    let mut guest = Guest::new("", "", "");
    let (answer, _) = within(Deadline::Call(Duration::ZERO), &mut guest.store, |_| Ok(7));
    assert_eq!(answer.unwrap_err().downcast_ref::<Trap>(), Some(&Trap::Interrupt));
    let (answer, _) = within(Deadline::Call(PATIENCE), &mut guest.store, |_| Ok(7));
    assert_eq!(answer.unwrap(), 7);
}

/// Calls of the host in random order, each with random arguments: a hundred thousand per `act`.
const RANDOM_CALLS: &str = r#"
    (loop $next
        ;; xorshift
        (global.set $seed (i64.xor (global.get $seed) (i64.shl (global.get $seed) (i64.const 13))))
        (global.set $seed (i64.xor (global.get $seed) (i64.shr_u (global.get $seed) (i64.const 7))))
        (global.set $seed (i64.xor (global.get $seed) (i64.shl (global.get $seed) (i64.const 17))))
        (global.set $size (i32.wrap_i64 (i64.and (i64.shr_u (global.get $seed) (i64.const 20)) (i64.const 255))))
        (block $done
            (block $9 (block $8 (block $7 (block $6 (block $5 (block $4 (block $3 (block $2 (block $1 (block $0
                (br_table $0 $1 $2 $3 $4 $5 $6 $7 $8 $9
                    (i32.wrap_i64 (i64.rem_u (i64.shr_u (global.get $seed) (i64.const 40)) (i64.const 10)))))
                (call $log (i32.and (global.get $size) (i32.const 3)) (i32.const 65536) (global.get $size))
                (br $done))
                (call $write (global.get $out) (i32.const 65536) (global.get $size) (i32.const 0))
                (br $done))
                (call $read (global.get $in) (i64.extend_i32_u (global.get $size)) (i32.const 0))
                (br $done))
                (call $random (i64.extend_i32_u (global.get $size)) (i32.const 0))
                (br $done))
                (call $drop-pollable (call $subscribe (i64.extend_i32_u (global.get $size))))
                (br $done))
                (call $block (global.get $ready))
                (br $done))
                (call $drop-output (call $get-stdout))
                (br $done))
                (drop (call $now))
                (br $done))
                (call $environment (i32.const 0))
                (br $done))
                (call $zeroes (global.get $out) (i64.extend_i32_u (global.get $size)) (i32.const 0)))
        (global.set $i (i32.sub (global.get $i) (i32.const 1)))
        (br_if $next (global.get $i)))"#;

const RANDOM_IMPORTS: &str = r#"
    (import "ingest:detector/host@0.1.0" "log" (func $log (param i32 i32 i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.write" (func $write (param i32 i32 i32 i32)))
    (import "wasi:io/streams@0.2.6" "[method]input-stream.read" (func $read (param i32 i64 i32)))
    (import "wasi:io/streams@0.2.6" "[method]output-stream.write-zeroes" (func $zeroes (param i32 i64 i32)))
    (import "wasi:io/streams@0.2.6" "[resource-drop]output-stream" (func $drop-output (param i32)))
    (import "wasi:io/poll@0.2.6" "[method]pollable.block" (func $block (param i32)))
    (import "wasi:io/poll@0.2.6" "[resource-drop]pollable" (func $drop-pollable (param i32)))
    (import "wasi:clocks/monotonic-clock@0.2.6" "now" (func $now (result i64)))
    (import "wasi:random/random@0.2.6" "get-random-bytes" (func $random (param i64 i32)))
    (import "wasi:cli/environment@0.2.6" "get-environment" (func $environment (param i32)))"#;

/// The number of calls in one `act` of the guest.
const CALLS_AT_ONCE: u64 = 100_000;
/// How much an allocator may keep for itself.
const ROOM_BYTES: u64 = 4 << 20;

/// `HOST_TEST_HOST_CALLS=10000000` makes more calls.
#[test]
fn random_sequences_of_calls_leave_the_hosts_memory_as_it_was() {
    #[allow(clippy::disallowed_methods, reason = "of the test's, not of the program's")]
    let asked = std::env::var("HOST_TEST_HOST_CALLS").ok().and_then(|calls| calls.parse().ok());
    let calls: u64 = asked.unwrap_or(3 * CALLS_AT_ONCE);
    let globals =
        "(global $seed (mut i64) (i64.const 88172645463325252)) (global $size (mut i32) (i32.const 0))";
    let act = format!("(global.set $i (i32.const {CALLS_AT_ONCE})) {RANDOM_CALLS}) {globals} (func");
    let mut guest = Guest::new(RANDOM_IMPORTS, PREPARED, &act);
    guest.act(PATIENCE).unwrap();
    let before = resident_bytes();
    for _ in 1..calls / CALLS_AT_ONCE {
        guest.act(PATIENCE).unwrap();
    }
    let after = resident_bytes();
    assert!(after < before + ROOM_BYTES, "{before} bytes before, {after} after {calls} calls");
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}
