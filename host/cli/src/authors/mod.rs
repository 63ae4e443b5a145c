//! Tools for those who write and choose plugins: the commands `host plugin …`. They use the detector
//! and the source as a run does, but do not write to a database.
//!
//! [`new`] starts a plugin from a template; [`project`] knows what such a project is, [`mod@build`] builds it,
//! [`mod@dev`] does so on every save, [`doctor`] says what that takes. [`inspect`] says what a plugin is, [`check`] finds out whether
//! it keeps the contract, [`cases`] runs an author's own tests, [`mod@capture`] makes
//! such a test of rows on which a run failed, and [`bench`](mod@bench) measures.
//! [`workload`] provides the rows.

pub mod bench;
pub mod build;
pub mod capture;
pub mod cases;
pub mod check;
pub mod dev;
pub mod doctor;
pub mod inspect;
pub mod new;
pub mod project;
mod start;
pub mod workload;

pub use self::start::{Settings, start};
