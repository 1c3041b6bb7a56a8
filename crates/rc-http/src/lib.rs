#![doc = include_str!("../README.md")]

mod address;
mod client;
mod download;
mod error;
mod failure;
mod hop;
mod limits;
mod measured;
mod message;
mod open;
mod opened;
mod opening;
mod progress;
mod redirect;
#[cfg(test)]
mod secrecy;
mod send;
mod tls;
mod upload;

pub use client::{BuildError, ReqwestClient, ReqwestClientBuilder};
pub use error::{Delivery, FailureKind, TransportError};
pub use message::{BoxFuture, HttpClient, Incoming, Outgoing, Redirects};
pub use opened::{IncomingBody, Opened};
pub use opening::{BodyStream, BoxError, Opening, OutgoingBody};
