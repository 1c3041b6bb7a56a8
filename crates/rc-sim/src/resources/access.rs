//! Who calls, and what the caller may.

use bytes::Bytes;
use http::{HeaderMap, Request, header::AUTHORIZATION};

use crate::{
    config::User,
    form::Params,
    platform::Platform,
    resource_error::ResourceError,
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
    pub(super) app: usize,
    pub(super) user: usize,
    pub(super) scope: String,
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
    pub(super) fn caller(
        &mut self,
        request: &Request<Bytes>,
        query: &Params,
        handler: Option<Handler>,
        now: Timestamp,
    ) -> Result<Caller, ResourceError> {
        let token = match (bearer(request.headers())?, handler) {
            (Some(token), _) => token,
            // Platform §7: in the query a token is for media only; the header is preferred.
            (None, Some(Handler::Media(_))) => query
                .first("access_token")
                .ok_or_else(ResourceError::no_authorization)?,
            (None, _) => return Err(ResourceError::no_authorization()),
        };
        let session = self
            .sessions
            .use_access(token, now)
            .map_err(ResourceError::access)?;
        Ok(Caller {
            app: session.app,
            user: session.user,
            scope: session.scope.clone(),
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
        let user = &self.config.users[caller.user];
        match endpoint
            .user_permission
            .filter(|permission| !role_allows(user, permission))
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
        let (world, own) = (self.world(), call.caller.user as u64);
        if value == "~" {
            return world.extension(own).ok_or_else(unknown);
        }
        let found = call
            .id("extensionId")
            .and_then(|id| world.find_extension(id));
        let found = found.ok_or_else(unknown)?;
        if found.index == own || self.config.users[call.caller.user].admin {
            return Ok(found);
        }
        Err(ResourceError::another_extension())
    }
}

fn role_allows(user: &User, permission: &str) -> bool {
    user.admin || STANDARD_ROLE.contains(&permission)
}

/// The bearer token (RFC 6750 section 2.1). Platform: `bearer` is as good as `Bearer`.
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
