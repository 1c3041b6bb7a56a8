//! What the adapters for web frameworks share: everything but the frameworks' own types.

mod page;
mod problem;
mod route;
mod signed_in;
mod visit;

pub use problem::Problem;
pub(crate) use route::Route;
pub use signed_in::{MaybeSignedIn, SignedIn};
pub(crate) use visit::{LOOKED_AT, Visit};

/// An answer, whole.
pub(crate) type Answer = http::Response<String>;
