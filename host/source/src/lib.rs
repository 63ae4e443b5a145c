//! From files' bytes to batches of typed rows. Knows nothing of plugins or databases.
//!
//! [`input`] finds the files and turns their bytes into text, [`csv`] splits it into fields, [`layout`] says which
//! lines are rows, [`cell`] turns one field into one exact value, [`composed`] several into one, and [`Source`] puts it
//! together, file after file, as the [`InputRules`] say. [`users`] numbers users whose ids are texts. The end of a file
//! must be as its [`Trailer`] says, and all as is [`expected`]. What could not be parsed is counted in a [`Tally`] and
//! kept where the user wants it ([`rejects_file`]); [`noticed`] holds what is odd but not an error. [`labels`] are
//! another kind of files: what has become known of rows. [`scan`] looks at
//! files outside a run, and [`sniff`](mod@sniff) at files whose shape is not known.
//!
//! ```
//! use std::sync::Arc;
//!
//! use host_core::batch::Batch;
//! use host_source::{InputRules, RejectLimit, Source, expand};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let file = folder.path().join("day.csv");
//! std::fs::write(
//!     &file,
//!     "transaction_id,user_id,amount,timestamp\n1,7,12.50,2024-02-29 23:59:59\n2,7,NaN,2024-02-29 23:59:59\n",
//! )?;
//! let rules = InputRules { max_rejects: RejectLimit::Count(1), ..InputRules::default() };
//! let mut source = Source::open(expand(&[file])?, rules, &[], Arc::default())?;
//! let part = source.next_part(Batch::default())?.expect("there are rows");
//! assert_eq!(part.batch.amounts_cents, [1_250]);
//! assert_eq!(part.rejected[0].reason(), "amount_unexpected_character");
//! # Ok(())
//! # }
//! ```

mod cell;
mod composed;
mod csv;
mod error;
mod expected;
mod hints;
mod input;
mod labels;
mod layout;
mod noticed;
mod open_file;
pub mod output_file;
mod parsed;
mod reader;
pub mod rejects_file;
mod rules;
mod scan;
pub mod sniff;
mod tally;
mod trailer;
mod typed;
mod users;

pub use cell::total::Total;
pub use cell::{amount, excel, timestamp, value};
pub use composed::{AmountColumns, SignColumn, TimestampColumns};
pub use csv::field::{ColumnMap, Field, LABEL_COLUMNS};
pub use error::SourceError;
pub use expected::Expectations;
pub use input::encoding::Encoding;
pub use input::expand::{data_ending, expand};
pub use input::format::Foreign;
pub use input::identity::Change;
pub use input::list::{FileList, Note};
pub use input::open::FileDigests;
pub use labels::{Label, LabelId, LabelSource, Labels};
pub use noticed::{LinesLeftOut, Noticed};
pub use parsed::Parsed;
pub use reader::Source;
pub use rules::{InputRules, LineRules};
pub use scan::{Excerpt, count_rows, excerpt, hash_files};
pub use tally::{RejectLimit, Tally};
pub use trailer::Trailer;
pub use users::{NumberUsers, NumbersOfUsers, UsersByAppearance};
