//! What can be known about a plugin without compiling it: what its bytes are, which contract they speak, and
//! what they import.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use host_core::digest::Sha256Digest;
use host_core::text::listed;
use wasmparser::{ComponentTypeRef, Encoding, Parser, Payload};

use crate::contract::version::{Ability, ContractVersion, EXPORTS, PACKAGE};
use crate::error::{DetectorError, SHOWN_IMPORTS};
use crate::plugin::sandbox::Sandbox;
use crate::plugin::state_size;
use crate::runtime::{preview1, wasi};

/// What a plugin's bytes say about it, without compiling or running it.
pub struct PluginInfo {
    /// The file.
    pub file: PathBuf,
    /// Its size.
    pub bytes: u64,
    /// The digest of its bytes.
    pub sha256: Sha256Digest,
    /// What its bytes are.
    pub form: Form,
    /// The version of the contract in its imports.
    pub contract_version: String,
    /// What it imports.
    pub imports: Vec<Import>,
    /// What it can do beyond what every detector can.
    pub abilities: Vec<Ability>,
}

/// Which of the two kinds of WebAssembly it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A component.
    Component,
    /// A core module with a component type; the host turns it into a component.
    CoreModule,
}

/// Something that a plugin imports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its name.
    pub name: String,
    /// What the plugin gets.
    pub access: Access,
}

/// What a plugin gets when it imports something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// The contract's own, or the log for what is printed.
    Granted,
    /// It can be imported, but grants nothing.
    Stubbed,
    /// The host does not provide it; the plugin cannot be loaded.
    Refused,
}

impl Access {
    fn to(import: &str) -> Access {
        let is_contract = |rest: &str| {
            rest.split_once('@').is_some_and(|(_, version)| ContractVersion::of_plugin(version).is_some())
        };
        match import.strip_prefix(PACKAGE) {
            Some(rest) if is_contract(rest) => Access::Granted,
            None if import == preview1::OUTPUT => Access::Granted,
            None if wasi::offers(import) => Access::Stubbed,
            _ => Access::Refused,
        }
    }
}

/// Finds out what can be known about a plugin without compiling it.
///
/// # Errors
/// If the file is not a detector.
pub fn examine(sandbox: &Sandbox, file: &Path) -> Result<PluginInfo, DetectorError> {
    let Opened { bytes, sha256, form, names, .. } = open(sandbox, file)?;
    let (contract_version, _) = contract_of(file, &names)?;
    let abilities = abilities_of(&names);
    let import = |name: String| Import { access: Access::to(&name), name };
    let imports = names.imports.into_iter().map(import).collect();
    Ok(PluginInfo { file: file.to_owned(), bytes, sha256, form, contract_version, imports, abilities })
}

/// What a plugin with these exports can do beyond what every detector can.
pub fn abilities_of(names: &Names) -> Vec<Ability> {
    let exports_all = |ability: &Ability| {
        ability.exports().iter().all(|name| names.exports.iter().any(|export| export == name))
    };
    Ability::ALL.into_iter().filter(exports_all).collect()
}

/// A plugin's bytes, as a component.
pub struct Opened {
    /// The file's size.
    pub bytes: u64,
    pub sha256: Sha256Digest,
    pub form: Form,
    pub component: Vec<u8>,
    pub names: Names,
    /// What its instances take besides memories and tables, in bytes.
    pub state_bytes: u64,
}

pub fn open(sandbox: &Sandbox, file: &Path) -> Result<Opened, DetectorError> {
    let bytes = read(file, sandbox.limits.plugin_bytes)?;
    let sha256 = Sha256Digest::of(&bytes);
    match sandbox.requirements.sha256 {
        Some(expected) if expected != sha256 => {
            return Err(DetectorError::OtherBytes { file: file.to_owned(), expected, found: sha256 });
        }
        _ => {}
    }
    let size = bytes.len() as u64;
    let (form, component) = as_component(file, bytes)?;
    let names = names_of(file, &component)?;
    let state_bytes = state_size::state_bytes(&component).map_err(|error| malformed(file, error))?;
    Ok(Opened { bytes: size, sha256, form, component, names, state_bytes })
}

/// The component that is run for a file with these bytes.
pub fn as_component(file: &Path, bytes: Vec<u8>) -> Result<(Form, Vec<u8>), DetectorError> {
    match kind_of(file, &bytes)? {
        Encoding::Component => Ok((Form::Component, bytes)),
        Encoding::Module => Ok((Form::CoreModule, componentize(file, &bytes)?)),
    }
}

/// Never reads more than allowed, whatever the file system says about the size.
pub fn read(file: &Path, allowed: u64) -> Result<Vec<u8>, DetectorError> {
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
        _ => "not WebAssembly at all",
    };
    Err(DetectorError::NotWasm { file: file.to_owned(), found })
}

