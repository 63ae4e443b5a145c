//! The contract as the host sees it, whatever its version: [`Exports`] is what a guest can be asked to do, in
//! [`types`] of our own, with [`settings`] as it promises them, and one module per released [`version`] (so far
//! [`v0_1`]) translates to and from what bindgen generates from the WIT. Only those modules see generated types.

pub(crate) mod exports;
pub(crate) mod settings;
pub(crate) mod types;
mod v0_1;
pub(crate) mod version;

use wasmtime::Store;
use wasmtime::component::{Instance, InstancePre, Linker};

use crate::contract::exports::Exports;
use crate::contract::version::ContractVersion;
use crate::runtime::state::GuestState;

impl ContractVersion {
    /// Adds what this version imports to the linker.
    pub fn link(self, linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
        match self {
            ContractVersion::V0_1 => v0_1::link(linker),
        }
    }

    /// Checks names and types of the exports, before any of the component's code runs.
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
