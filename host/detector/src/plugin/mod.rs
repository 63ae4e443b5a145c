//! From a file to something that can be started: [`examine`] finds out what its bytes are, [`state_size`]
//! what its instances take, and [`load`] gets machine code for it, from the [`cache`] or from the [`compiler`].
//! What all plugins of a process share is their [`sandbox`]. Where in its [`source`] one went wrong, its
//! [`debug_info`] may say.

pub(crate) mod cache;
pub mod compiler;
pub(crate) mod debug_info;
pub(crate) mod examine;
pub(crate) mod load;
mod machine_code;
pub(crate) mod sandbox;
pub(crate) mod source;
mod state_size;
