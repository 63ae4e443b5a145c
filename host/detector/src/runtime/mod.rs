//! The environment of a guest: the [`engine`] that runs it within its [`limits`], and the [`state`] that the
//! host keeps for it, with its log ([`guest_log`]), and a [`wasi`] and a [`preview1`] that grant nothing.

pub(crate) mod engine;
pub(crate) mod guest_log;
pub(crate) mod limits;
pub(crate) mod preview1;
pub(crate) mod profile;
pub(crate) mod state;
pub(crate) mod wasi;
