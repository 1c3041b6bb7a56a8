//! How far an exchange has come.

use http::StatusCode;

/// How far an exchange has come, readable also when its future was dropped at the deadline.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    /// The status of the last head that arrived.
    pub(crate) status: Option<StatusCode>,
    /// Bytes read of that answer's body.
    pub(crate) bytes: u64,
    /// Redirects followed. After one, a request has been sent, whatever happens to the next.
    pub(crate) hops: usize,
    /// The head of the answer to hand out is there; its body is being read.
    pub(crate) in_body: bool,
}
