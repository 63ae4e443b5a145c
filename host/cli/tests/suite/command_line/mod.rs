//! What people and programs read.

mod advice;
mod completions;
mod compose;
mod each;
mod errors;
pub mod json;
mod output;
mod package;
mod remarks;
mod run;
