//! Arbitrary bytes as a plugin: they are refused or they run within their limits; nothing else happens.
//! Seeds: the plugins in target/debug/plugins. Another process compiles; see `components`.
#![no_main]

mod sandboxed;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sandboxed::run(bytes, &sandboxed::one_row());
});
