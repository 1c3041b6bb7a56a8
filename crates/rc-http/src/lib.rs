#![doc = include_str!("../README.md")]

mod address;
mod client;
mod error;
mod exchange;
mod failure;
mod redirect;
mod scripted;
#[cfg(test)]
mod secrecy;
mod send;
mod tls;

pub use client::{BuildError, ReqwestClient, ReqwestClientBuilder};
pub use error::{Delivery, FailureKind, TransportError};
pub use exchange::{BoxFuture, HttpClient, Incoming, Outgoing, Redirects};
pub use scripted::Scripted;
