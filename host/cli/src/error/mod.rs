//! What can go wrong: in a whole command ([`command`], whose [`kinds`] are for programs), and in each
//! module of this crate. The errors are all here, since a command's error contains all of them.

mod anomalies_file;
mod authors;
mod blame;
mod command;
mod config;
mod kinds;
mod plugins;
mod profile;
mod state;
mod verify;
mod watch;

pub use self::anomalies_file::AnomaliesFileError;
pub use self::authors::{ToolsError, build_command};
pub use self::command::{DatabaseState, Error, Failure};
pub use self::config::ConfigError;
pub use self::kinds::{Place, Retry};
pub use self::plugins::LookupError;
pub use self::profile::{ProfileError, ProfilePlace};
pub use self::state::StateError;
pub use self::verify::VerifyError;
pub use self::watch::WatchError;
