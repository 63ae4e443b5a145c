//! From a plugin's bytes to something that can be instantiated. Everything that can be known without running
//! the guest is found out here and in [`mod@crate::plugin::examine`].

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use host_core::digest::Sha256Digest;
use wasmtime::component::{Component, InstancePre, Linker};

use crate::contract::version::{Ability, ContractVersion};
use crate::error::{Call, DetectorError};
use crate::plugin::compiler::{self, CompileError};
use crate::plugin::examine::{Opened, abilities_of, check_imports, check_strictly, contract_of, open};
use crate::plugin::sandbox::Sandbox;
use crate::plugin::source::Source;
use crate::refusal::Refusal;
use crate::runtime::limits::Limits;
use crate::runtime::profile::Profile;
use crate::runtime::state::GuestState;
use crate::runtime::{preview1, wasi};

/// A plugin that has been checked and compiled; none of its code has run.
pub struct Plugin {
    /// The file.
    pub file: PathBuf,
    /// The digest of the file's bytes, the very ones that were compiled.
    pub sha256: Sha256Digest,
    /// The version of the contract in its imports, such as `0.1.0`.
    pub contract_version: String,
    /// What it can do beyond what every detector can.
    pub abilities: Vec<Ability>,
    /// How long it took to compile; `None` if it was in the cache.
    pub compile_time: Option<Duration>,
    pub(crate) contract: ContractVersion,
    pub(crate) component: InstancePre<GuestState>,
    pub(crate) source: Arc<Source>,
    pub(crate) limits: Limits,
    /// What an instance takes besides memories and tables, its stack included, in bytes.
    pub(crate) fixed_bytes: usize,
}

impl Plugin {
    /// An empty profile of this plugin, for its [instances](crate::Detector::set_profile) to fill.
    ///
    /// # Errors
    /// [`DetectorError::Engine`] if the engine cannot do it.
    pub fn profile(&self) -> Result<Profile, DetectorError> {
        let profile = Profile::new(self.component.component(), &file_name(&self.file));
        profile.map_err(|source| DetectorError::Engine { source })
    }

    /// The same plugin with another [`chance`](Limits::chance), to be compared with this one.
    #[must_use]
    pub fn with_chance(&self, chance: u8) -> Plugin {
        Plugin {
            file: self.file.clone(),
            contract_version: self.contract_version.clone(),
            abilities: self.abilities.clone(),
            component: self.component.clone(),
            source: Arc::clone(&self.source),
            limits: Limits { chance, ..self.limits.clone() },
            ..*self
        }
    }
}

/// Reads, checks and compiles a plugin.
///
/// # Errors
/// If the file is not a plugin for this host, saying what it is instead.
pub fn load(sandbox: &Sandbox, file: &Path) -> Result<Plugin, DetectorError> {
    let Opened { sha256, component, names, state_bytes, .. } = open(sandbox, file)?;
    let (contract_version, contract) = contract_of(file, &names)?;
    if sandbox.requirements.strict {
        check_strictly(file, &names)?;
    }
    check_imports(file, &names)?;
    let fixed_bytes = check_state(file, state_bytes, &sandbox.limits)?;

    let (component, compile_time) = compile(sandbox, file, sha256, component)?;
    let does_not_fit = |source| {
        refused(file, "while it was linked", source)
            .unwrap_or_else(|source| DetectorError::Link { plugin: file_name(file), source })
    };
    let mut linker = Linker::new(&sandbox.engine);
    contract.link(&mut linker).map_err(does_not_fit)?;
    wasi::link(&mut linker).map_err(does_not_fit)?;
    preview1::link(&mut linker).map_err(does_not_fit)?;
    let component = linker.instantiate_pre(&component).map_err(does_not_fit)?;
    contract.check_exports(&component).map_err(does_not_fit)?;

    Ok(Plugin {
        file: file.to_owned(),
        sha256,
        contract_version,
        abilities: abilities_of(&names),
        compile_time,
        contract,
        component,
        source: Arc::new(Source::new(file.to_owned(), sha256, sandbox.limits.plugin_bytes)),
        limits: sandbox.limits.clone(),
        fixed_bytes,
    })
}

/// An instance's state and stack count as memory, and are known before anything is compiled.
fn check_state(file: &Path, state_bytes: u64, limits: &Limits) -> Result<usize, DetectorError> {
    let asked_bytes = usize::try_from(state_bytes).unwrap_or(usize::MAX).saturating_add(limits.stack_bytes);
    if asked_bytes <= limits.memory_bytes {
        return Ok(asked_bytes);
    }
    let (plugin, allowed_bytes) = (file_name(file), limits.memory_bytes);
    let (call, trace) = (Call::Start, Box::default());
    Err(DetectorError::Memory { plugin, call, asked_bytes, allowed_bytes, trace })
}

/// The component from the cache, or else compiled, with the time that took.
fn compile(
    sandbox: &Sandbox,
    file: &Path,
    sha256: Sha256Digest,
    component: Vec<u8>,
) -> Result<(Component, Option<Duration>), DetectorError> {
    let Sandbox { engine, settings, cache, limits, .. } = sandbox;
    if let Some(component) = cache.get(engine, sha256) {
        return Ok((component, None));
    }
    let started = Instant::now();
    let code =
        compiler::compile(component, settings, limits).map_err(|error| not_compiled(file, limits, error))?;
    let component = code.load(engine).map_err(|source| {
        refused(file, WHILE_COMPILED, source).unwrap_or_else(|source| DetectorError::Engine { source })
    })?;
    let compile_time = started.elapsed();
    cache.keep(engine, sha256, &code);
    Ok((component, Some(compile_time)))
}

const WHILE_COMPILED: &str = "while it was compiled";

fn not_compiled(file: &Path, limits: &Limits, error: CompileError) -> DetectorError {
    let plugin = file_name(file);
    match error {
        CompileError::Start(source) => {
            let refusal = Refusal::of_start(&source);
            let source = wasmtime::Error::from(source).context("could not start the compiler process");
            match refusal {
                Some(refusal) => {
                    let during = WHILE_COMPILED.to_owned();
                    DetectorError::System { plugin, during, refusal, source: Some(source) }
                }
                None => DetectorError::Engine { source },
            }
        }
        CompileError::Deadline => {
            DetectorError::CompileDeadline { plugin, deadline: limits.compile_deadline }
        }
        CompileError::Memory => {
            DetectorError::CompileMemory { plugin, allowed_bytes: limits.compile_memory_bytes }
        }
        CompileError::SystemMemory => DetectorError::System {
            plugin,
            during: WHILE_COMPILED.to_owned(),
            refusal: Refusal::AddressSpace,
            source: None,
        },
        CompileError::Crash(how) => DetectorError::CompilerCrash { plugin, how },
        CompileError::Invalid(source) => DetectorError::Malformed { file: file.to_owned(), source },
    }
}

/// The error for what the system refused; `Err` with the engine's own error if the system had no part in it.
fn refused(file: &Path, during: &str, source: wasmtime::Error) -> Result<DetectorError, wasmtime::Error> {
    let Some(refusal) = Refusal::of(&source) else { return Err(source) };
    let (plugin, during) = (file_name(file), during.to_owned());
    Ok(DetectorError::System { plugin, during, refusal, source: Some(source) })
}

/// The last part of a path, for messages.
pub(crate) fn file_name(file: &Path) -> String {
    file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned()
}
