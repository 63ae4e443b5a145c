//! The order of the stages. Read [`mod@run`] first.
//!
//! ```text
//! source thread      detectors' threads      the run's task
//! CSV → batches  →   WASM → anomalies    →   COPY into one transaction → ledger row → COMMIT
//! ```
//!
//! The stages run side by side, joined by channels that hold a bounded number of bytes ([`budget`]): memory
//! does not grow with the file, and the slowest stage, the server, is not kept waiting. [`mod@prepare`] gets
//! them ready, [`stages`] starts them. The last [`message`] of a stage says that it has finished; a channel
//! that merely closes means that the stage died, which is never mistaken for the end of the file.
//! [`check`](mod@check) is a run without the writing. [`state`] is what the detector has learned before, [`history`] has
//! it learn from earlier files. [`feedback`] records what becomes known of rows later, and [`mod@teach`] hands that to
//! detectors that learn from it; [`undo`](mod@undo) removes what runs wrote, [`shrink`](mod@shrink) what is stored of a
//! state.

mod anomalies;
mod begin;
mod budget;
mod check;
mod end;
mod feedback;
mod history;
mod interrupted;
mod label;
mod message;
mod prepare;
mod rejects;
mod run;
mod shrink;
mod stages;
mod state;
mod teach;
mod undo;
mod workers;

pub use self::check::{CheckFiles, Checked, check};
pub use self::feedback::{Recorded, record as record_feedback};
pub(crate) use self::history::learn;
pub(crate) use self::interrupted::unless_interrupted;
pub(crate) use self::message::{End, Message};
pub use self::message::{GuestUse, Times};
pub use self::prepare::try_plugin;
pub(crate) use self::prepare::{Prepared, prepare};
pub use self::run::{Ended, Outcome, run};
pub use self::shrink::{Shrinking, shrink};
pub(crate) use self::stages::{Learned, Stages};
pub(crate) use self::state::restore;
pub use self::teach::Taught;
pub(crate) use self::teach::teach;
pub use self::undo::undo;
