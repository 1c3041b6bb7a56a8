//! What the API answers.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use rc_http::IncomingBody;
use serde::de::DeserializeOwned;

use crate::error::CallError;

/// A successful answer of the API, with its whole body.
#[derive(Clone)]
#[non_exhaustive]
pub struct ApiResponse {
    /// The status, 200 to 299.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for ApiResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (status, bytes) = (self.status.as_u16(), self.body.len());
        write!(f, "ApiResponse(status {status}, {bytes} bytes)")
    }
}

impl ApiResponse {
    /// Reads the body as JSON.
    ///
    /// # Errors
    ///
    /// [`CallError::UnexpectedBody`] says where the body is not what was expected, without quoting it.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|error| CallError::UnexpectedBody {
            status: self.status,
            problem: format!(
                "{:?} error in line {}, column {}",
                error.classify(),
                error.line(),
                error.column()
            ),
        })
    }
}

/// A successful answer of the API whose body is read piece by piece, such as a recording.
///
/// Dropping it ends the transfer.
#[non_exhaustive]
pub struct ApiDownload {
    /// The status, 200 to 299.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The length of the body in bytes, if the platform announced one.
    pub content_length: Option<u64>,
    /// The body: a stream of pieces, which ends with an error if it does not come whole.
    pub body: IncomingBody,
}

impl fmt::Debug for ApiDownload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiDownload")
            .field("status", &self.status)
            .field("content_length", &self.content_length)
            .finish_non_exhaustive()
    }
}
