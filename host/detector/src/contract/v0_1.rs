//! `ingest:detector@0.1`: the only place that sees what bindgen generates from it.

use host_core::anomaly::Anomaly;
use host_core::batch::Batch;
use wasmtime::Store;
use wasmtime::component::{HasSelf, Instance, InstancePre, Linker};

use crate::contract::exports::Exports;
use crate::contract::types::{
    GuestError, GuestErrorKind, Metadata, Ordering, SettingDescription, SettingKind,
};
use crate::contract::version::STATE_EXPORTS;
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
    Ok(Box::new(Exported { detector, instance: *instance }))
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
    ) -> wasmtime::Result<Result<(), GuestError>> {
        let settings: Vec<_> = settings.iter().map(|(name, value)| types::Setting { name, value }).collect();
        Ok(self.detector.call_configure(store, &settings)?.map_err(GuestError::from))
    }

    fn classify(
        &self,
        store: &mut Store<GuestState>,
        batch: &Batch,
    ) -> wasmtime::Result<Result<Vec<Anomaly>, GuestError>> {
        let values: Vec<Vec<&str>> = batch
            .attributes
            .iter()
            .map(|attribute| attribute.values.iter().map(String::as_str).collect())
            .collect();
        let attributes: Vec<_> = batch
            .attributes
            .iter()
            .zip(&values)
            .map(|(attribute, values)| types::Attribute { name: &attribute.name, values })
            .collect();
        let answer = self.detector.call_classify(
            store,
            types::Batch {
                first_row: batch.first_row,
                transaction_ids: &batch.transaction_ids,
                user_ids: &batch.user_ids,
                amounts: &batch.amounts_cents,
                timestamps: &batch.timestamps_micros,
                attributes: &attributes,
            },
        )?;
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

    fn snapshot(&self, store: &mut Store<GuestState>) -> wasmtime::Result<Result<Vec<u8>, GuestError>> {
        let name = STATE_EXPORTS[0];
        let function =
            self.instance.get_typed_func::<(), (Result<Vec<u8>, types::Error>,)>(&mut *store, name)?;
        Ok(function.call(store, ())?.0.map_err(GuestError::from))
    }

    fn restore(
        &self,
        store: &mut Store<GuestState>,
        state: Vec<u8>,
    ) -> wasmtime::Result<Result<(), GuestError>> {
        let name = STATE_EXPORTS[1];
        let function =
            self.instance.get_typed_func::<(Vec<u8>,), (Result<(), types::Error>,)>(&mut *store, name)?;
        Ok(function.call(store, (state,))?.0.map_err(GuestError::from))
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
            attributes: metadata.attributes,
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
