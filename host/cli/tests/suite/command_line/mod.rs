//! What people and programs read.

mod advice;
mod colors;
mod completions;
mod compose;
mod documents;
mod each;
mod errors;
pub mod json;
mod output;
mod package;
mod profiles;
mod remarks;
mod run;
mod sniff;
mod status;
mod trial;
