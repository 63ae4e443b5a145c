//! From names to text: [`expand`] makes a [`list`] of files, [`open`] finds out what their bytes are
//! ([`mod@format`]), undoes compression ([`gzip`]) and [`encoding`], and reads ahead ([`read_ahead`]).
//! [`identity`] tells files apart whatever their names, and notices when one changes meanwhile.

pub(crate) mod encoding;
pub(crate) mod expand;
pub(crate) mod format;
mod gzip;
pub(crate) mod identity;
pub(crate) mod list;
pub(crate) mod open;
mod read_ahead;
