//! Plugins that are hostile, and those that are not.

mod compiler;
mod debug_info;
pub mod forged;
mod generated;
mod hardened;
mod limits;
mod lookup;
mod preview1;
mod scripted;
mod stock_plugins;
