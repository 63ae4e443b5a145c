//! From files' bytes to batches of typed rows. Knows nothing of plugins or databases.
//!
//! [`expand`](expand::expand) finds the files, [`open`](open::open) finds out what their bytes are
//! ([`mod@format`]) and undoes compression and encoding,
//! [`records`] splits them into fields, [`columns`] finds the columns, [`value`] and
//! [`timestamp`] turn one cell into one exact value, [`tally`] counts what could not be typed, and
//! [`Source`] puts it together, file after file. [`identity`] tells files apart whatever they are called,
//! and notices where one changes meanwhile. [`noticed`] keeps what is odd, but no error. [`place`] looks at
//! files before or after a run.

mod columns;
mod encoding;
mod error;
mod expand;
mod format;
mod gzip;
mod hints;
mod identity;
mod noticed;
mod open;
mod pattern;
mod place;
mod read_ahead;
mod reader;
mod reading;
mod records;
pub mod rejects_file;
mod tally;
pub mod timestamp;
pub mod value;

use timestamp::TimestampRules;

pub use columns::{ColumnMap, Field};
pub use encoding::Encoding;
pub use error::SourceError;
pub use expand::{FileList, Note, expand};
pub use format::Foreign;
pub use identity::Change;
pub use noticed::Noticed;
pub use open::FileDigests;
pub use place::{count_rows, hash_files};
pub use reader::{Parsed, Source};
pub use tally::{RejectLimit, Tally};

/// How files are to be read.
#[derive(Clone, Debug)]
pub struct InputRules {
    /// Between fields.
    pub delimiter: u8,
    /// What text the bytes are.
    pub encoding: Encoding,
    /// Whether the first record names the columns.
    pub has_header: bool,
    /// Which columns have other names.
    pub columns: ColumnMap,
    /// The decimal point of amounts.
    pub decimal_point: u8,
    /// How timestamps are written.
    pub timestamps: TimestampRules,
    /// How many records may be rejected.
    pub max_rejects: RejectLimit,
    /// Whether an empty file among others is an error.
    pub strict_files: bool,
    /// Rows of a batch.
    pub batch_rows: usize,
}

impl Default for InputRules {
    fn default() -> InputRules {
        InputRules {
            delimiter: b',',
            encoding: Encoding::Utf8,
            has_header: true,
            columns: ColumnMap::default(),
            decimal_point: b'.',
            timestamps: TimestampRules::default(),
            max_rejects: RejectLimit::default(),
            strict_files: false,
            batch_rows: 8_192,
        }
    }
}
