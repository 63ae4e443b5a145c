//! Files and folders: what is read, rejected, refused.

mod changing;
mod exact;
mod folders;
mod ids;
mod input;
mod places;
mod rejects_file;
mod shapes;
