//! The browser session of a request, and the answers that prolong it.

use actix_web::{HttpMessage as _, HttpRequest, dev::ServiceResponse, http::header::SET_COOKIE};
use http::HeaderValue;
use rc_auth_web::{Session, SessionStoreError, actix};

use crate::{converted, state::Application};

/// The cookie that prolongs a session, kept beside its request until there is an answer.
struct Reissued(HeaderValue);

/// The session of a request; `None` if its browser is not signed in. To be asked once per request.
///
/// # Errors
///
/// [`SessionStoreError`]: it is not known.
pub(crate) async fn of(request: &HttpRequest) -> Result<Option<Session>, SessionStoreError> {
    let parts = converted::parts_of(request);
    let auth = Application::of(request).auth();
    let session = auth.session(&parts.headers).await?;
    if let Some(cookie) = session.as_ref().and_then(Session::reissue) {
        request.extensions_mut().insert(Reissued(cookie.clone()));
    }
    Ok(session)
}

/// Adds the cookie to the answer, unless that sets or removes the session itself.
pub(crate) fn prolong(response: &mut ServiceResponse) {
    let reissued = response.request().extensions_mut().remove::<Reissued>();
    if let Some(Reissued(cookie)) = reissued
        && !response.headers().contains_key(SET_COOKIE)
    {
        actix::append_header(response.headers_mut(), &http::header::SET_COOKIE, &cookie);
    }
}
