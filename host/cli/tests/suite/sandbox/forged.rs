//! Plugins written by hand in WebAssembly's text format, with the contract's component type
//! attached: they can return what no compiler would.
//!
//! The functions have the core signatures of the component model's canonical ABI: a batch is
//! passed as eight numbers, a result is returned as a pointer into memory, where a
//! `result<list<anomaly>, error>` is a discriminant (byte 0), a list's pointer (4) and length (8),
//! and an anomaly is its row (0), score (8), and the reason's pointer (16) and length (20).

use wit_parser::Resolve;

const WIT: &str = include_str!("../../../../../wit/detector-0.1/detector.wit");
const WASI: &str = include_str!("../../../../detector/src/instance/wasi.wit");
const PREVIEW1: &str = include_str!("../../../../detector/src/runtime/preview1/stub.wit");

/// What a module does where it is not honest.
struct Parts<'a> {
    /// Fields of the module beside the contract's functions.
    fields: &'a str,
    memory: &'a str,
    describe: &'a str,
    configure: &'a str,
    classify: &'a str,
    realloc: &'a str,
}

const HONEST: Parts<'static> = Parts {
    fields: "",
    memory: "(memory (export \"memory\") 64)",
    describe: "i32.const 64",
    configure: "i32.const 256",
    classify: "i32.const 512",
    // Never frees: 64 pages are enough for a few batches.
    realloc: "
        (global.set $top (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
        (global.get $top)
        (global.set $top (i32.add (global.get $top) (local.get 3)))",
};

/// Makes up modules that export what the contract asks for, and are of what this host's engine knows.
pub fn generator() -> wasm_smith::Config {
    wasm_smith::Config {
        exports: Some(exports()),
        gc_enabled: false,
        reference_types_enabled: false,
        custom_descriptors_enabled: false,
        shared_everything_threads_enabled: false,
        exceptions_enabled: false,
        threads_enabled: false,
        ..wasm_smith::Config::default()
    }
}

/// A plugin that does nothing.
pub fn honest() -> Vec<u8> {
    plugin(&HONEST, WIT)
}

/// A plugin that does nothing, with further fields in its module.
pub fn with_fields(fields: &str) -> Vec<u8> {
    plugin(&Parts { fields, ..HONEST }, WIT)
}

/// A plugin that does nothing, and further components, each so many times, beside it.
pub fn with_components(components: &[(&str, u8)]) -> Vec<u8> {
    const COMPONENT: u8 = 4;
    const COMPONENT_INSTANCES: u8 = 5;
    let mut encoder = wit_component::ComponentEncoder::default().module(&honest()).unwrap();
    let mut plugin = encoder.encode().unwrap();
    for (index, (text, times)) in (0..).zip(components) {
        let component = wat::parse_str(format!("(component {text})")).unwrap();
        // How many; each is an instance of the component with this index, without arguments.
        let mut instances = vec![*times];
        instances.extend([0, index, 0].repeat((*times).into()));
        for (section, content) in [(COMPONENT, component), (COMPONENT_INSTANCES, instances)] {
            plugin.push(section);
            plugin.extend(length(content.len()));
            plugin.extend(content);
        }
    }
    plugin
}

/// As the format has it: seven bits a byte, the lowest first.
pub fn length(mut length: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    while length >= 0x80 {
        bytes.push(length as u8 | 0x80);
        length >>= 7;
    }
    bytes.push(length as u8);
    bytes
}

/// A plugin that imports what [`WASI`] has, with these imports, fields and this body of `classify`.
pub fn with_wasi(imports: &str, fields: &str, classify: &str) -> Vec<u8> {
    let memory = format!("{imports} (memory (export \"memory\") 64)");
    embed(module(&Parts { fields, memory: &memory, classify, ..HONEST }), &[WIT, PREVIEW1, WASI], "scripted")
}

/// A plugin with these imports and fields, and this body of `classify`.
pub fn with_imports(imports: &str, fields: &str, classify: &str) -> Vec<u8> {
    let memory = format!("{imports} (memory (export \"memory\") 64)");
    plugin(&Parts { fields, memory: &memory, classify, ..HONEST }, WIT)
}

/// A plugin that logs a message of so many bytes, of so many pages of memory.
pub fn logs(pages: u32, bytes: usize) -> Vec<u8> {
    let import = r#"(import "ingest:detector/host@0.1.0" "log" (func $log (param i32 i32 i32)))"#;
    let memory = format!("{import} (memory (export \"memory\") {pages})");
    let classify = format!("(call $log (i32.const 0) (i32.const 65536) (i32.const {bytes})) i32.const 512");
    plugin(&Parts { memory: &memory, classify: &classify, ..HONEST }, WIT)
}

/// A plugin that answers with so many anomalies, all of them zeros.
pub fn answers_with_anomalies(count: usize) -> Vec<u8> {
    let classify = format!(
        "(i32.store (i32.const 516) (i32.const 65536)) (i32.store (i32.const 520) (i32.const {count})) i32.const 512"
    );
    plugin(&Parts { memory: LARGE, classify: &classify, ..HONEST }, WIT)
}

/// A plugin that describes so many settings, all of them empty.
pub fn describes_settings(count: usize) -> Vec<u8> {
    let describe = format!(
        "(i32.store (i32.const 88) (i32.const 131072)) (i32.store (i32.const 92) (i32.const {count})) i32.const 64"
    );
    plugin(&Parts { memory: LARGE, describe: &describe, ..HONEST }, WIT)
}

/// Of 62 MiB.
const LARGE: &str = "(memory (export \"memory\") 1000)";

/// A function of a few kilobytes that takes a compiler minutes and gigabytes: so many local variables in so
/// many loops, one in another.
pub fn nest(locals: usize, loops: usize) -> Vec<u8> {
    let assign = |i: usize| {
        let next = (i + 1) % locals + 1;
        format!("(local.set {} (i64.add (local.get {}) (local.get {next})))", i + 1, i + 1)
    };
    let assigns: String = (0..locals).map(assign).collect();
    let body = format!("{}{assigns}{}", "(loop ".repeat(loops), "(br_if 0 (local.get 0)))".repeat(loops));
    with_fields(&format!("(func (export \"nest\") (param i32) (local {}) {body})", "i64 ".repeat(locals)))
}

/// A plugin that does nothing, at length: a millisecond or more a call.
pub fn slow() -> Vec<u8> {
    let dawdle = "(global.set $left (i32.const 1000000))
        (loop $l (global.set $left (i32.sub (global.get $left) (i32.const 1))) (br_if $l (global.get $left)))
        i32.const 512";
    plugin(&Parts { fields: "(global $left (mut i32) (i32.const 0))", classify: dawdle, ..HONEST }, WIT)
}

/// Name, plugin, and the error that must come of it.
pub fn attacks() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    const LOOP: &str = "(loop $l (br $l)) unreachable";
    // One anomaly at 1024, and what is wrong with it.
    let anomaly = |spoil: &str| {
        format!(
            "(i32.store (i32.const 516) (i32.const 1024)) (i32.store (i32.const 520) (i32.const 1)) {spoil} i32.const 512"
        )
    };
    let list = |pointer: &str, length: &str| {
        format!(
            "(i32.store (i32.const 516) (i32.const {pointer})) (i32.store (i32.const 520) (i32.const {length})) i32.const 512"
        )
    };
    let classify = |body: &str| plugin(&Parts { classify: body, ..HONEST }, WIT);
    let describe = |body: &str| plugin(&Parts { describe: body, ..HONEST }, WIT);
    let configure =
        |body: &str| plugin(&Parts { configure: &format!("{body} i32.const 256"), ..HONEST }, WIT);
    let fields = |fields: &str| plugin(&Parts { fields, ..HONEST }, WIT);
    let store =
        |at: &str, value: &str| format!("(i32.store (i32.const {at}) (i32.const {value})) i32.const 64");
    vec![
        ("start-loop", fields(&format!("(start $start) (func $start {LOOP})")), "Deadline"),
        ("start-trap", fields("(start $start) (func $start unreachable)"), "Trap"),
        ("describe-loop", describe(LOOP), "Deadline"),
        ("describe-trap", describe("unreachable"), "Trap"),
        ("realloc-loop", plugin(&Parts { realloc: LOOP, ..HONEST }, WIT), "Deadline"),
        (
            "realloc-out-of-bounds",
            plugin(&Parts { realloc: "i32.const 0x7ffffff0", ..HONEST }, WIT),
            "Malformation",
        ),
        ("realloc-misaligned", plugin(&Parts { realloc: "i32.const 4097", ..HONEST }, WIT), "Malformation"),
        ("result-out-of-bounds", classify("i32.const 0x7ffffffc"), "Malformation"),
        ("result-misaligned", classify("i32.const 513"), "Malformation"),
        (
            "no-such-variant",
            classify("(i32.store8 (i32.const 512) (i32.const 7)) i32.const 512"),
            "Malformation",
        ),
        ("list-out-of-bounds", classify(&list("0x7ffffff0", "1")), "Malformation"),
        ("list-misaligned", classify(&list("1028", "1")), "Malformation"),
        ("list-length-overflows", classify(&list("8", "0xffffffff")), "Malformation"),
        ("list-length-wraps", classify(&list("8", "0x0aaaaaab")), "Malformation"),
        (
            "string-out-of-bounds",
            classify(&anomaly(
                "(i32.store (i32.const 1040) (i32.const 0x7fffffff)) (i32.store (i32.const 1044) (i32.const 10))",
            )),
            "Malformation",
        ),
        (
            "string-not-utf8",
            classify(&anomaly(
                "(i32.store8 (i32.const 2048) (i32.const 0xff)) (i32.store (i32.const 1040) (i32.const 2048)) (i32.store (i32.const 1044) (i32.const 1))",
            )),
            "Malformation",
        ),
        ("row-out-of-range", classify(&anomaly("(i32.store (i32.const 1024) (i32.const -1))")), "Violation"),
        (
            "score-is-a-nan-with-payload",
            classify(&anomaly("(i64.store (i32.const 1032) (i64.const 0x7ff0dead_beef0001))")),
            "Violation",
        ),
        // Names at 64, version at 72, description at 80, settings at 88, ordering at 96.
        ("name-empty", describe(&store("68", "0")), "Violation"),
        ("version-endless", describe(&store("76", "70000")), "Violation"),
        (
            "settings-endless",
            describe(&format!("(i32.store (i32.const 88) (i32.const 131072)) {}", store("92", "1000"))),
            "Violation",
        ),
        (
            "ordering-unknown",
            describe("(i32.store8 (i32.const 96) (i32.const 9)) i32.const 64"),
            "Malformation",
        ),
        // A list's pointer at 260 and its length at 264; a request is a name, a kind (8) and whether it is required (9).
        ("columns-without-name", configure("(i32.store (i32.const 264) (i32.const 1))"), "Violation"),
        (
            "columns-endless",
            configure(
                "(i32.store (i32.const 260) (i32.const 131072)) (i32.store (i32.const 264) (i32.const 1000))",
            ),
            "Violation",
        ),
        (
            "column-kind-unknown",
            configure(
                "(i32.store8 (i32.const 1032) (i32.const 7)) (i32.store (i32.const 260) (i32.const 1024)) (i32.store (i32.const 264) (i32.const 1))",
            ),
            "Malformation",
        ),
        (
            "memory-of-4-gib",
            plugin(&Parts { memory: "(memory (export \"memory\") 65536)", ..HONEST }, WIT),
            "Memory",
        ),
        ("many-memories", fields(&"(memory 256)".repeat(8)), "Memory"),
        ("table-bomb", fields("(table 100000000 funcref)"), "Memory"),
        ("many-entries-in-tables", fields(&"(table 200000 funcref)".repeat(3)), "TableEntries"),
        (
            "tables-that-grow",
            plugin(
                &Parts {
                    fields: "(table $t 0 funcref)",
                    classify: "(loop $l (drop (table.grow $t (ref.null func) (i32.const 10000))) (br $l)) unreachable",
                    ..HONEST
                },
                WIT,
            ),
            "Deadline",
        ),
        (
            "deep-recursion",
            plugin(
                &Parts {
                    fields: "(func $f (result i32) (i32.add (call $f) (i32.const 1)))",
                    classify: "call $f",
                    ..HONEST
                },
                WIT,
            ),
            "Trap",
        ),
        ("divides-by-zero", classify("(i32.div_s (i32.const 1) (i32.const 0))"), "Trap"),
        // The right names with other types.
        ("another-record", plugin(&HONEST, &WIT.replace("score: f64", "score: f32")), "Link"),
        (
            "another-function",
            plugin(
                &Parts { describe: "i32.const 64", ..HONEST },
                &WIT.replace("ordering: ordering,\n", "ordering: ordering,\n        more: u32,\n"),
            ),
            "Link",
        ),
        (
            "a-foreign-contract",
            plugin(&HONEST, &WIT.replace("package ingest:detector@0.1.0", "package acme:filter@0.1.0")),
            "NotADetector",
        ),
        ("an-older-contract", plugin(&HONEST, &WIT.replace("@0.1.0", "@0.0.9")), "WrongContract"),
        ("a-contract-of-the-future", plugin(&HONEST, &WIT.replace("@0.1.0", "@1.0.0")), "WrongContract"),
        ("a-contract-without-version", plugin(&HONEST, &WIT.replace("@0.1.0", "")), "NotADetector"),
    ]
}

