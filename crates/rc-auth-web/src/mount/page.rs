//! The pages of the mounted routes: plain HTML, without styles and scripts.

use std::time::Duration;

use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, LOCATION, RETRY_AFTER},
};

use super::Answer;

/// A page with a heading, a sentence, and what [`link`] or [`form`] made.
pub(super) fn page(status: StatusCode, title: &str, text: &str, action: &str) -> Answer {
    let (title, text) = (escaped(title), escaped(&sentence(text)));
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <h1>{title}</h1>\n<p>{text}</p>\n{action}\n</html>\n"
    );
    answer(status, "text/html; charset=utf-8", html)
}

pub(super) fn link(to: &str, label: &str) -> String {
    let (to, label) = (escaped(to), escaped(label));
    format!("<p><a href=\"{to}\">{label}</a></p>")
}

/// A button that posts `token` to `action`.
pub(super) fn form(action: &str, token: &str, label: &str) -> String {
    let (action, token, label) = (escaped(action), escaped(token), escaped(label));
    let name = crate::FORM_TOKEN_FIELD;
    format!(
        "<form method=\"post\" action=\"{action}\">\
         <input type=\"hidden\" name=\"{name}\" value=\"{token}\"><button>{label}</button></form>"
    )
}

pub(super) fn plain(status: StatusCode, text: &str) -> Answer {
    answer(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// A 303 to a local path, which is made of graphic ASCII characters and always can stand in a header.
pub(super) fn see_other(there: &str) -> Answer {
    let mut answer = Response::new(String::new());
    *answer.status_mut() = StatusCode::SEE_OTHER;
    let there = HeaderValue::try_from(there).unwrap_or_else(|_| HeaderValue::from_static("/"));
    answer.headers_mut().insert(LOCATION, there);
    answer
}

/// At least one second: a `Retry-After` of none invites a loop.
pub(super) fn add_retry_after(answer: &mut Answer, after: Duration) {
    let seconds = after.as_millis().div_ceil(1000).max(1);
    let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
    answer.headers_mut().insert(RETRY_AFTER, seconds.into());
}

pub(super) fn answer(status: StatusCode, media_type: &'static str, body: String) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    answer.headers_mut().insert(CONTENT_TYPE, media_type);
    answer
}

/// Errors are written to stand inside of others; on a page they stand alone.
fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let mut sentence: String = rest
        .next()
        .into_iter()
        .flat_map(char::to_uppercase)
        .collect();
    sentence.push_str(rest.as_str());
    if !sentence.ends_with(['.', '?', '!']) {
        sentence.push('.');
    }
    sentence
}

fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_becomes_markup() {
        let nasty = "<script>\"'&";
        let action = link(nasty, nasty) + &form(nasty, nasty, nasty);
        let page = page(StatusCode::OK, nasty, nasty, &action).into_body();
        assert!(!page.contains("<script"), "{page}");
        assert_eq!(
            page.matches("&lt;script&gt;&quot;&#39;&amp;").count(),
            8,
            "{page}"
        );
    }

    #[test]
    fn an_error_becomes_a_sentence() {
        assert_eq!(sentence("reload in 2 s"), "Reload in 2 s.");
        assert_eq!(sentence("Ready?"), "Ready?");
        assert_eq!(sentence(""), ".");
    }
}
