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
//! `host plugin new NAME --lang rust` creates all of that. The examples `velocity` (knowledge about each user, which
//! outlives the run) and `abroad` (a further column as well) are complete detectors with tests.
//!
//! # Rules
//!
//! A detector's answers depend on its settings and on the rows that it was given, and on nothing else: not on
//! a clock, random numbers, or how rows are split into batches. [`Ordering`] says what it requires of the
//! order. The order of a `HashMap` is random natively, and depends on addresses in memory in a plugin, and so on
//! the size of batches, for instance: do not let it affect an answer. `host plugin check` finds
//! most violations of these rules.
//!
//! An error ends the run, and nothing of it is written; so does a panic, whose message the host shows with a
//! backtrace. No `unsafe` is needed.
//!
//! # What a plugin lacks
//!
//! There is no clock, file, network, thread or environment. `SystemTime::now`, `Instant::now` and
//! `thread::sleep` panic, which the host's message explains; everything else returns an error. Rust's own
//! `println!` and `eprintln!` print into nothing. Those of this crate write into the host's log, and take the
//! place of Rust's in a whole crate whose `lib.rs` has these two lines, as `host plugin new` writes them:
//!
//! ```
//! #[macro_use]
//! extern crate detector_sdk;
//! # fn main() {
//! println!("{} users so far", 7);
//! assert_eq!(dbg!(1 + 1), 2);
//! # }
//! ```
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
mod entry;
pub mod log;
mod metadata;
#[doc(hidden)]
pub mod print;
mod reason;
#[doc(hidden)]
pub mod runtime;
mod settings;
mod state;
#[cfg(not(target_family = "wasm"))]
pub mod testing;
mod users;

pub use batch::{Batch, Row, Texts};
pub use bindings::ingest::detector::types::{
    Anomaly, ColumnKind, ColumnRequest, Error, InvalidSetting, Metadata, Ordering, SettingDescription,
    SettingKind,
};
pub use entry::{Decoder, Encoder, Entry};
pub use reason::quoted;
pub use rust_decimal::Decimal;
pub use settings::Settings;
pub use state::State;
pub use users::Users;

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

    /// The further CSV columns that it needs, with the settings that it has. The user can give another column
    /// of the file such a name: `--column NAME=COLUMN`.
    fn columns(&self) -> Vec<ColumnRequest> {
        Vec::new()
    }

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

/// A detector that can say how anomalous *every* row is, not only those that it flags.
pub trait Scoring: Detector {
    /// Judges and learns from a batch exactly as [`classify`](Detector::classify) does, and is called instead of
    /// it. Returns one finite score per row; the rows that `classify` flags have the same score here.
    ///
    /// # Errors
    /// Any error ends the run; nothing of it is written.
    fn score(&mut self, batch: &Batch) -> Result<Vec<f64>, Error>;
}

/// A detector whose knowledge outlives a run: the host keeps it in the database, committed together with the
/// run's rows. [`Users`] does this for knowledge by user, and has an example.
pub trait Stateful: Detector {
    /// What has changed since [`restore`](Self::restore), or since the last call. It is called until it returns
    /// an empty state, so that much can be passed in parts.
    ///
    /// # Errors
    /// Any error ends the run; nothing of it is written.
    fn snapshot(&mut self) -> Result<State, Error>;

    /// A part of what earlier runs have learned; called before the first batch, perhaps several times.
    ///
    /// # Errors
    /// If it is of a version that this one does not understand.
    fn restore(&mut self, state: &State) -> Result<(), Error>;
}

