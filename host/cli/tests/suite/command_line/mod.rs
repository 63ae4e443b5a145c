//! What people and programs read.

mod advice;
mod completions;
mod compose;
mod documents;
mod errors;
mod json;
mod output;
mod remarks;
mod run;
mod status;
mod trial;
