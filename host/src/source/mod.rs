//! From a file's bytes to batches of typed rows. Knows nothing of plugins or databases.
//!
//! [`open`](open::open) finds out what the bytes are and undoes compression, [`columns`] finds
//! the columns by the header's names, [`value`] turns one cell into one exact value, and
//! [`Source`] puts it together.

mod columns;
mod error;
mod open;
mod reader;
pub mod value;

pub use error::SourceError;
pub use open::{Input, open};
pub use reader::{FileFacts, Source};
