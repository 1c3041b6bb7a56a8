//! Revocation (RFC 7009): ends the whole OAuth session.

use bytes::Bytes;
use http::{Request, Response, StatusCode};

use crate::{
    client_auth,
    form::Params,
    limits::Passage,
    oauth_error::{OauthCode, OauthError},
    platform::Platform,
    reply,
    timestamp::Timestamp,
    token::{limited, write_quota},
};

impl Platform {
    /// `POST /restapi/oauth/revoke`.
    pub(crate) fn revoke(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.counters.revocations += 1;
        let form = Params::parse(request.body());
        // Platform: a bad client is OAU-164 here.
        let app = match client_auth::authenticate(&self.config.apps, request.headers(), &form) {
            Ok(app) => app,
            Err(error) => {
                return error
                    .with_code(OauthCode::Oau164)
                    .respond(&self.config.switches);
            }
        };
        let passage = self.pass_auth(app, now);
        if let Passage::Refused(..) = passage {
            return limited(&passage);
        }
        let mut response = match self.revoke_token(app, request, &form) {
            // Platform: 200 with an empty body; RFC 7009 section 2.2: also for an unknown token.
            Ok(()) => reply::no_store(reply::empty(StatusCode::OK)),
            Err(error) => error.respond(&self.config.switches),
        };
        write_quota(&passage, response.headers_mut());
        response
    }

    fn revoke_token(
        &mut self,
        app: usize,
        request: &Request<Bytes>,
        form: &Params,
    ) -> Result<(), OauthError> {
        // Platform: the token is in the body, or in the query.
        let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        let token = form.get("token")?.or(query.get("token")?);
        // Platform: an empty token is CMN-101.
        let token = token.ok_or_else(|| OauthError::parameter("token"))?;
        // Platform: access or refresh token, both end every token of the OAuth session. Whether a spent
        // one does is not documented; here it does. Another app's tokens are none of its business.
        let owner = self
            .sessions
            .owner_of(token)
            .filter(|session| session.app == app);
        if let Some(number) = owner.map(|session| session.number()) {
            self.sessions.end(number);
        }
        Ok(())
    }
}
