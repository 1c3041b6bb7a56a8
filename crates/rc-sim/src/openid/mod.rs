//! OpenID Connect, and the documents that clients find their way with. Platform §1.

pub(crate) mod discovery;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use serde::Serialize;

use crate::{
    config::{App, User},
    form::Params,
    jose::id_token::{Authentication, IdToken, Person, Userinfo, asks_for_id_token},
    oauth::{
        error::{OauthCode, OauthError},
        grants::SignIn,
        token::{limited, write_quota},
    },
    openid::discovery::{
        entry_points::{DEFAULT_BRAND, discovery_tag, entry_points_external, entry_points_initial},
        openid::openid_configuration,
    },
    platform::{Platform, limits::Passage},
    reply,
    resources::{base_url, error::ResourceError},
    sign_in::brands,
    timestamp::Timestamp,
};

impl Platform {
    /// Documents that anybody may read, and the entry points that a token is needed for. A token that comes with the
    /// others is not looked at: an official client sends `Bearer undefined`.
    pub(crate) fn document(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let base = base_url(request);
        match request.uri().path() {
            "/.well-known/openid-configuration" => document(&openid_configuration(&base)),
            "/restapi/oauth/jwks" => document(&self.keys.jwks()),
            "/.well-known/entry-points/initial" => self.initial_entry_points(request, &base),
            "/.well-known/entry-points/external" => self.external_entry_points(request, &base, now),
            _ => ResourceError::no_such_resource().respond(),
        }
    }

    fn initial_entry_points(&self, request: &Request<Bytes>, base: &str) -> Response<Bytes> {
        let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        let client_id = query.first("clientId").unwrap_or_default();
        if self.registry.app(client_id).is_none() {
            return OauthError::unknown_client(client_id).respond(&self.config.switches);
        }
        let brand = query.first("brandId").unwrap_or(DEFAULT_BRAND);
        // Platform §6.2: OAU-101. Assumed: here as at the authorization endpoint.
        if brands::find(brand).is_none() {
            return OauthError::from(OauthCode::Oau101).respond(&self.config.switches);
        }
        document(&entry_points_initial(base, brand))
    }

    fn external_entry_points(
        &mut self,
        request: &Request<Bytes>,
        base: &str,
        now: Timestamp,
    ) -> Response<Bytes> {
        if let Err(error) = self.caller(request, &Params::parse(b""), None, now) {
            return error.respond();
        }
        let mut response = document(&entry_points_external(base, DEFAULT_BRAND));
        reply::header(&mut response, "discovery-tag", &discovery_tag(&self.seed));
        response
    }

    /// `GET|POST /restapi/oauth/userinfo` (OpenID Connect Core section 5.3). Platform §5.
    pub(crate) fn user_info(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Response<Bytes> {
        let response = self.answer_user_info(request, now);
        self.counters.api.note(response.status());
        response
    }

    fn answer_user_info(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let caller = match self.caller(request, &Params::parse(b""), None, now) {
            Ok(caller) => caller,
            Err(error) => return error.respond(),
        };
        let Some(app) = self.registry.app(caller.app.as_str()).cloned() else {
            return ResourceError::no_such_resource().respond();
        };
        let passage = self.pass_auth(&app, Some(caller.user.id()), now);
        if let Passage::Refused(..) = passage {
            return limited(&passage);
        }
        let needs_openid = self.config.switches.userinfo_needs_openid;
        let mut response = if needs_openid && !asks_for_id_token(&caller.scope) {
            ResourceError::insufficient_scope("openid").respond()
        } else {
            let scope = if needs_openid {
                caller.scope.as_str()
            } else {
                "openid email profile"
            };
            let person = self.person(&caller.user);
            reply::no_store(reply::json(StatusCode::OK, &Userinfo::new(&person, scope)))
        };
        write_quota(&passage, response.headers_mut());
        response
    }

    /// The ID token of a sign-in, when the scope asks for one.
    pub(crate) fn id_token(
        &self,
        session: u64,
        app: &App,
        sign_in: &SignIn,
        base: &str,
        now: Timestamp,
    ) -> Option<String> {
        let session = self.sessions.get(session)?;
        if !asks_for_id_token(session.scope()) {
            return None;
        }
        let user = self.registry.user(session.user)?;
        // A session gets one, when it starts.
        let parts: [&[u8]; 2] = [session.session_id.as_bytes(), &now.millis().to_be_bytes()];
        let authentication = Authentication {
            issuer: base,
            client_id: app.client_id(),
            scope: session.scope(),
            nonce: sign_in.nonce.as_deref(),
            auth_time: self.clock.told(sign_in.at),
            jti: &self.seed.text("id token", &parts, 22),
        };
        let person = self.person(user);
        let claims = IdToken::new(&person, &authentication, self.clock.told(now));
        Some(self.keys.sign(&claims))
    }

    fn person<'a>(&self, user: &'a User) -> Person<'a> {
        Person {
            extension_id: user.extension_id,
            account_id: self.config.account.id,
            email: &user.login,
            given_name: &user.first_name,
            family_name: &user.last_name,
        }
    }
}

fn document(body: &impl Serialize) -> Response<Bytes> {
    reply::json(StatusCode::OK, body)
}
