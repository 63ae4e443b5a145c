//! What people and programs read.

mod advice;
mod colors;
mod completions;
mod compose;
mod errors;
mod json;
mod output;
mod profiles;
mod remarks;
mod run;
mod sniff;
