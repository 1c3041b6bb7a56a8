//! The refresh of one grant: carried out by a driver, woken by the store, waited for by calls.

mod driver;
pub(crate) mod waiting;
pub(crate) mod watch;
