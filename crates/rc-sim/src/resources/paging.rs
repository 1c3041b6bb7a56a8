//! Lists in pages, with addresses of the other pages.

use serde::Serialize;
use serde_json::{Value, json};
use url::form_urlencoded;

use crate::resources::error::ResourceError;

use super::Call;

/// How many records a page may have.
#[derive(Clone, Copy)]
pub(super) struct Size {
    /// The most a caller may ask for.
    most: u64,
    /// Whether `max` stands for that.
    named: bool,
}

impl Size {
    /// Platform §9: 1 to 1000.
    pub(super) const DEFAULT: Self = Self {
        most: 1_000,
        named: false,
    };
    /// Platform §9: the call log takes `max` too.
    pub(super) const CALL_LOG: Self = Self {
        most: 1_000,
        named: true,
    };
    /// Platform §9: at most 250 with `view=Detailed`. Assumed: more is refused, not cut.
    pub(super) const DETAILED_CALL_LOG: Self = Self {
        most: 250,
        named: true,
    };
}

/// Which page was asked for.
#[derive(Clone, Copy)]
pub(super) struct Page {
    number: u64,
    size: u64,
}

/// What is known of the records beyond the page.
#[derive(Clone, Copy)]
pub(super) enum Beyond {
    /// How many match in all.
    Total(u64),
    /// Only whether there are more.
    More(bool),
}

/// Platform §9: the shape of a list.
#[derive(Serialize)]
pub(super) struct List<T> {
    uri: String,
    records: Vec<T>,
    paging: Paging,
    navigation: Value,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Paging {
    page: u64,
    per_page: u64,
    page_start: u64,
    page_end: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_pages: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total_elements: Option<u64>,
}

impl Page {
    /// Platform §9: `page` from 1, `perPage` 100 by default.
    pub(super) fn of(call: &Call<'_>, size: Size) -> Result<Self, ResourceError> {
        let number = call.whole_number("page", u64::MAX)?.unwrap_or(1);
        let size = match call.query.first("perPage") {
            Some("max") if size.named => size.most,
            _ => call.whole_number("perPage", size.most)?.unwrap_or(100),
        };
        Ok(Self { number, size })
    }

    /// How many records come before the page.
    pub(super) fn offset(self) -> usize {
        let offset = (self.number - 1).saturating_mul(self.size);
        usize::try_from(offset).unwrap_or(usize::MAX)
    }

    pub(super) fn size(self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// The page's part of all records.
    pub(super) fn cut<T>(self, records: &[T]) -> &[T] {
        let rest = records.get(self.offset()..).unwrap_or_default();
        &rest[..self.size().min(rest.len())]
    }

    pub(super) fn counted(self, total: usize) -> Beyond {
        Beyond::Total(total as u64)
    }

    /// `address` is that of the list without a query.
    pub(super) fn body<T>(
        self,
        call: &Call<'_>,
        address: &str,
        records: Vec<T>,
        beyond: Beyond,
    ) -> List<T> {
        let start = self.offset() as u64;
        let total = match beyond {
            Beyond::Total(total) => Some(total),
            Beyond::More(_) => None,
        };
        List {
            uri: self.link(call, address, self.number),
            paging: Paging {
                page: self.number,
                per_page: self.size,
                page_start: start,
                page_end: start.saturating_add((records.len() as u64).saturating_sub(1)),
                total_pages: total.map(|total| total.div_ceil(self.size)),
                total_elements: total,
            },
            navigation: self.navigation(call, address, beyond),
            records,
        }
    }

    /// Platform §9: absolute addresses, each only when there is such a page. Without a total nobody knows
    /// the last one.
    fn navigation(self, call: &Call<'_>, address: &str, beyond: Beyond) -> Value {
        let link = |number| json!({ "uri": self.link(call, address, number) });
        let (last, more) = match beyond {
            Beyond::Total(total) => {
                let last = total.div_ceil(self.size).max(1);
                (Some(last), self.number < last)
            }
            Beyond::More(more) => (None, more),
        };
        let mut navigation = json!({ "firstPage": link(1) });
        if more {
            navigation["nextPage"] = link(self.number.saturating_add(1));
        }
        if self.number > 1 {
            let previous = self.number - 1;
            navigation["previousPage"] = link(last.map_or(previous, |last| previous.min(last)));
        }
        if let Some(last) = last {
            navigation["lastPage"] = link(last);
        }
        navigation
    }

    /// The same query on another page. A token never stands in a link.
    fn link(self, call: &Call<'_>, address: &str, number: u64) -> String {
        let others = call
            .query
            .pairs()
            .filter(|(name, _)| !["page", "perPage", "access_token"].contains(name));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("page", &number.to_string())
            .append_pair("perPage", &self.size.to_string())
            .finish();
        format!("{address}?{query}")
    }
}
