//! Revocation (RFC 7009): ends the whole OAuth session.

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::{
    form::Params,
    oauth::{
        error::{OauthCode, OauthError},
        sessions::Ending,
        token::{limited, write_quota},
    },
    platform::{Platform, limits::Passage},
    reply,
    timestamp::Timestamp,
};

impl Platform {
    /// `POST /restapi/oauth/revoke`.
    pub(crate) fn revoke(
        &mut self,
        request: &Request<Bytes>,
        form: &Params,
        now: Timestamp,
    ) -> Response<Bytes> {
        self.counters.revocations += 1;
        // Platform §5: a bad client is OAU-164 here.
        let app = match self.authenticate(request, form, now) {
            Ok(app) => app,
            Err(error) => {
                return error
                    .with_code(OauthCode::Oau164)
                    .respond(&self.config.switches);
            }
        };
        let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        if let Err(differs) = form.agree_with(&query) {
            return OauthError::from(differs).respond(&self.config.switches);
        }
        let token = presented_token(form, &query);
        // Another app's tokens are none of its business.
        let owner = token
            .as_ref()
            .ok()
            .and_then(|token| self.sessions.owner_of(token))
            .filter(|session| session.app == *app.id())
            .map(|session| (session.number(), session.user));
        self.acting.user = owner.map(|(_, user)| user);
        let passage = self.pass_auth(&app, owner.map(|(_, user)| user), now);
        if let Passage::Refused(..) = passage {
            return limited(&passage);
        }
        let mut response = match token {
            // Platform §5: 200 with an empty body; RFC 7009 section 2.2: also for an unknown token.
            Ok(token) => {
                // Platform §5: access or refresh token, both end every token of the OAuth session. Whether a
                // spent one does is not documented.
                let ends =
                    self.config.switches.spent_token_ends_session || !self.sessions.is_spent(token);
                if let Some((number, _)) = owner.filter(|_| ends) {
                    self.sessions.end(number, Ending::Revoked);
                }
                reply::no_store(reply::empty(StatusCode::OK))
            }
            Err(error) => error.respond(&self.config.switches),
        };
        write_quota(&passage, response.headers_mut());
        response
    }
}

/// Platform §5: the token is in the body, or in the query.
fn presented_token<'a>(form: &'a Params, query: &'a Params) -> Result<&'a str, OauthError> {
    let token = form.get("token")?.or(query.get("token")?);
    // Platform §5: an empty token is CMN-101.
    token.ok_or_else(|| OauthError::parameter("token"))
}
