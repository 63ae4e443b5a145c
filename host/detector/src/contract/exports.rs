//! What a guest can be asked to do, whichever version of the contract it speaks.

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::column::ColumnRequest;
use host_core::state::State;
use wasmtime::Store;

use crate::contract::types::{GuestError, Metadata};
use crate::runtime::state::GuestState;

/// What a guest can be asked to do. The outer error is a trap, the inner one the guest's own answer.
pub trait Exports: Send {
    fn describe(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Metadata>;
    fn configure(
        &self,
        store: &mut Store<GuestState>,
        settings: &[(String, String)],
    ) -> wasmtime::Result<Result<Vec<ColumnRequest>, GuestError>>;
    fn classify(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
    ) -> wasmtime::Result<Result<Vec<Anomaly>, GuestError>>;
    fn finish(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Result<(), GuestError>>;
    /// Only for a scoring detector.
    fn score(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
    ) -> wasmtime::Result<Result<Vec<f64>, GuestError>>;
    /// Only for a stateful detector.
    fn snapshot(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Result<State, GuestError>>;
    /// Only for a stateful detector.
    fn restore(
        &self,
        store: &mut Store<GuestState>,
        state: &State,
    ) -> wasmtime::Result<Result<(), GuestError>>;
    /// Only for a learning detector.
    fn feedback(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
        labels: &[bool],
    ) -> wasmtime::Result<Result<(), GuestError>>;
}
