//! Lists of the API, page after page.

use std::{
    collections::VecDeque,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use futures_core::Stream;
use http::{HeaderMap, Method};
use serde::{Deserialize, de::DeserializeOwned};
use url::{Url, form_urlencoded};

use super::request::{ApiRequest, Options};
use crate::{error::CallError, grant::Grant};

/// One page of a list: its records, and where the list goes on.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Page<T> {
    /// The records of this page.
    pub records: Vec<T>,
    #[serde(default)]
    navigation: Navigation,
    #[serde(default)]
    paging: Paging,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Navigation {
    next_page: Option<Link>,
}

#[derive(Clone, Debug, Deserialize)]
struct Link {
    uri: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Paging {
    page: Option<u64>,
    total_pages: Option<u64>,
    total_elements: Option<u64>,
}

impl<T> Page<T> {
    /// How many records the list has in all, if the platform says so. A call log often does not.
    #[must_use]
    pub fn total_elements(&self) -> Option<u64> {
        self.paging.total_elements
    }

    /// Where the next page is: the platform's link, or else the same address with the next number.
    fn next(&self, target: &str) -> Option<String> {
        if let Some(link) = &self.navigation.next_page {
            return Some(link.uri.clone());
        }
        let (page, total) = (self.paging.page?, self.paging.total_pages?);
        (page < total).then(|| with_page(target, page + 1))
    }
}

/// `target` with another `page` in its query.
fn with_page(target: &str, page: u64) -> String {
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs = form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name != "page");
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(pairs)
        .append_pair("page", &page.to_string())
        .finish();
    format!("{path}?{query}")
}

/// What reads a list.
impl ApiRequest<'_> {
    /// Reads a list of the API as one stream of its records, page after page: see [`Pages`]. Headers and options
    /// hold for each page; a body does not belong to a list and is not sent.
    pub fn pages<T: DeserializeOwned + Send + 'static>(self) -> Pages<T> {
        Pages::new(self)
    }
}

/// The records of a list, read page after page while they are asked for: made by [`ApiRequest::pages`].
///
/// The list goes on where the platform's `navigation.nextPage` says, or, where there is none, at the next number of
/// `paging` up to `totalPages`. A link to another host than the platform's is refused. After an error the
/// stream has ended.
///
/// ```no_run
/// # async fn example(grant: rc_auth::Grant) -> Result<(), rc_auth::CallError> {
/// let mut calls = grant
///     .get("/restapi/v1.0/account/~/extension/~/call-log")
///     .query("perPage", 250)
///     .pages::<serde_json::Value>();
/// while let Some(call) = calls.next().await {
///     println!("{}", call?["startTime"]);
/// }
/// # Ok(())
/// # }
/// ```
#[must_use = "a list reads nothing until it is asked for its records"]
pub struct Pages<T> {
    records: VecDeque<T>,
    position: Position<T>,
}

enum Position<T> {
    /// The next page is here.
    At(Box<Reader>),
    /// It is being read.
    Reading(Pin<Box<dyn Future<Output = Read<T>> + Send>>),
    Failed(Option<CallError>),
    End,
}

type Read<T> = (Box<Reader>, Result<Page<T>, CallError>);

/// Everything that a page is asked for with.
struct Reader {
    grant: Grant,
    method: Method,
    target: String,
    headers: HeaderMap,
    options: Options,
}

impl Reader {
    async fn read<T: DeserializeOwned>(self: Box<Self>) -> Read<T> {
        let request = self.grant.request(self.method.clone(), &self.target);
        let request = request.like(self.headers.clone(), self.options);
        let page = request.fetch().await;
        (self, page)
    }
}

impl<T> fmt::Debug for Pages<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("read_ahead", &self.records.len())
            .finish_non_exhaustive()
    }
}

impl<T: DeserializeOwned + Send + 'static> Pages<T> {
    pub(super) fn new(mut request: ApiRequest<'_>) -> Self {
        let position = match request.make_ready() {
            Ok(()) => Position::At(Box::new(Reader::of(request))),
            Err(error) => Position::Failed(Some(error)),
        };
        Self {
            records: VecDeque::new(),
            position,
        }
    }

    /// The next record; `None` at the end of the list.
    pub async fn next(&mut self) -> Option<Result<T, CallError>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    /// The rest of the page that is being read, or the next one, as a whole; `None` at the end of the list.
    ///
    /// # Errors
    ///
    /// As [`ApiRequest::send`], and [`CallError::ForeignAddress`] when the platform names another host.
    pub async fn next_page(&mut self) -> Result<Option<Vec<T>>, CallError> {
        match self.next().await {
            None => Ok(None),
            Some(Err(error)) => Err(error),
            Some(Ok(first)) => {
                let mut page = vec![first];
                page.extend(self.records.drain(..));
                Ok(Some(page))
            }
        }
    }

    /// All records that are left, at most `most`: a list may be longer than the memory.
    ///
    /// # Errors
    ///
    /// As [`next_page`](Self::next_page); what was read before is dropped.
    pub async fn collect_up_to(&mut self, most: usize) -> Result<Vec<T>, CallError> {
        let mut all = Vec::new();
        while all.len() < most {
            match self.next().await {
                Some(record) => all.push(record?),
                None => break,
            }
        }
        Ok(all)
    }

    fn arrived(&mut self, (mut reader, page): Read<T>) {
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                self.position = Position::Failed(Some(error));
                return;
            }
        };
        self.position = match page.next(&reader.target) {
            // A link to itself would never end.
            Some(next) if !is_same(&next, &reader.target) => {
                reader.target = next;
                Position::At(reader)
            }
            Some(_) | None => Position::End,
        };
        self.records.extend(page.records);
    }
}

impl Reader {
    fn of(request: ApiRequest<'_>) -> Self {
        Self {
            grant: request.grant.clone(),
            headers: request.headers().cloned().unwrap_or_default(),
            options: request.options(),
            method: request.method,
            target: request.target.into_text(),
        }
    }
}

/// Whether two addresses, each absolute or not, are one on the same host.
fn is_same(one: &str, other: &str) -> bool {
    let path = |text: &str| {
        let url = Url::parse(text).ok()?;
        Some(url[url::Position::BeforePath..].to_owned())
    };
    path(one).as_deref().unwrap_or(one) == path(other).as_deref().unwrap_or(other)
}

/// What is polled is boxed or not pinned: records may be moved.
impl<T> Unpin for Pages<T> {}

impl<T: DeserializeOwned + Send + 'static> Stream for Pages<T> {
    type Item = Result<T, CallError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(record) = self.records.pop_front() {
                return Poll::Ready(Some(Ok(record)));
            }
            match std::mem::replace(&mut self.position, Position::End) {
                Position::End => return Poll::Ready(None),
                Position::Failed(error) => return Poll::Ready(error.map(Err)),
                Position::At(reader) => {
                    self.position = Position::Reading(Box::pin(reader.read()));
                }
                Position::Reading(mut page) => match page.as_mut().poll(context) {
                    Poll::Ready(read) => self.arrived(read),
                    Poll::Pending => {
                        self.position = Position::Reading(page);
                        return Poll::Pending;
                    }
                },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_page_takes_the_place_of_the_last_and_nothing_elses() {
        for (target, next) in [
            ("/a", "/a?page=2"),
            ("/a?page=1", "/a?page=2"),
            ("/a?perPage=5&page=1&x=%20", "/a?perPage=5&x=+&page=2"),
        ] {
            assert_eq!(with_page(target, 2), next);
        }
    }
}
