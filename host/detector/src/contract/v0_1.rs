//! `ingest:detector@0.1`: the only place that sees what bindgen generates from it.

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use host_core::column::{Column, ColumnKind, ColumnRequest};
use host_core::state::State;
use wasmtime::Store;
use wasmtime::component::{
    ComponentNamedList, ComponentType, HasSelf, Instance, InstancePre, Lift, Linker, Lower, TypedFunc,
};

use crate::contract::exports::Exports;
use crate::contract::types::{
    GuestError, GuestErrorKind, Metadata, Ordering, SettingDescription, SettingKind,
};
use crate::contract::version::Ability;
use crate::runtime::state::GuestState;

mod generated {
    #![allow(missing_docs, reason = "generated; the WIT is the documentation")]
    #![allow(unsafe_code, reason = "generated; bindgen checked the types at instantiation")]
    #![allow(unused_qualifications, clippy::all, reason = "generated")]
    wasmtime::component::bindgen!({
        path: "../../wit/detector-0.1",
        world: "detector",
        // Columns are passed as slices: lists of numbers cross without a copy of our own.
        ownership: Borrowing { duplicate_if_necessary: true },
    });
}

use generated::ingest::detector::{host, types};

pub fn link(linker: &mut Linker<GuestState>) -> wasmtime::Result<()> {
    generated::Detector::add_to_linker::<_, HasSelf<_>>(linker, |state| state)
}

pub fn check_exports(component: &InstancePre<GuestState>) -> wasmtime::Result<()> {
    generated::DetectorPre::new(component.clone()).map(drop)
}

pub fn exports(store: &mut Store<GuestState>, instance: &Instance) -> wasmtime::Result<Box<dyn Exports>> {
    let detector = generated::Detector::new(&mut *store, instance)?;
    let exported = Exported { detector, instance: *instance };
    exported.check_others(store)?;
    Ok(Box::new(exported))
}

/// The contract's `state`, from a guest.
#[derive(ComponentType, Lift)]
#[component(record)]
struct StateReturned {
    shared: Option<Vec<u8>>,
    users: Vec<i64>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl From<StateReturned> for State {
    fn from(StateReturned { shared, users, ends, bytes }: StateReturned) -> State {
        State { shared, users, ends, bytes }
    }
}

/// The contract's `state`, for a guest.
#[derive(ComponentType, Lower)]
#[component(record)]
struct StatePassed<'a> {
    shared: Option<&'a [u8]>,
    users: &'a [i64],
    ends: &'a [u32],
    bytes: &'a [u8],
}

impl<'a> From<&'a State> for StatePassed<'a> {
    fn from(State { shared, users, ends, bytes }: &'a State) -> StatePassed<'a> {
        StatePassed { shared: shared.as_deref(), users, ends, bytes }
    }
}

/// A live detector.
struct Exported {
    detector: generated::Detector,
    instance: Instance,
}

impl types::Host for GuestState {}

impl host::Host for GuestState {
    fn log(&mut self, level: host::Level, message: String) {
        let level = match level {
            host::Level::Debug => tracing::Level::DEBUG,
            host::Level::Info => tracing::Level::INFO,
            host::Level::Warn => tracing::Level::WARN,
            host::Level::Error => tracing::Level::ERROR,
        };
        self.log.message(level, &message);
    }
}

