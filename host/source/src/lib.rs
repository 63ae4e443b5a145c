//! From files' bytes to batches of typed rows. Knows nothing of plugins or databases.
//!
//! [`input`] finds the files and makes text of their bytes, [`csv`] splits it into fields, [`cell`] turns
//! one field into one exact value, and [`Source`] puts it together, file after file, as the
//! [`InputRules`] say. What could not be typed is counted in a [`Tally`] and kept where the user wants it
//! ([`rejects_file`]); [`noticed`] has what is odd, but no error. [`scan`] looks at files apart from a run.

mod cell;
mod csv;
mod error;
mod hints;
mod input;
mod noticed;
mod reader;
pub mod rejects_file;
mod rules;
mod scan;
mod tally;

pub use cell::{timestamp, value};
pub use csv::field::{ColumnMap, Field};
pub use error::SourceError;
pub use input::encoding::Encoding;
pub use input::expand::expand;
pub use input::format::Foreign;
pub use input::identity::Change;
pub use input::list::{FileList, Note};
pub use input::open::FileDigests;
pub use noticed::Noticed;
pub use reader::{Parsed, Source};
pub use rules::InputRules;
pub use scan::{count_rows, hash_files};
pub use tally::{RejectLimit, Tally};
