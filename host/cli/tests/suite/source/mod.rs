//! Files and folders: what is read, rejected, refused.

mod changing;
mod control;
mod exact;
mod folders;
mod ids;
mod input;
mod lines;
mod places;
mod rejects_file;
mod shapes;
mod thousands;
mod values;
