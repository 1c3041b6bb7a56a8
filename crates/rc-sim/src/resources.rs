//! The resources a demo calls: account, extension, SMS, and what needs no token.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri, header::AUTHORIZATION};
use serde_json::{Value, json};

use crate::{
    config::{ClientId, User},
    form::Params,
    limits::{Group, LimitKey, Passage},
    platform::Platform,
    reply,
    resource_error::ResourceError,
    sessions::AccessRefusal,
    timestamp::Timestamp,
    token::{limited, write_quota},
};

/// Who calls, after the bearer check.
struct Caller {
    app: ClientId,
    user: Arc<User>,
    scope: String,
}

/// A resource that needs a token.
#[derive(Clone, Copy)]
enum Resource<'a> {
    Account {
        account: &'a str,
    },
    Extension {
        account: &'a str,
        extension: &'a str,
    },
    Sms {
        account: &'a str,
        extension: &'a str,
    },
}

impl<'a> Resource<'a> {
    fn of(method: &Method, segments: &[&'a str]) -> Option<Self> {
        match (method.as_str(), segments) {
            ("GET", ["account", account]) => Some(Self::Account { account }),
            ("GET", ["account", account, "extension", extension]) => {
                Some(Self::Extension { account, extension })
            }
            ("POST", ["account", account, "extension", extension, "sms"]) => {
                Some(Self::Sms { account, extension })
            }
            _ => None,
        }
    }

    fn group(self) -> Group {
        match self {
            Self::Account { .. } | Self::Extension { .. } => Group::Light,
            Self::Sms { .. } => Group::Medium,
        }
    }

    fn permission(self) -> &'static str {
        match self {
            Self::Account { .. } | Self::Extension { .. } => "ReadAccounts",
            Self::Sms { .. } => "SMS",
        }
    }
}

impl Platform {
    /// Everything below `/restapi` that is not OAuth.
    pub(crate) fn resource(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let response = match self.open_resource(request) {
            Some(response) => response,
            None => self.closed_resource(request, now),
        };
        self.counters.api.note(response.status());
        response
    }

    /// What needs no token.
    fn open_resource(&self, request: &Request<Bytes>) -> Option<Response<Bytes>> {
        let base = base_url(request);
        match (
            request.method().as_str(),
            request.uri().path().trim_end_matches('/'),
        ) {
            ("GET", "/restapi") => Some(reply::json(StatusCode::OK, &api_versions(&base))),
            ("GET", "/restapi/v1.0") => Some(reply::json(StatusCode::OK, &api_version(&base))),
            // Platform: liveness, empty.
            ("GET", "/restapi/v1.0/status") => Some(reply::empty(StatusCode::OK)),
            _ => None,
        }
    }

    fn closed_resource(&mut self, request: &Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        let caller = match self.caller(request, now) {
            Ok(caller) => caller,
            Err(error) => return error.respond(),
        };
        let path = request
            .uri()
            .path()
            .strip_prefix("/restapi/v1.0/")
            .unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        let Some(resource) = Resource::of(request.method(), &segments) else {
            return ResourceError::no_such_resource().respond();
        };
        // Platform: windows are per user, app and group.
        let key = LimitKey {
            app: caller.app.clone(),
            user: Some(caller.user.id()),
            group: resource.group(),
        };
        let passage = self.limiter.pass(key, &self.config.switches.limits, now);
        if let Passage::Refused(..) = passage {
            return limited(&passage);
        }
        let mut response = match self.serve(resource, &caller, request, now) {
            Ok(body) => reply::json(StatusCode::OK, &body),
            Err(error) => error.respond(),
        };
        write_quota(&passage, response.headers_mut());
        response
    }

