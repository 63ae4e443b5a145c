//! `wasi_snapshot_preview1`, WASI as it was before components: Go, C++ and C with stdio import it, whether they need
//! it or not. A module that does so gets a stub of ours beside it (`stub.wat` says what it does), which grants
//! nothing, and of which nothing is left but printed text, passed to [`link`]'s only function.

use wasmtime::component::Linker;
use wasmtime::{Result, StoreContextMut};

use crate::runtime::state::GuestState;

/// The module that such modules import from.
pub const MODULE: &str = "wasi_snapshot_preview1";

/// What the stub imports; no part of the contract, but nothing beyond `log` either.
pub const OUTPUT: &str = "ingest:preview1/output@0.1.0";

/// `stub.wat` with the type in `stub.wit`, as wit-component takes it. A test makes it again and compares.
pub const STUB: &[u8] = include_bytes!("stub.wasm");

/// What the stub imports, in WIT.
#[cfg(test)]
pub const WIT: &str = include_str!("stub.wit");

/// Adds what the stub imports to the linker.
pub fn link(linker: &mut Linker<GuestState>) -> Result<()> {
    let write = |store: StoreContextMut<'_, GuestState>, (is_error, bytes): (bool, Vec<u8>)| {
        let level = if is_error { tracing::Level::WARN } else { tracing::Level::INFO };
        store.data().log.write(level, &bytes);
        Ok(())
    };
    linker.instance(OUTPUT)?.func_wrap("write", write)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use wit_component::StringEncoding;
    use wit_parser::Resolve;

    /// Whoever changes the text or wit-component gets the new stub beside the old one.
    #[test]
    fn the_stub_is_up_to_date() {
        let mut stub = wat::parse_str(include_str!("stub.wat")).unwrap();
        let mut resolve = Resolve::default();
        let package = resolve.push_str("stub.wit", super::WIT).unwrap();
        let world = resolve.select_world(&[package], Some("stub")).unwrap();
        wit_component::embed_component_metadata(&mut stub, &resolve, world, StringEncoding::UTF8).unwrap();
        if stub != super::STUB {
            let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/runtime/preview1/stub.wasm.new");
            std::fs::write(&file, &stub).unwrap();
            panic!("the stub has changed: replace stub.wasm by {}", file.display());
        }
    }
}
