//! What all parts of `host` speak of: rows in [`batch`]es, what became of them ([`anomaly`],
//! [`rejected`]), what is kept of files ([`facts`]) and the bytes that were really used
//! ([`digest`]); and what every part needs to talk to people and to the system: printable
//! [`text`], [`advice`], [`exit`] codes, the [`environment`], [`folders`] and [`threads`].
//!
//! Nothing here reads a file of rows, runs a plugin or knows a database.

pub mod advice;
pub mod anomaly;
pub mod batch;
pub mod digest;
pub mod environment;
pub mod exit;
pub mod facts;
pub mod folders;
pub mod rejected;
pub mod secret;
pub mod text;
pub mod threads;
