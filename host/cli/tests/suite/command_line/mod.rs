//! What people and programs read.

mod advice;
mod completions;
mod compose;
mod documents;
mod each;
mod errors;
pub mod json;
mod output;
mod package;
mod remarks;
mod run;
mod status;
mod trial;
