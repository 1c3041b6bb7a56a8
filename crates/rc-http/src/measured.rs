//! A stream of bytes that keeps to the length it was announced with.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use futures_core::Stream;

use crate::{BodyStream, BoxError};

/// A stream is not as long as it was said to be.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
enum WrongLength {
    #[error("the body ended after {ended} bytes, and {announced} were announced")]
    Short { announced: u64, ended: u64 },
    #[error("the body is longer than the {announced} bytes that were announced")]
    Long { announced: u64 },
}

/// The pieces of a body, without empty ones, in which a wrong length is an error.
///
/// The piece that completes the length is held back until the stream has ended: a server that has read the
/// announced bytes takes the request for whole, so one that is too long must fail before that.
pub(crate) struct Measured {
    stream: BodyStream,
    announced: Option<u64>,
    read: u64,
    held: Option<Bytes>,
    ended: bool,
}

impl Measured {
    pub(crate) fn new(announced: Option<u64>, stream: BodyStream) -> Self {
        Self {
            stream,
            announced,
            read: 0,
            held: None,
            ended: false,
        }
    }

    /// Takes `piece` as read, and returns it unless it is held back.
    fn take(&mut self, piece: Bytes) -> Result<Option<Bytes>, WrongLength> {
        self.read += piece.len() as u64;
        match self.announced {
            Some(announced) if self.read > announced => Err(WrongLength::Long { announced }),
            Some(announced) if self.read == announced => {
                self.held = Some(piece);
                Ok(None)
            }
            _ => Ok(Some(piece)),
        }
    }

    /// The last piece, once the stream has ended.
    fn finish(&mut self) -> Result<Option<Bytes>, WrongLength> {
        match self.announced {
            Some(announced) if self.read < announced => Err(WrongLength::Short {
                announced,
                ended: self.read,
            }),
            _ => Ok(self.held.take()),
        }
    }

    fn fail<T>(&mut self, error: impl Into<BoxError>) -> Poll<Option<Result<T, BoxError>>> {
        self.ended = true;
        Poll::Ready(Some(Err(error.into())))
    }
}

impl Stream for Measured {
    type Item = Result<Bytes, BoxError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        while !self.ended {
            match ready!(self.stream.as_mut().poll_next(cx)) {
                Some(Ok(piece)) if piece.is_empty() => {}
                Some(Ok(piece)) => match self.take(piece) {
                    Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
                    Ok(None) => {}
                    Err(wrong) => return self.fail(wrong),
                },
                Some(Err(error)) => return self.fail(error),
                None => {
                    self.ended = true;
                    return Poll::Ready(self.finish().map_err(BoxError::from).transpose());
                }
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{StreamExt, stream};

    use super::*;

    /// The pieces until the stream ends, and the text of an error as the last of them.
    async fn pieces(announced: Option<u64>, source: &[&'static str]) -> Vec<String> {
        let source: Vec<_> = source.iter().map(|piece| Ok(Bytes::from(*piece))).collect();
        Measured::new(announced, Box::pin(stream::iter(source)))
            .map(|piece| match piece {
                Ok(piece) => String::from_utf8(piece.to_vec()).unwrap(),
                Err(error) => error.to_string(),
            })
            .collect()
            .await
    }

    #[tokio::test]
    async fn pieces_pass_and_empty_ones_do_not() {
        assert_eq!(pieces(None, &["", "one", "", "two"]).await, ["one", "two"]);
        assert_eq!(pieces(Some(6), &["one", "two", ""]).await, ["one", "two"]);
        assert!(pieces(None, &[]).await.is_empty());
        assert!(pieces(Some(0), &[""]).await.is_empty());
    }

    #[tokio::test]
    async fn a_short_stream_ends_with_an_error() {
        assert_eq!(
            pieces(Some(7), &["one", "two"]).await,
            [
                "one",
                "two",
                "the body ended after 6 bytes, and 7 were announced"
            ]
        );
    }

    #[tokio::test]
    async fn a_long_stream_never_completes_the_announced_length() {
        let long = "the body is longer than the 6 bytes that were announced";
        assert_eq!(pieces(Some(6), &["one", "two", "x"]).await, ["one", long]);
        assert_eq!(pieces(Some(6), &["one", "twox"]).await, ["one", long]);
    }

    #[tokio::test]
    async fn nothing_follows_an_error() {
        let source = stream::iter([Err("lost".into()), Ok(Bytes::from("more"))]);
        let mut measured = Measured::new(None, Box::pin(source));
        assert!(measured.next().await.unwrap().is_err());
        assert!(measured.next().await.is_none());
    }
}
