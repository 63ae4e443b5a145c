//! A guest that calls functions of the host, in any order and with any arguments: it takes each row of its batch
//! for a call, whose function and arguments are in the row's numbers. Handles are right more often than not, or
//! no sequence would come far. Also for the fuzz target `host_calls`.

use std::sync::OnceLock;

use host_core::batch::{Batch, Row};

use super::forged;

const STREAMS: &str = "wasi:io/streams@0.2.6";

/// Function, its parameters and its result. `i` and `o` are handles of an input and an output stream, `p` of
/// what can be waited for, `n` of the network; `a` is an address, `l` a length, `w` and `x` numbers of 32 and 64
/// bits, `r` where the result goes.
const FUNCTIONS: &[(&str, &str, &str, &str)] = &[
    ("ingest:detector/host@0.1.0", "log", "wal", ""),
    ("ingest:preview1/output@0.1.0", "write", "wal", ""),
    (STREAMS, "[method]input-stream.read", "ixr", ""),
    (STREAMS, "[method]input-stream.blocking-read", "ixr", ""),
    (STREAMS, "[method]input-stream.skip", "ixr", ""),
    (STREAMS, "[method]input-stream.subscribe", "i", "i32"),
    (STREAMS, "[method]output-stream.check-write", "or", ""),
    (STREAMS, "[method]output-stream.write", "oalr", ""),
    (STREAMS, "[method]output-stream.blocking-write-and-flush", "oalr", ""),
    (STREAMS, "[method]output-stream.write-zeroes", "oxr", ""),
    (STREAMS, "[method]output-stream.flush", "or", ""),
    (STREAMS, "[method]output-stream.splice", "oixr", ""),
    (STREAMS, "[method]output-stream.subscribe", "o", "i32"),
    (STREAMS, "[resource-drop]output-stream", "w", ""),
    (STREAMS, "[resource-drop]input-stream", "w", ""),
    ("wasi:io/poll@0.2.6", "poll", "alr", ""),
    ("wasi:io/poll@0.2.6", "[method]pollable.ready", "p", "i32"),
    ("wasi:io/poll@0.2.6", "[method]pollable.block", "p", ""),
    ("wasi:io/poll@0.2.6", "[resource-drop]pollable", "w", ""),
    ("wasi:cli/environment@0.2.6", "get-arguments", "r", ""),
    ("wasi:cli/environment@0.2.6", "initial-cwd", "r", ""),
    ("wasi:clocks/monotonic-clock@0.2.6", "now", "", "i64"),
    ("wasi:clocks/monotonic-clock@0.2.6", "subscribe-instant", "x", "i32"),
    ("wasi:clocks/wall-clock@0.2.6", "now", "r", ""),
    ("wasi:filesystem/preopens@0.2.6", "get-directories", "r", ""),
    ("wasi:random/random@0.2.6", "get-random-bytes", "xr", ""),
    ("wasi:random/insecure@0.2.6", "get-insecure-random-bytes", "xr", ""),
    ("wasi:sockets/ip-name-lookup@0.2.6", "resolve-addresses", "nalr", ""),
    ("wasi:sockets/tcp-create-socket@0.2.6", "create-tcp-socket", "wr", ""),
    ("wasi:sockets/udp-create-socket@0.2.6", "create-udp-socket", "wr", ""),
];

/// The guest that does what its rows say.
pub fn guest() -> &'static [u8] {
    static GUEST: OnceLock<Vec<u8>> = OnceLock::new();
    GUEST.get_or_init(|| {
        let mut imports = String::from(
            r#"(import "wasi:cli/stdin@0.2.6" "get-stdin" (func $get-stdin (result i32)))
               (import "wasi:cli/stdout@0.2.6" "get-stdout" (func $get-stdout (result i32)))
               (import "wasi:clocks/monotonic-clock@0.2.6" "subscribe-duration" (func $wait (param i64) (result i32)))
               (import "wasi:sockets/instance-network@0.2.6" "instance-network" (func $get-network (result i32)))"#,
        );
        let mut cases = String::new();
        for (index, (interface, name, parameters, result)) in FUNCTIONS.iter().enumerate() {
            let types: Vec<&str> = parameters.chars().map(|kind| if kind == 'x' { "i64" } else { "i32" }).collect();
            let result_type = if result.is_empty() { String::new() } else { format!("(result {result})") };
            imports += &format!(
                "(import \"{interface}\" \"{name}\" (func $f{index} (param {}) {result_type}))",
                types.join(" ")
            );
            let arguments: Vec<&str> = parameters.chars().map(argument).collect();
            let drop = if result.is_empty() { "" } else { "drop" };
            cases += &format!(
                "(if (i32.eq (global.get $f) (i32.const {index})) (then (call $f{index} {}) {drop}))",
                arguments.join(" ")
            );
        }
        let number = |list: u32| format!("(i64.load (i32.add (local.get {list}) (i32.shl (global.get $row) (i32.const 3))))");
        let classify = format!(
            "(global.set $in (call $get-stdin)) (global.set $out (call $get-stdout))
             (global.set $ready (call $wait (i64.const 0))) (global.set $network (call $get-network))
             (global.set $row (i32.const 0)) (loop $next
                (global.set $f (i32.wrap_i64 (i64.rem_u {} (i64.const {}))))
                (global.set $a {}) (global.set $b {})
                {cases}
                (global.set $row (i32.add (global.get $row) (i32.const 1)))
                (br_if $next (i32.lt_u (global.get $row) (local.get 1))))
             i32.const 512",
            number(0),
            FUNCTIONS.len(),
            number(2),
            number(4),
        );
        let global = |name: &str| format!("(global ${name} (mut i32) (i32.const 0))");
        let small: String = ["in", "out", "ready", "network", "f", "row"].map(global).concat();
        let fields = format!("{small} (global $a (mut i64) (i64.const 0)) (global $b (mut i64) (i64.const 0))");
        forged::with_wasi(&imports, &fields, &classify)
    })
}

/// Made of the row's two numbers.
fn argument(kind: char) -> &'static str {
    match kind {
        'i' => "(global.get $in)",
        'o' => "(global.get $out)",
        'p' => "(global.get $ready)",
        'n' => "(global.get $network)",
        'a' => "(i32.wrap_i64 (global.get $a))",
        'l' | 'w' => "(i32.wrap_i64 (global.get $b))",
        'x' => "(global.get $b)",
        _ => "(i32.const 1024)",
    }
}

/// A batch of such calls: the function and two numbers each.
pub fn batch(calls: &[(u8, i64, i64)]) -> Batch {
    let mut batch = Batch::default();
    for (line, &(function, first, second)) in (2..).zip(calls) {
        let user_id = i64::from(function);
        batch.push(Row {
            transaction_id: Some(1),
            user_id,
            amount_cents: first,
            timestamp_micros: second,
            line,
        });
    }
    batch
}
