//! What can go wrong: in a whole command ([`command`], of which [`kinds`] are for programs), and in each
//! room of this crate. The errors are here, below the rooms, since a command's error has them all.

mod authors;
mod command;
mod config;
mod kinds;
mod plugins;
mod verify;

pub use self::authors::ToolsError;
pub use self::command::{DatabaseState, Error, Failure};
pub use self::config::ConfigError;
pub use self::kinds::{Place, Retry};
pub use self::plugins::LookupError;
pub use self::verify::VerifyError;
