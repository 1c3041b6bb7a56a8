//! Who calls, and what the caller may.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Request, header::AUTHORIZATION};

use crate::{
    config::{ClientId, User},
    form::Params,
    oauth::sessions::AccessRefusal,
    platform::Platform,
    resources::error::ResourceError,
    switches::AccessTokenInQuery,
    timestamp::Timestamp,
    world::{Extension, World},
};

use super::{
    Call,
    endpoints::{Endpoint, Handler},
};

/// Permissions of the role that is no administrator's. Assumed: those of the standard role.
const STANDARD_ROLE: [&str; 3] = ["ReadCompanyInfo", "ReadExtensions", "OutboundSMS"];

/// Platform §8: some permissions include others.
const INCLUDED: [(&str, &str); 3] = [
    ("SMS", "ReadMessages"),
    ("EditAccounts", "ReadAccounts"),
    ("ReadCallRecording", "ReadCallLog"),
];

/// Who calls, after the bearer check.
pub(crate) struct Caller {
    pub(crate) app: ClientId,
    pub(crate) user: Arc<User>,
    pub(crate) scope: String,
    pub(super) endpoint_id: String,
}

impl Caller {
    fn scope_allows(&self, permission: &str) -> bool {
        self.scope
            .split(' ')
            .any(|granted| granted == permission || INCLUDED.contains(&(granted, permission)))
    }
}

impl Platform {
    /// The caller, by the token of the request.
    pub(crate) fn caller(
        &mut self,
        request: &Request<Bytes>,
        query: &Params,
        handler: Option<Handler>,
        now: Timestamp,
    ) -> Result<Caller, ResourceError> {
        // Platform §7: in the query a token is for media only; the header is preferred.
        let in_query = match self.config.switches.access_token_in_query {
            AccessTokenInQuery::Media => matches!(handler, Some(Handler::Media(_))),
            AccessTokenInQuery::Everywhere => true,
            AccessTokenInQuery::Nowhere => false,
        };
        let token = match bearer(request.headers())? {
            Some(token) => token,
            None => query
                .first("access_token")
                .filter(|_| in_query)
                .ok_or_else(ResourceError::no_authorization)?,
        };
        let limits = self.config.switches.session_limits;
        let session = self
            .sessions
            .use_access(token, limits, now)
            .map_err(ResourceError::access)?;
        self.acting.client_id = Some(session.app.clone());
        self.acting.user = Some(session.user);
        let user = self.registry.user(session.user);
        let user = user.ok_or_else(|| ResourceError::access(AccessRefusal::NotFound))?;
        Ok(Caller {
            app: session.app.clone(),
            user: Arc::clone(user),
            scope: session.scope().to_owned(),
            endpoint_id: session.endpoint_id.clone(),
        })
    }

    /// Platform §8: what is allowed is what both the app and the user's role may.
    pub(super) fn permit(&self, endpoint: &Endpoint, caller: &Caller) -> Result<(), ResourceError> {
        let missing_in_app = endpoint
            .app_permission
            .filter(|permission| !caller.scope_allows(permission));
        if let Some(permission) = missing_in_app {
            return Err(ResourceError::app_permission(permission));
        }
        match endpoint
            .user_permission
            .filter(|permission| !role_allows(&caller.user, permission))
        {
            Some(permission) => Err(ResourceError::user_permission(permission)),
            None => Ok(()),
        }
    }

    pub(crate) fn world(&self) -> World<'_> {
        World::of(&self.config, self.world_key)
    }

    /// The account of the path. Platform §9: `~` stands for one's own.
    pub(super) fn own_account(&self, call: &Call<'_>) -> Result<(), ResourceError> {
        let account = call.value("accountId");
        if account == "~" || call.id("accountId") == Some(self.config.account.id) {
            return Ok(());
        }
        Err(ResourceError::not_found("accountId", account))
    }

    /// The extension of the path, when the caller may see it.
    ///
    /// Platform §6: for an ordinary user another extension is 403 CMN-404, one that nobody has 404 CMN-102.
    pub(super) fn extension(&self, call: &Call<'_>) -> Result<Extension, ResourceError> {
        self.own_account(call)?;
        let value = call.value("extensionId");
        let unknown = || ResourceError::not_found("extensionId", value);
        let (world, own) = (self.world(), call.caller.user.extension_id);
        let id = if value == "~" {
            Some(own)
        } else {
            call.id("extensionId")
        };
        let found = id.and_then(|id| world.find_extension(id));
        let found = found.ok_or_else(unknown)?;
        if found.id == own || call.caller.user.is_administrator() {
            return Ok(found);
        }
        Err(ResourceError::another_extension())
    }
}

fn role_allows(user: &User, permission: &str) -> bool {
    user.is_administrator() || STANDARD_ROLE.contains(&permission)
}

/// The bearer token (RFC 6750 section 2.1). Platform §5: `bearer` is as good as `Bearer`.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ResourceError> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().ok().filter(|_| values.next().is_none());
    match text.and_then(|text| text.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        Some(_) | None => Err(ResourceError::invalid_authorization()),
    }
}
