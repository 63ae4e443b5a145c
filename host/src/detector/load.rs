//! From a plugin's bytes to something that can be instantiated. All that can be known without
//! running the guest is found out here: what the bytes are, which contract they speak, whether
//! imports and exports fit.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;
use wasmtime::component::{Component, InstancePre, Linker};

use super::contract::{ContractVersion, EXPORTS, PACKAGE};
use super::instance::GuestState;
use super::{DetectorError, Limits, engine, wasi};
use crate::digest::Sha256Digest;

/// The engine and the limits that all plugins of a process share.
pub struct Sandbox {
    engine: Engine,
    pub(super) limits: Limits,
}

impl Sandbox {
    /// A sandbox with these limits, which keeps compiled plugins in the user's cache folder.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] where the machine cannot run WebAssembly.
    pub fn new(limits: Limits) -> Result<Sandbox, DetectorError> {
        let engine = engine::new(&limits, engine::default_cache_folder().as_deref())
            .map_err(|source| DetectorError::Engine { source })?;
        Ok(Sandbox { engine, limits })
    }
}

/// A plugin that has been checked and compiled; nothing of it has run.
pub struct Plugin {
    /// The file.
    pub file: PathBuf,
    /// The digest of the file's bytes, which are those that were compiled.
    pub sha256: Sha256Digest,
    /// The version of the contract in its imports, such as `0.1.0`.
    pub contract_version: String,
    pub(super) contract: ContractVersion,
    pub(super) component: InstancePre<GuestState>,
    pub(super) limits: Limits,
}

/// Reads, checks and compiles a plugin.
///
/// # Errors
/// Where the file is no plugin for this host, saying what it is instead.
pub fn load(sandbox: &Sandbox, file: &Path) -> Result<Plugin, DetectorError> {
    let bytes = read(file, sandbox.limits.plugin_bytes)?;
    let sha256 = Sha256Digest::of(&bytes);
    let component = match kind_of(file, &bytes)? {
        Encoding::Component => bytes,
        Encoding::Module => componentize(file, &bytes)?,
    };
    let (contract_version, contract) = contract_of(file, &component)?;

    let malformed = |source| DetectorError::Malformed { file: file.to_owned(), source };
    let component = Component::from_binary(&sandbox.engine, &component).map_err(malformed)?;
    let does_not_fit = |source| DetectorError::Link { plugin: file_name(file), source };
    let mut linker = Linker::new(&sandbox.engine);
    contract.link(&mut linker).map_err(does_not_fit)?;
    wasi::link(&mut linker).map_err(does_not_fit)?;
    let component = linker.instantiate_pre(&component).map_err(does_not_fit)?;
    contract.check_exports(&component).map_err(does_not_fit)?;

    Ok(Plugin {
        file: file.to_owned(),
        sha256,
        contract_version,
        contract,
        component,
        limits: sandbox.limits.clone(),
    })
}

/// The last part of a path, for messages.
pub(super) fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}

/// Never reads more than is allowed, whatever the file system says of the size.
fn read(file: &Path, allowed: u64) -> Result<Vec<u8>, DetectorError> {
    let fail = |source| DetectorError::Read { file: file.to_owned(), source };
    let handle = File::open(file).map_err(fail)?;
    let size = handle.metadata().map_err(fail)?.len();
    let mut bytes = Vec::new();
    handle.take(allowed.saturating_add(1)).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > allowed {
        return Err(DetectorError::TooLarge { file: file.to_owned(), bytes: size, allowed });
    }
    Ok(bytes)
}

/// Component or core module, by the first eight bytes.
fn kind_of(file: &Path, bytes: &[u8]) -> Result<Encoding, DetectorError> {
    let found = match bytes {
        [] => "an empty file",
        [0, b'a', b's', b'm', 0x0d, 0, 1, 0, ..] => return Ok(Encoding::Component),
        [0, b'a', b's', b'm', 1, 0, 0, 0, ..] => return Ok(Encoding::Module),
        [0, b'a', b's', b'm', _, _, _, _, ..] => "WebAssembly of a version that this host does not know",
        [0x1f, 0x8b, ..] => "a gzip archive; unpack it first",
        text if text.trim_ascii_start().starts_with(b"(") => {
            "WebAssembly in text format; translate it first, for instance with `wasm-tools parse`"
        }
        _ => "no WebAssembly at all",
    };
    Err(DetectorError::NotWasm { file: file.to_owned(), found })
}

/// Wraps a core module that carries its component type in a custom section, as wit-bindgen
/// leaves it, into a component. The encoder would make an *empty* component of a module without
/// such a section, so that is looked for first.
fn componentize(file: &Path, module: &[u8]) -> Result<Vec<u8>, DetectorError> {
    let malformed = |source| DetectorError::Malformed { file: file.to_owned(), source };
    let mut has_type = false;
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| malformed(wasmtime::Error::new(error)))?;
        if let Payload::CustomSection(section) = payload {
            has_type |= section.name().starts_with("component-type");
        }
    }
    if !has_type {
        return Err(DetectorError::CoreModule { file: file.to_owned() });
    }
    wit_component::ComponentEncoder::default()
        .validate(true)
        .module(module)
        .and_then(|mut encoder| encoder.encode())
        .map_err(|error| malformed(wasmtime::Error::from_anyhow(error)))
}

/// The contract version, from the names of the component's own imports and exports.
fn contract_of(file: &Path, component: &[u8]) -> Result<(String, ContractVersion), DetectorError> {
    let (imports, exports) = names_of(component).map_err(|error| DetectorError::Malformed {
        file: file.to_owned(),
        source: wasmtime::Error::new(error),
    })?;
    let version = imports.iter().chain(&exports).find_map(|name| {
        let (_, version) = name.strip_prefix(PACKAGE)?.split_once('@')?;
        Some(version.to_owned())
    });
    let not_a_detector = |missing| DetectorError::NotADetector { file: file.to_owned(), missing };
    let Some(version) = version else {
        return Err(not_a_detector(format!("nothing in it refers to `{PACKAGE}…`")));
    };
    let Some(contract) = ContractVersion::of_plugin(&version) else {
        return Err(DetectorError::WrongContract { file: file.to_owned(), version });
    };
    match EXPORTS.iter().find(|name| !exports.iter().any(|export| export == *name)) {
        None => Ok((version, contract)),
        Some(missing) => Err(not_a_detector(format!("it does not export `{missing}`"))),
    }
}

/// Names of the outermost component's imports and exports.
fn names_of(component: &[u8]) -> Result<(Vec<String>, Vec<String>), wasmparser::BinaryReaderError> {
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0;
    for payload in Parser::new(0).parse_all(component) {
        match payload? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth -= 1,
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(import?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(export?.name.name.to_owned());
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}