impl Exports for Exported {
    fn describe(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Metadata> {
        self.detector.call_describe(store).map(Metadata::from)
    }

    fn configure(
        &self,
        store: &mut Store<GuestState>,
        settings: &[(String, String)],
    ) -> wasmtime::Result<Result<Vec<ColumnRequest>, GuestError>> {
        let settings: Vec<_> = settings.iter().map(|(name, value)| types::Setting { name, value }).collect();
        Ok(match self.detector.call_configure(store, &settings)? {
            Ok(columns) => Ok(columns.into_iter().map(ColumnRequest::from).collect()),
            Err(error) => Err(error.into()),
        })
    }

    fn classify(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
    ) -> wasmtime::Result<Result<Vec<Anomaly>, GuestError>> {
        let answer = with_batch(batch, |batch| self.detector.call_classify(&mut *store, batch))?;
        Ok(match answer {
            Ok(anomalies) => Ok(anomalies
                .into_iter()
                .map(|types::Anomaly { row, score, reason }| Anomaly { row, score, reason })
                .collect()),
            Err(error) => Err(error.into()),
        })
    }

    fn finish(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Result<(), GuestError>> {
        Ok(self.detector.call_finish(store)?.map_err(GuestError::from))
    }

    fn score(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
    ) -> wasmtime::Result<Result<Vec<f64>, GuestError>> {
        with_batch(batch, |batch| {
            let score = self.function::<(types::Batch<'_>,), Vec<f64>>(store, "score")?;
            Ok(score.call(store, (batch,))?.0.map_err(GuestError::from))
        })
    }

    fn snapshot(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Result<State, GuestError>> {
        let snapshot = self.function::<(), StateReturned>(store, "snapshot")?;
        Ok(snapshot.call(store, ())?.0.map(State::from).map_err(GuestError::from))
    }

    fn restore(
        &self,
        store: &mut Store<GuestState>,
        state: &State,
    ) -> wasmtime::Result<Result<(), GuestError>> {
        let restore = self.function::<(StatePassed<'_>,), ()>(store, "restore")?;
        Ok(restore.call(store, (StatePassed::from(state),))?.0.map_err(GuestError::from))
    }

    fn feedback(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
        labels: &[bool],
    ) -> wasmtime::Result<Result<(), GuestError>> {
        with_batch(batch, |batch| {
            let feedback = self.function::<(types::Batch<'_>, &[bool]), ()>(store, "feedback")?;
            Ok(feedback.call(store, (batch, labels))?.0.map_err(GuestError::from))
        })
    }
}

impl Exported {
    /// Checks the types of the functions that not every detector has.
    fn check_others(&self, store: &mut Store<GuestState>) -> wasmtime::Result<()> {
        for ability in Ability::ALL {
            let mut has = |name: &&str| self.instance.get_func(&mut *store, name).is_some();
            if !ability.exports().iter().all(&mut has) {
                continue;
            }
            match ability {
                Ability::Scoring => {
                    self.function::<(types::Batch<'_>,), Vec<f64>>(store, "score")?;
                }
                Ability::Stateful => {
                    self.function::<(), StateReturned>(store, "snapshot")?;
                    self.function::<(StatePassed<'_>,), ()>(store, "restore")?;
                }
                Ability::Learning => {
                    self.function::<(types::Batch<'_>, &[bool]), ()>(store, "feedback")?;
                }
            }
        }
        Ok(())
    }

    /// A function that not every detector has; its type is checked.
    fn function<P, T>(
        &self,
        store: &mut Store<GuestState>,
        name: &str,
    ) -> wasmtime::Result<TypedFunc<P, (Result<T, types::Error>,)>>
    where
        P: ComponentNamedList + Lower,
        T: ComponentType + Lift + 'static,
    {
        self.instance.get_typed_func(&mut *store, name)
    }
}

/// Passes a batch as the contract has it: slices of ours.
fn with_batch<T>(batch: &Batch, pass: impl FnOnce(types::Batch<'_>) -> T) -> T {
    let column = |column| match column {
        &Column::Absent => types::Column::Absent,
        Column::Text(texts) => {
            types::Column::Text(types::TextColumn { codes: texts.codes(), dictionary: texts.dictionary() })
        }
        Column::Number(numbers) => types::Column::Number(numbers),
    };
    let columns: Vec<_> = batch.columns.iter().map(column).collect();
    pass(types::Batch {
        user_ids: &batch.user_ids,
        amounts: &batch.amounts_cents,
        timestamps: &batch.timestamps_micros,
        columns: &columns,
    })
}

impl From<types::ColumnRequest> for ColumnRequest {
    fn from(request: types::ColumnRequest) -> ColumnRequest {
        ColumnRequest {
            name: request.name,
            kind: match request.kind {
                types::ColumnKind::Text => ColumnKind::Text,
                types::ColumnKind::Number => ColumnKind::Number,
            },
            required: request.required,
        }
    }
}

impl From<types::Error> for GuestError {
    fn from(error: types::Error) -> GuestError {
        match error {
            types::Error::InvalidSetting(types::InvalidSetting { name, message }) => {
                GuestError::InvalidSetting { name, message }
            }
            types::Error::InvalidInput(message) => {
                GuestError::Other { kind: GuestErrorKind::InvalidInput, message }
            }
            types::Error::Internal(message) => GuestError::Other { kind: GuestErrorKind::Internal, message },
        }
    }
}

impl From<types::Metadata> for Metadata {
    fn from(metadata: types::Metadata) -> Metadata {
        Metadata {
            name: metadata.name,
            version: metadata.version,
            description: metadata.description,
            settings: metadata.settings.into_iter().map(SettingDescription::from).collect(),
            ordering: match metadata.ordering {
                types::Ordering::Any => Ordering::Any,
                types::Ordering::PerUser => Ordering::PerUser,
                types::Ordering::File => Ordering::File,
            },
        }
    }
}

impl From<types::SettingDescription> for SettingDescription {
    fn from(setting: types::SettingDescription) -> SettingDescription {
        SettingDescription {
            name: setting.name,
            kind: match setting.kind {
                types::SettingKind::Text => SettingKind::Text,
                types::SettingKind::Integer => SettingKind::Integer,
                types::SettingKind::Decimal => SettingKind::Decimal,
                types::SettingKind::Boolean => SettingKind::Boolean,
            },
            default: setting.default,
            doc: setting.doc,
        }
    }
}
