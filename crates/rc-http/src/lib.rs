//! Sends one HTTP request and says what is known when it fails.

mod exchange;

pub use exchange::{BoxFuture, Delivery, FailureKind, HttpClient, Incoming, Outgoing, Redirects, TransportError};