/// A plugin with the contract of another patch release, which this host speaks as well.
pub fn later_patch() -> Vec<u8> {
    plugin(&HONEST, &WIT.replace("@0.1.0", "@0.1.7"))
}

fn plugin(parts: &Parts<'_>, wit: &str) -> Vec<u8> {
    embed(module(parts), &[wit], "detector")
}

fn module(parts: &Parts<'_>) -> Vec<u8> {
    let Parts { fields, memory, describe, configure, classify, realloc } = parts;
    // At 16 the name, at 32 the version; at 64 the description, which points to them; from 256 on
    // zeros, which are the result `ok` of whatever type.
    let text = format!(
        r#"(module
            {memory}
            (global $top (mut i32) (i32.const 4096))
            (data (i32.const 16) "forged")
            (data (i32.const 32) "1.0")
            (data (i32.const 64) "\10\00\00\00\06\00\00\00\20\00\00\00\03\00\00\00\10\00\00\00\06\00\00\00")
            (data (i32.const 96) "\02")
            {fields}
            (func (export "describe") (result i32) {describe})
            (func (export "configure") (param i32 i32) (result i32) {configure})
            (func (export "classify") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32)
                (global.set $top (i32.const 4096)) {classify})
            (func (export "finish") (result i32) (i32.const 256))
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) {realloc}))"#
    );
    wat::parse_str(&text).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// A module that has what a plugin must export, for a generator to imitate.
fn exports() -> Vec<u8> {
    const EXPORTS: &str = r#"(module
        (memory (export "memory") 1)
        (func (export "describe") (result i32) unreachable)
        (func (export "configure") (param i32 i32) (result i32) unreachable)
        (func (export "classify") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
        (func (export "finish") (result i32) unreachable)
        (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable))"#;
    wat::parse_str(EXPORTS).unwrap()
}

/// A module with such exports as a plugin.
pub fn with_contract(module: Vec<u8>) -> Vec<u8> {
    embed(module, &[WIT], "detector")
}

/// Attaches the component type, as wit-bindgen does: that of a world in the last of these packages.
fn embed(mut module: Vec<u8>, wit: &[&str], world: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let packages = wit.iter().map(|text| resolve.push_str("package.wit", text).unwrap());
    let last = packages.last().unwrap();
    let world = resolve.select_world(&[last], Some(world)).unwrap();
    wit_component::embed_component_metadata(
        &mut module,
        &resolve,
        world,
        wit_component::StringEncoding::UTF8,
    )
    .unwrap();
    module
}
