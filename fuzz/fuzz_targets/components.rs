//! Generated code behind the real contract: anything a compiler accepts, with imports from the contract and a
//! few bytes changed at the end. It is refused, or it runs within its limits; nothing else happens. As in a
//! run, another process compiles: build the host first (`cargo build -p host`), or set `HOST_PROGRAM` to its
//! path.
#![no_main]

#[path = "../../host/cli/tests/suite/sandbox/forged.rs"]
#[allow(dead_code, reason = "the tests' own")]
mod forged;
mod sandboxed;

use arbitrary::{Arbitrary as _, Unstructured};
use libfuzzer_sys::fuzz_target;

/// What a generated module may import.
const IMPORTS: &str = r#"(module (import "ingest:detector/host@0.1.0" "log" (func (param i32 i32 i32))))"#;

fuzz_target!(|bytes: &[u8]| {
    let mut choices = Unstructured::new(bytes);
    let config = wasm_smith::Config {
        available_imports: Some(wat::parse_str(IMPORTS).expect("it is a module")),
        max_memories: 3,
        max_tables: 5,
        ..forged::generator()
    };
    let Ok(module) = wasm_smith::Module::new(config, &mut choices) else { return };
    let mut plugin = forged::with_contract(module.to_bytes());
    // The rest of the input corrupts a few bytes.
    for _ in 0..u8::arbitrary(&mut choices).unwrap_or_default() % 4 {
        if let (Ok(at), Ok(byte)) = (choices.choose_index(plugin.len()), u8::arbitrary(&mut choices)) {
            plugin[at] = byte;
        }
    }
    sandboxed::run(&plugin, &sandboxed::one_row());
});
