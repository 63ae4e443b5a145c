//! Arguments that say what files have as ids.

use clap::{Args, ValueEnum};
use host_core::facts::IdKind;

/// What files have as ids.
#[derive(Clone, Copy, Debug, Args)]
pub struct IdArgs {
    /// What the files have as ids of transactions. The host numbers transactions itself, unless `--ids keep`; the
    /// file's own id is kept beside that, in `source_id` or, if it is a text, in `source_key`
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    pub transaction_ids: IdKindArg,

    /// What the files have as ids of users. The table `users` gives a number to each that is a text, the same in every
    /// run; if there are none, all rows are of one user, 0
    #[arg(long, value_enum, value_name = "KIND", default_value_t)]
    pub user_ids: IdKindArg,
}

/// A kind of id.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum IdKindArg {
    /// Whole numbers
    #[default]
    Number,
    /// Texts of at most 255 bytes, such as a UUID or `C1231006815`
    Text,
    /// There is no such column
    None,
}

impl From<IdKindArg> for IdKind {
    fn from(argument: IdKindArg) -> IdKind {
        match argument {
            IdKindArg::Number => IdKind::Number,
            IdKindArg::Text => IdKind::Text,
            IdKindArg::None => IdKind::None,
        }
    }
}
