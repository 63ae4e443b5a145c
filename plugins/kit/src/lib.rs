//! The detectors of the conformance kit, `wit/kit`, in Rust. Its README.md says what they do; the tests put them
//! through its cases, which shows that kit, SDK and host agree. Each is exported by one of the examples.

mod any;
mod echo;
mod file;
mod learning;
mod per_user;
mod score;
mod shared;
mod state;

use detector_sdk::{Error, Settings};

pub use any::Any;
pub use echo::Echo;
pub use file::File;
pub use learning::Learning;
pub use per_user::PerUser;
pub use score::Score;
pub use shared::Shared;
pub use state::State;

/// A whole number within these bounds.
fn within(settings: &Settings, name: &str, least: i64, most: i64) -> Result<i64, Error> {
    match settings.integer(name)? {
        Some(value) if (least..=most).contains(&value) => Ok(value),
        _ => Err(Settings::refuse(name, format!("it must be from {least} to {most}"))),
    }
}

/// Hundredths or millionths as what they are parts of. Both numbers are exact, so the result is the nearest there is.
fn divided(number: i64, by: i32) -> f64 {
    number as f64 / f64::from(by)
}
