//! The contract as the host sees it, whatever its version: [`Exports`] is what a guest can be
//! asked, and one module a released version (so far [`v0_1`]) translates to and from what
//! bindgen makes of the WIT. Only those modules see generated types.

mod v0_1;

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Linker};

use super::GuestErrorKind;
use super::instance::GuestState;

/// The versions that this host speaks, for messages.
pub const SPOKEN: &str = "0.1";

/// The package whose version is the contract's version.
pub const PACKAGE: &str = "ingest:detector/";

/// Functions that every detector exports.
pub const EXPORTS: [&str; 4] = ["describe", "configure", "classify", "finish"];

/// Functions that a stateful detector exports besides.
pub const STATE_EXPORTS: [&str; 2] = ["snapshot", "restore"];

/// A version of the contract that this host speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ContractVersion {
    /// `ingest:detector@0.1.x`
    V0_1,
}

impl ContractVersion {
    /// The host's version for a plugin's, such as `0.1.3`; none where this host does not speak it.
    /// Before 1.0, a minor version is a version of its own.
    #[must_use]
    pub fn of_plugin(version: &str) -> Option<ContractVersion> {
        let mut parts = version.split('.');
        match (parts.next(), parts.next(), parts.next()) {
            (Some("0"), Some("1"), Some(_)) => Some(ContractVersion::V0_1),
            _ => None,
        }
    }

    /// Makes what this version imports known to the linker.
    pub fn link(self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        match self {
            ContractVersion::V0_1 => v0_1::link(linker),
        }
    }

    /// Checks names and types of the exports, before anything of the component runs.
    pub fn check_exports(self, component: &InstancePre<GuestState>) -> wasmtime::Result<()> {
        match self {
            ContractVersion::V0_1 => v0_1::check_exports(component),
        }
    }

    /// The exports of a live instance.
    pub fn exports(
        self,
        store: &mut Store<GuestState>,
        instance: &Instance,
    ) -> wasmtime::Result<Box<dyn Exports>> {
        match self {
            ContractVersion::V0_1 => v0_1::exports(store, instance),
        }
    }
}

/// What a guest can be asked. The outer error is a trap, the inner one the guest's own answer.
pub trait Exports: Send {
    fn describe(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Metadata>;
    fn configure(
        &self,
        store: &mut Store<GuestState>,
        settings: &[(String, String)],
    ) -> wasmtime::Result<Result<(), GuestError>>;
    fn classify(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
    ) -> wasmtime::Result<Result<Vec<Anomaly>, GuestError>>;
    fn finish(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Result<(), GuestError>>;
    /// Only of a stateful detector.
    fn snapshot(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Result<Vec<u8>, GuestError>>;
    /// Only of a stateful detector.
    fn restore(
        &self,
        store: &mut Store<GuestState>,
        state: Vec<u8>,
    ) -> wasmtime::Result<Result<(), GuestError>>;
}

/// The contract's `error`.
pub enum GuestError {
    InvalidSetting { name: String, message: String },
    Other { kind: GuestErrorKind, message: String },
}

/// What a detector says about itself; verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Lower-case words joined by hyphens.
    pub name: String,
    /// The detector's own version.
    pub version: String,
    /// What it finds.
    pub description: String,
    /// All settings that it accepts.
    pub settings: Vec<SettingDescription>,
    /// Further CSV columns that it needs.
    pub attributes: Vec<String>,
    /// What it needs of the order of rows.
    pub ordering: Ordering,
}

/// One setting of a detector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingDescription {
    /// Its name.
    pub name: String,
    /// The kind of its values.
    pub kind: SettingKind,
    /// The value that holds where none is given.
    pub default: Option<String>,
    /// What it does.
    pub doc: String,
}

/// The kind of a setting's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SettingKind {
    /// Any text.
    Text,
    /// A whole number of 64 bits.
    Integer,
    /// A decimal number.
    Decimal,
    /// `true` or `false`.
    Boolean,
}

/// How rows may be spread over instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ordering {
    /// Each row is judged by itself.
    Any,
    /// All rows of a user to one instance, in file order.
    PerUser,
    /// All rows to one instance, in file order.
    File,
}
