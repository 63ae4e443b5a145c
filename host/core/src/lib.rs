//! What all parts of `host` share: rows in [`batch`]es with their [columns](mod@column), what became of them
//! ([`anomaly`], [`rejected`]), what detectors have learned ([`state`]), what is kept about files ([`facts`]) and the digests of the bytes that were
//! actually used ([`digest`]); and what every part needs to talk to people and to the system: printable
//! [`text`], [`advice`], [`exit`] codes, the [`environment`], [`folders`] and [`threads`].
//!
//! Nothing here reads a file of rows, runs a plugin or knows a database.
//!
//! ```
//! use host_core::batch::{Batch, Row};
//! use host_core::text::printable;
//!
//! let mut batch = Batch { file: "day.csv".into(), ..Batch::default() };
//! batch.push(Row { transaction_id: Some(1), user_id: 7, amount_cents: 1_250, timestamp_micros: 0, line: 2 });
//! assert_eq!((batch.len(), batch.place(0).line), (1, 2));
//! // Text from outside is made printable before a person sees it.
//! assert_eq!(printable("a\x1b[31mb"), "a\\u{1b}[31mb");
//! ```

pub mod advice;
pub mod anomaly;
pub mod batch;
pub mod capacity;
pub mod column;
pub mod digest;
pub mod environment;
pub mod exit;
pub mod facts;
pub mod folders;
pub mod rejected;
pub mod secret;
pub mod state;
pub mod text;
pub mod threads;
