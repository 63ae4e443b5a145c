//! What a release consists of, for the machine that builds it: an archive, and a package for Debian and Ubuntu.
//! Both have the program with the plugins beside it, completions and man pages.

pub mod archive;
pub mod deb;
mod parts;