/// A detector that learns from what has become known of rows.
///
/// One that flags users who are known for fraud:
///
/// ```
/// use detector_sdk::{Anomaly, Batch, Detector, Error, Learning, Metadata, Ordering, Settings};
/// use std::collections::HashSet;
///
/// #[derive(Default)]
/// struct Known {
///     frauds: HashSet<i64>,
/// }
///
/// impl Learning for Known {
///     fn feedback(&mut self, batch: &Batch, labels: &[bool]) -> Result<(), Error> {
///         for (user_id, is_fraud) in batch.user_ids().iter().zip(labels) {
///             if *is_fraud {
///                 self.frauds.insert(*user_id);
///             }
///         }
///         Ok(())
///     }
/// }
///
/// impl Detector for Known {
///     // …
/// #     fn describe() -> Metadata { Metadata::new("known", "1.0.0", "", Ordering::PerUser) }
/// #     fn configure(_: &Settings) -> Result<Self, Error> { Ok(Known::default()) }
///     fn classify(&mut self, batch: &Batch) -> Result<Vec<Anomaly>, Error> {
///         let known = batch.rows().filter(|row| self.frauds.contains(&row.user_id()));
///         Ok(known.map(|row| row.anomaly(1.0, "a user who is known for fraud")).collect())
///     }
/// }
///
/// detector_sdk::export_detector!(Known: Learning);
///
/// use detector_sdk::testing::batch;
/// let mut detector = Known::default();
/// detector.feedback(&batch("user_id\n7\n8\n", &[]), &[true, false]).unwrap();
/// let found = detector.classify(&batch("user_id\n8\n7\n", &[])).unwrap();
/// assert_eq!((found.len(), found[0].row), (1, 1));
/// ```
///
/// What it learns from feedback outlives the run only if it is [`Stateful`], too.
pub trait Learning: Detector {
    /// Rows of earlier runs, and for each of them whether it was fraud; called before the first batch, in the
    /// order in which it became known.
    ///
    /// # Errors
    /// Any error ends the run; nothing of it is written.
    fn feedback(&mut self, batch: &Batch, labels: &[bool]) -> Result<(), Error>;
}

/// Turns the crate into a plugin with the given [`Detector`]. Does nothing on native targets, so that the
/// same crate builds and can be tested there. What else it can do is named after it:
/// `export_detector!(MyDetector: Scoring, Stateful)`.
#[macro_export]
macro_rules! export_detector {
    ($detector:ty $(: $($ability:ident),+)?) => {
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
                ) -> ::std::result::Result<::std::vec::Vec<$crate::ColumnRequest>, $crate::Error> {
                    DETECTOR.with(|slot| slot.configure(settings))
                }
                fn classify(
                    batch: $crate::runtime::RawBatch,
                ) -> ::std::result::Result<::std::vec::Vec<$crate::Anomaly>, $crate::Error> {
                    DETECTOR.with(|slot| slot.classify(batch))
                }
                fn finish() -> ::std::result::Result<(), $crate::Error> {
                    DETECTOR.with(|slot| slot.finish())
                }
            }
            $crate::bindings::export_bindings!(Plugin with_types_in $crate::bindings);
            $($($crate::__export_ability!($ability);)+)?
        };
    };
}

/// One of the things that [`export_detector!`] exports beyond a detector's own functions.
#[doc(hidden)]
#[macro_export]
macro_rules! __export_ability {
    (Scoring) => {
        impl $crate::bindings::scoring::Guest for Plugin {
            fn score(
                batch: $crate::runtime::RawBatch,
            ) -> ::std::result::Result<::std::vec::Vec<f64>, $crate::Error> {
                DETECTOR.with(|slot| slot.score(batch))
            }
        }
        $crate::bindings::scoring::export_scoring!(Plugin with_types_in $crate::bindings::scoring);
    };
    (Stateful) => {
        impl $crate::bindings::stateful::Guest for Plugin {
            fn snapshot() -> ::std::result::Result<$crate::runtime::RawState, $crate::Error> {
                DETECTOR.with(|slot| slot.snapshot())
            }
            fn restore(
                state: $crate::runtime::RawState,
            ) -> ::std::result::Result<(), $crate::Error> {
                DETECTOR.with(|slot| slot.restore(state))
            }
        }
        $crate::bindings::stateful::export_stateful!(Plugin with_types_in $crate::bindings::stateful);
    };
    (Learning) => {
        impl $crate::bindings::learning::Guest for Plugin {
            fn feedback(
                batch: $crate::runtime::RawBatch,
                labels: ::std::vec::Vec<bool>,
            ) -> ::std::result::Result<(), $crate::Error> {
                DETECTOR.with(|slot| slot.feedback(batch, &labels))
            }
        }
        $crate::bindings::learning::export_learning!(Plugin with_types_in $crate::bindings::learning);
    };
}
