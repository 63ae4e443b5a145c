//! Connecting to a server and talking to it: [`target`] decides which one, [`mod@connect`] reaches it,
//! [`query`] queries it, [`encoding`] says which texts it can hold. [`session`] begins a transaction,
//! [`lock`] waits for others in it, [`ending`] ends it, and [`outcome`] finds out what became of it if the connection is
//! lost.

pub(crate) mod connect;
pub(crate) mod encoding;
pub(crate) mod ending;
pub(crate) mod lock;
pub(crate) mod outcome;
pub(crate) mod query;
pub(crate) mod session;
pub(crate) mod target;
