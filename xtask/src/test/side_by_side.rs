//! How many tests run at the same time.

use std::thread::available_parallelism;

/// They wait a good deal: for a server, for one another, for what they have started. With three, what
/// is limited in time suffers.
const TESTS_PER_CORE: usize = 2;
/// More tests side by side would take more connections than the server gives.
const MOST_TESTS_AT_ONCE: usize = 12;

/// On this machine.
pub fn tests_at_once() -> usize {
    available_parallelism().map_or(1, |cores| (TESTS_PER_CORE * cores.get()).min(MOST_TESTS_AT_ONCE))
}
