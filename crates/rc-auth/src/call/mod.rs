//! Calls of the API with a grant's access token.

mod answer;
mod pages;
mod recent;
mod request;
mod send;
mod target;
mod transmit;

#[cfg(any(feature = "tower", feature = "reqwest-middleware"))]
pub(crate) use self::target::Target;
pub use self::{
    answer::{ApiDownload, ApiResponse},
    pages::{Page, Pages},
    request::ApiRequest,
};
