//! `GET /me`: who is signed in, for programs.

use actix_web::{HttpRequest, HttpResponse, http::header::ContentType};
use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};
use rc_auth::CallError;

use crate::{
    problem::{JsonProblem, Problem},
    session,
    state::{CALL_PATIENCE, EXTENSION},
};

/// The platform's answer, asked for each time and passed on as it is.
pub(super) async fn extension(request: HttpRequest) -> Result<HttpResponse, JsonProblem> {
    let session = session::of(&request).await?;
    let session = session.ok_or_else(Problem::signed_out)?;
    let call = session.grant().get(EXTENSION).timeout(CALL_PATIENCE);
    let answer = call.send().await?;
    if !is_json(&answer.headers) {
        let problem = "its media type is not JSON".to_owned();
        return Err(CallError::UnexpectedBody {
            status: answer.status,
            problem,
        }
        .into());
    }
    Ok(HttpResponse::Ok()
        .content_type(ContentType::json())
        .body(answer.body))
}

/// By what it says it is: a page of something in between says it is HTML.
fn is_json(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    content_type.is_some_and(|value| {
        let media_type = value.split(|byte| *byte == b';').next().unwrap_or_default();
        media_type
            .trim_ascii()
            .eq_ignore_ascii_case(b"application/json")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_it_is_json_is_passed_on() {
        let says = |value| {
            is_json(&HeaderMap::from_iter([(
                CONTENT_TYPE,
                HeaderValue::from_static(value),
            )]))
        };
        assert!(says("application/json"));
        assert!(says("Application/JSON ; charset=utf-8"));
        assert!(!says("text/html"));
        assert!(!says("application/json-patch"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