    fn caller(
        &mut self,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<Caller, ResourceError> {
        let query = Params::parse(request.uri().query().unwrap_or_default().as_bytes());
        // Platform: an access token may travel in the query; the header is preferred.
        let token = match bearer(request.headers())? {
            Some(token) => token,
            None => query
                .first("access_token")
                .ok_or_else(ResourceError::no_authorization)?,
        };
        let session = self
            .sessions
            .use_access(token, self.config.switches.session_limits, now)
            .map_err(ResourceError::access)?;
        let user = self.registry.user(session.user);
        Ok(Caller {
            app: session.app.clone(),
            user: Arc::clone(user.ok_or_else(|| ResourceError::access(AccessRefusal::NotFound))?),
            scope: session.scope().to_owned(),
        })
    }

    fn serve(
        &mut self,
        resource: Resource<'_>,
        caller: &Caller,
        request: &Request<Bytes>,
        now: Timestamp,
    ) -> Result<Value, ResourceError> {
        let permission = resource.permission();
        if !caller.scope.split(' ').any(|scope| scope == permission) {
            return Err(ResourceError::app_permission(permission));
        }
        let base = base_url(request);
        match resource {
            Resource::Account { account } => {
                self.own_account(account)?;
                Ok(self.account_info(&base))
            }
            Resource::Extension { account, extension } => {
                self.own_extension(account, extension, caller)?;
                Ok(self.extension_info(&caller.user, &base))
            }
            Resource::Sms { account, extension } => {
                self.own_extension(account, extension, caller)?;
                self.record_sms(&caller.user, request.body(), &base, now)
            }
        }
    }

    /// Platform: `~` stands for one's own.
    fn own_account(&self, account: &str) -> Result<(), ResourceError> {
        if account == "~" || account == self.config.account.id.to_string() {
            return Ok(());
        }
        Err(ResourceError::not_found("accountId", account))
    }

    fn own_extension(
        &self,
        account: &str,
        extension: &str,
        caller: &Caller,
    ) -> Result<(), ResourceError> {
        self.own_account(account)?;
        if extension == "~" || extension == caller.user.extension_id.to_string() {
            return Ok(());
        }
        Err(ResourceError::not_found("extensionId", extension))
    }

    fn account_info(&self, base: &str) -> Value {
        let account = &self.config.account;
        json!({
            "uri": format!("{base}/restapi/v1.0/account/{}", account.id),
            "id": account.id,
            "mainNumber": account.main_number,
            "status": "Confirmed",
            "setupWizardState": "Completed",
            "serviceInfo": { "brand": { "id": "1210", "name": "RingCentral (simulated)" } },
            "companyName": account.name,
            "regionalSettings": regional_settings(),
        })
    }

    fn extension_info(&self, user: &User, base: &str) -> Value {
        let account = &self.config.account;
        let account_uri = format!("{base}/restapi/v1.0/account/{}", account.id);
        json!({
            "uri": format!("{account_uri}/extension/{}", user.extension_id),
            "id": user.extension_id,
            "extensionNumber": user.extension_number,
            "name": user.name(),
            "type": "User",
            "status": "Enabled",
            "hidden": false,
            "setupWizardState": "Completed",
            "contact": {
                "firstName": user.first_name,
                "lastName": user.last_name,
                "company": account.name,
                "email": user.login,
                "businessPhone": user.phone_number,
            },
            "account": { "id": account.id.to_string(), "uri": account_uri },
            "permissions": {
                "admin": { "enabled": user.is_administrator() },
                "internationalCalling": { "enabled": false },
            },
            "serviceFeatures": [{ "featureName": "SMS", "enabled": true }],
            "regionalSettings": regional_settings(),
        })
    }
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

fn regional_settings() -> Value {
    json!({
        "homeCountry": { "id": "1", "name": "United States", "isoCode": "US" },
        "timezone": { "id": "58", "name": "US/Pacific" },
        "language": { "id": "1033", "localeCode": "en-US" },
    })
}

fn api_versions(base: &str) -> Value {
    json!({
        "uri": format!("{base}/restapi/"),
        "apiVersions": [api_version(base)],
        "serverVersion": "26.3.1",
        "serverRevision": "simulated",
    })
}

fn api_version(base: &str) -> Value {
    json!({
        "uri": format!("{base}/restapi/v1.0"),
        "versionString": "1.0.60",
        "releaseDate": "2026-08-01T00:00:00.000Z",
        "uriString": "v1.0",
    })
}

/// Scheme and authority the client used; the simulated platform has no name of its own.
fn base_url(request: &Request<Bytes>) -> String {
    let from_uri = |uri: &Uri| {
        let authority = uri.authority()?;
        Some(format!(
            "{}://{authority}",
            uri.scheme_str().unwrap_or("http")
        ))
    };
    let from_host = || {
        let host = request.headers().get(http::header::HOST)?.to_str().ok()?;
        Some(format!("http://{host}"))
    };
    from_uri(request.uri())
        .or_else(from_host)
        .unwrap_or_else(|| "http://localhost".into())
}