/// Wraps a core module that carries its component type in a custom section, as wit-bindgen leaves it, in a
/// component, together with the stub for WASI before components if it imports that. The encoder would turn a
/// module without such a section into an *empty* component, so that is checked first.
fn componentize(file: &Path, module: &[u8]) -> Result<Vec<u8>, DetectorError> {
    let malformed = |source| DetectorError::Malformed { file: file.to_owned(), source };
    let (mut has_type, mut needs_preview1) = (false, false);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|error| malformed(wasmtime::Error::new(error)))?;
        match payload {
            Payload::CustomSection(section) => has_type |= section.name().starts_with("component-type"),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(|error| malformed(wasmtime::Error::new(error)))?;
                    needs_preview1 |= import.module == preview1::MODULE;
                }
            }
            _ => {}
        }
    }
    if !has_type {
        return Err(DetectorError::CoreModule { file: file.to_owned() });
    }
    // The encoder is made for what compilers produce, and may panic on anything else.
    let encode = || {
        let mut encoder = wit_component::ComponentEncoder::default().validate(true).module(module)?;
        if needs_preview1 {
            encoder = encoder.adapter(preview1::MODULE, preview1::STUB)?;
        }
        encoder.encode()
    };
    match std::panic::catch_unwind(encode) {
        Ok(encoded) => encoded.map_err(|error| malformed(wasmtime::Error::from_anyhow(error))),
        Err(_) => Err(malformed(wasmtime::Error::msg("it cannot be turned into a component"))),
    }
}

/// Names of a component's own imports and exports.
pub struct Names {
    pub imports: Vec<String>,
    pub exports: Vec<String>,
}

/// The contract version, from the names of the component's own imports and exports.
pub fn contract_of(file: &Path, names: &Names) -> Result<(String, ContractVersion), DetectorError> {
    let versions: Vec<&str> = names
        .imports
        .iter()
        .chain(&names.exports)
        .filter_map(|name| Some(name.strip_prefix(PACKAGE)?.split_once('@')?.1))
        .collect();
    let not_a_detector = |missing| DetectorError::NotADetector { file: file.to_owned(), missing };
    let Some(&version) = versions.first() else {
        return Err(not_a_detector(match names.imports.as_slice() {
            [] => format!("it imports nothing, not even `{PACKAGE}…`"),
            imports => format!("it imports {}, but not `{PACKAGE}…`", listed(imports, SHOWN_IMPORTS)),
        }));
    };
    let unknown = versions.iter().find(|version| ContractVersion::of_plugin(version).is_none());
    let Some(contract) = ContractVersion::of_plugin(version).filter(|_| unknown.is_none()) else {
        let version = (*unknown.unwrap_or(&version)).to_owned();
        return Err(DetectorError::WrongContract { file: file.to_owned(), version });
    };
    match EXPORTS.iter().find(|name| !names.exports.iter().any(|export| export == *name)) {
        None => Ok((version.to_owned(), contract)),
        Some(missing) => Err(not_a_detector(format!("it does not export `{missing}`"))),
    }
}

/// The linker would say the same, but only after compiling, and only about the first one.
pub fn check_imports(file: &Path, names: &Names) -> Result<(), DetectorError> {
    let refused = names.imports.iter().filter(|name| Access::to(name) == Access::Refused);
    let imports: Vec<String> = refused.cloned().collect();
    if imports.is_empty() {
        return Ok(());
    }
    Err(DetectorError::RefusedImports { file: file.to_owned(), imports })
}

pub fn check_strictly(file: &Path, names: &Names) -> Result<(), DetectorError> {
    let others = names.imports.iter().filter(|name| Access::to(name) != Access::Granted);
    let imports: Vec<String> = others.cloned().collect();
    if imports.is_empty() { Ok(()) } else { Err(DetectorError::NotStrict { file: file.to_owned(), imports }) }
}

fn malformed(file: &Path, error: wasmparser::BinaryReaderError) -> DetectorError {
    DetectorError::Malformed { file: file.to_owned(), source: wasmtime::Error::new(error) }
}

/// Names of the outermost component's imports (except types) and exports.
fn names_of(file: &Path, component: &[u8]) -> Result<Names, DetectorError> {
    let mut names = Names { imports: Vec::new(), exports: Vec::new() };
    let mut collect = || -> Result<(), wasmparser::BinaryReaderError> {
        let mut depth = 0;
        for payload in Parser::new(0).parse_all(component) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth -= 1,
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let import = import?;
                        // Types are imported under plain names; they give no access to anything.
                        if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                            names.imports.push(import.name.name.to_owned());
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        names.exports.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(())
    };
    match collect() {
        Ok(()) => Ok(names),
        Err(error) => Err(malformed(file, error)),
    }
}
