//! Write anomaly detectors for `host` in Rust.
//!
//! A detector is a type that implements [`Detector`]; [`export_detector!`] turns the crate
//! into a plugin. Everything else is plain Rust: `cargo test` runs a detector natively, on rows
//! from CSV text (see [`testing`]), without WebAssembly being involved.
//!
//! ```
//! use detector_sdk::{Anomaly, Batch, Detector, Error, Metadata, Ordering, Settings};
//!
//! struct Refunds;
//!
//! impl Detector for Refunds {
//!     fn describe() -> Metadata {
//!         Metadata::new("refunds", "1.0.0", "Flags every refund.", Ordering::Any)
//!     }
//!     fn configure(_: &Settings) -> Result<Self, Error> {
//!         Ok(Refunds)
//!     }
//!     fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
//!         Ok(batch
//!             .rows()
//!             .filter(|row| row.amount_cents() < 0)
//!             .map(|row| row.anomaly(1.0, format!("refund of {}", -row.amount())))
//!             .collect())
//!     }
//! }
//!
//! detector_sdk::export_detector!(Refunds);
//!
//! use detector_sdk::testing::run;
//! let found = run::<Refunds>(&[], "user_id, amount\n7, 12.50\n7, -3.00\n").unwrap();
//! found.assert_rows(&[1]);
//! found.assert_reason(1, "refund of 3.00");
//! ```
//!
//! A plugin crate needs `crate-type = ["cdylib", "rlib"]` and is built with
//! `cargo build --release --target wasm32-unknown-unknown`; the host takes the `.wasm` as it is.
//! `host plugin new NAME --lang rust` creates all of that. The examples `velocity` (state for each user) and
//! `attribute` (an additional column) are complete detectors with tests.
//!
//! # Rules
//!
//! A detector's answers depend on its settings and on the rows that it was given, and on nothing else: not on
//! a clock, random numbers, or how rows are split into batches. [`Ordering`] says what it requires of the
//! order. A `HashMap`'s order is random natively: do not let it affect an answer. `host plugin check` finds
//! most violations of these rules.
//!
//! An error ends the run, and nothing of it is written; so does a panic, whose message the host shows with a
//! backtrace. No `unsafe` is needed.
//!
//! # Versions
//!
//! This crate's minor version is the contract's while both are below 1.0: plugins built with `detector-sdk`
//! 0.1.x are for `ingest:detector@0.1`, and run on every host that speaks 0.1. A patch release adds and
//! fixes, and never breaks a build; `#[doc(hidden)]` items are not part of the API. A new contract version is
//! a new minor version here; a host keeps running plugins for an old one as long as it says that it speaks
//! it.

// The generated code names this crate by its full path, also from inside.
extern crate self as detector_sdk;

mod batch;
#[doc(hidden)]
pub mod bindings;
pub mod log;
#[doc(hidden)]
pub mod runtime;
mod settings;
#[cfg(not(target_family = "wasm"))]
pub mod testing;

pub use batch::Row;
pub use bindings::ingest::detector::types::{
    Anomaly, Attribute, Batch, Error, InvalidSetting, Metadata, Ordering, SettingDescription, SettingKind,
};
pub use rust_decimal::Decimal;
pub use settings::Settings;

/// One anomaly detector. The host creates an instance with [`configure`](Self::configure), hands it the rows
/// of a run batch by batch, and drops it after [`finish`](Self::finish).
///
/// The answers may depend only on the settings and on the rows seen so far: not on clocks, random numbers, or
/// how the rows were split into batches.
pub trait Detector: Sized {
    /// What the detector is and which settings it has. Must always give the same answer.
    fn describe() -> Metadata;

    /// Creates an instance. `settings` has been checked against [`describe`](Self::describe): every name is
    /// known, every value is of its kind, defaults are filled in.
    ///
    /// # Errors
    /// If a value is of the right kind but still not acceptable; see [`Settings::refuse`].
    fn configure(settings: &Settings) -> Result<Self, Error>;

    /// Judges one batch; returns the anomalous rows in increasing order.
    ///
    /// # Errors
    /// Any error ends the run; nothing of it is written.
    fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error>;

    /// Called once after the last batch.
    ///
    /// # Errors
    /// A detector that could not do its work may still fail the run here.
    fn finish(&mut self) -> Result<(), Error> {
        Ok(())
    }
}

/// Turns the crate into a plugin with the given [`Detector`]. Does nothing on native targets, so that the
/// same crate builds and can be tested there.
#[macro_export]
macro_rules! export_detector {
    ($detector:ty) => {
        #[cfg(target_family = "wasm")]
        #[allow(unsafe_code, reason = "exporting a symbol is unsafe; the generated code does it")]
        const _: () = {
            ::std::thread_local! {
                static DETECTOR: $crate::runtime::Slot<$detector> = const { $crate::runtime::Slot::new() };
            }
            struct Plugin;
            impl $crate::runtime::Guest for Plugin {
                fn describe() -> $crate::Metadata {
                    $crate::runtime::describe::<$detector>()
                }
                fn configure(
                    settings: ::std::vec::Vec<$crate::runtime::Setting>,
                ) -> ::std::result::Result<(), $crate::Error> {
                    DETECTOR.with(|slot| slot.configure(settings))
                }
                fn classify(
                    batch: $crate::Batch,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::Anomaly>, $crate::Error> {
                    DETECTOR.with(|slot| slot.classify(&batch))
                }
                fn finish() -> ::std::result::Result<(), $crate::Error> {
                    DETECTOR.with(|slot| slot.finish())
                }
            }
    $crate::bindings::export_bindings!(Plugin with_types_in $crate::bindings);
        };
    };
}
