//! Refusals of the OAuth endpoints: the first body shape, and the table of their codes.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::WWW_AUTHENTICATE};
use serde::Serialize;

use crate::{
    form::{Differs, Duplicated},
    jose::{client_assertion::AssertionRefusal, jwt::JwtRefusal, personal_jwt::PersonalJwtRefusal},
    platform::journal::RefusalCode,
    reply,
    switches::{ErrorShape, ErrorStatuses, Switches},
};

/// A numbered reason. The comment of each says what it means to the platform.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OauthCode {
    /// A parameter is missing or has a bad value.
    Cmn101,
    /// The body cannot be read.
    Cmn104,
    /// The user lacks a permission.
    Cmn408,
    /// The brand does not exist.
    Oau101,
    /// The authorization code is invalid or was used.
    Oau106,
    /// The authorization code is expired.
    Oau108,
    /// Redirect URIs do not match.
    Oau109,
    /// The code belongs to another app.
    Oau110,
    /// A parameter came twice.
    Oau111,
    /// No redirect URI is registered.
    Oau113,
    /// Two client ids that differ.
    Oau120,
    /// No client authentication at all.
    Oau123,
    /// The extension is disabled.
    Oau141,
    /// The account is disabled.
    Oau142,
    /// Wrong client secret.
    Oau146,
    /// A parameter of the query differs from the body's.
    Oau150,
    /// Unknown client.
    Oau153,
    /// The Basic header cannot be read.
    Oau156,
    /// Bad client on revoke.
    Oau164,
    /// The refresh token expired.
    Oau210,
    /// The refresh token was revoked.
    Oau211,
    /// The refresh token is unknown, spent or of an ended OAuth session.
    Oau213,
    /// A client assertion cannot be read.
    Oau331Client,
    /// The assertion of a grant cannot be read, or was not signed by the platform.
    Oau331Grant,
    /// A client assertion with another algorithm.
    Oau347Client,
    /// The assertion of a grant with another algorithm.
    Oau347Grant,
    /// A personal JWT that is not for this app.
    Oau473,
    /// The grant type does not exist.
    Oau250,
    /// The app may not use this grant.
    Oau251,
}

struct Facts {
    id: &'static str,
    error: &'static str,
    /// The guide's table.
    guide_status: StatusCode,
    message: &'static str,
}

impl OauthCode {
    pub(crate) fn id(self) -> &'static str {
        self.facts().id
    }

    fn facts(self) -> Facts {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;
        const FORBIDDEN: StatusCode = StatusCode::FORBIDDEN;
        let (id, error, guide_status, message) = match self {
            Self::Cmn101 => (
                "CMN-101",
                "invalid_request",
                BAD,
                "Parameter value is invalid",
            ),
            Self::Cmn104 => (
                "CMN-104",
                "invalid_request",
                BAD,
                "Request body cannot be parsed",
            ),
            Self::Cmn408 => (
                "CMN-408",
                "invalid_client",
                FORBIDDEN,
                "User permission required",
            ),
            Self::Oau101 => (
                "OAU-101",
                "invalid_request",
                FORBIDDEN,
                "Parameter [brandId] is invalid",
            ),
            Self::Oau106 => (
                "OAU-106",
                "invalid_grant",
                FORBIDDEN,
                "Authorization code is invalid",
            ),
            Self::Oau108 => (
                "OAU-108",
                "invalid_grant",
                FORBIDDEN,
                "Authorization code is expired",
            ),
            Self::Oau109 => (
                "OAU-109",
                "invalid_grant",
                FORBIDDEN,
                "Redirect URIs do not match",
            ),
            Self::Oau110 => (
                "OAU-110",
                "invalid_grant",
                FORBIDDEN,
                "Authorization code was issued to another app",
            ),
            Self::Oau111 => (
                "OAU-111",
                "invalid_request",
                BAD,
                "Request parameter is duplicated",
            ),
            Self::Oau113 => (
                "OAU-113",
                "invalid_client",
                FORBIDDEN,
                "No redirect URI is registered for this client application",
            ),
            Self::Oau120 => (
                "OAU-120",
                "invalid_client",
                UNAUTHORIZED,
                "Wrong client application",
            ),
            Self::Oau123 => (
                "OAU-123",
                "invalid_client",
                UNAUTHORIZED,
                "Client authentication is required",
            ),
            Self::Oau141 => (
                "OAU-141",
                "invalid_grant",
                UNAUTHORIZED,
                "Sign-in is not allowed in the current state of the extension",
            ),
            Self::Oau142 => (
                "OAU-142",
                "invalid_grant",
                UNAUTHORIZED,
                "Sign-in is not allowed in the current state of the account",
            ),
            Self::Oau146 => (
                "OAU-146",
                "invalid_client",
                UNAUTHORIZED,
                "Invalid client credentials",
            ),
            Self::Oau150 => (
                "OAU-150",
                "invalid_request",
                BAD,
                "Request parameter of the query differs from the body's",
            ),
            Self::Oau153 => (
                "OAU-153",
                "invalid_client",
                BAD,
                "Invalid client application",
            ),
            Self::Oau156 => (
                "OAU-156",
                "invalid_client",
                BAD,
                "Basic authentication header is missing or malformed",
            ),
            Self::Oau164 => (
                "OAU-164",
                "invalid_client",
                BAD,
                "Invalid client application",
            ),
            Self::Oau210 => ("OAU-210", "invalid_grant", BAD, "Token expired"),
            Self::Oau211 => ("OAU-211", "invalid_grant", BAD, "Token revoked"),
            Self::Oau213 => ("OAU-213", "invalid_grant", BAD, "Token not found"),
            Self::Oau331Client => (
                "OAU-331",
                "invalid_client",
                UNAUTHORIZED,
                "Assertion cannot be parsed",
            ),
            Self::Oau331Grant => ("OAU-331", "invalid_grant", BAD, "Assertion is invalid"),
            Self::Oau347Client => (
                "OAU-347",
                "invalid_client",
                UNAUTHORIZED,
                "Assertion algorithm is not supported",
            ),
            Self::Oau347Grant => (
                "OAU-347",
                "invalid_grant",
                BAD,
                "Assertion algorithm is not supported",
            ),
            Self::Oau473 => (
                "OAU-473",
                "unauthorized_client",
                FORBIDDEN,
                "Client is not allowed to use this personal API key",
            ),
            Self::Oau250 => ("OAU-250", "invalid_request", BAD, "Unsupported grant type"),
            Self::Oau251 => (
                "OAU-251",
                "unauthorized_client",
                BAD,
                "Client is not authorized for this grant type",
            ),
        };
        Facts {
            id,
            error,
            guide_status,
            message,
        }
    }
}

impl OauthCode {
    /// Platform §3: OAU-331 for what is no JWT and OAU-347 for the wrong algorithm. Assumed: OAU-146 for the rest.
    pub(crate) fn of_client(refusal: AssertionRefusal) -> Self {
        match refusal {
            AssertionRefusal::Jwt(JwtRefusal::NotAJwt | JwtRefusal::TooLong) => Self::Oau331Client,
            AssertionRefusal::Jwt(JwtRefusal::Algorithm) => Self::Oau347Client,
            _ => Self::Oau146,
        }
    }

    /// Platform §3: OAU-331, OAU-347 and OAU-473. Assumed: OAU-331 also for one the platform has not signed, and
    /// for the rest what a refresh token in the same state gets (Platform §6.2).
    pub(crate) fn of_personal_jwt(refusal: PersonalJwtRefusal) -> Self {
        match refusal {
            PersonalJwtRefusal::Jwt(JwtRefusal::Algorithm) => Self::Oau347Grant,
            PersonalJwtRefusal::Jwt(_) => Self::Oau331Grant,
            PersonalJwtRefusal::Unknown => Self::Oau213,
            PersonalJwtRefusal::Revoked => Self::Oau211,
            PersonalJwtRefusal::Expired => Self::Oau210,
            PersonalJwtRefusal::OtherClient => Self::Oau473,
        }
    }
}

/// One refusal of an OAuth endpoint.
#[derive(Debug)]
pub(crate) struct OauthError {
    code: OauthCode,
    description: String,
    parameter: Option<(&'static str, String)>,
    /// Where it is not the one of the code.
    error: Option<&'static str>,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'static str,
    error_description: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    errors: Option<[Item<'a>; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    error_code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameters: Option<[Parameter<'a>; 1]>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Parameter<'a> {
    parameter_name: &'static str,
    parameter_value: &'a str,
}

impl OauthError {
    pub(crate) fn new(code: OauthCode) -> Self {
        Self {
            code,
            description: code.facts().message.into(),
            parameter: None,
            error: None,
        }
    }

    /// Platform §6: an unknown client is named in the message and in `parameters`.
    pub(crate) fn unknown_client(client_id: &str) -> Self {
        let client_id: String = client_id.chars().take(64).collect();
        Self {
            code: OauthCode::Oau153,
            description: format!("Invalid client application: [{client_id}]"),
            parameter: Some(("client_id", client_id)),
            error: None,
        }
    }

    /// RFC 6749 section 5.2: a scope beyond what was granted.
    pub(crate) fn scope() -> Self {
        Self {
            error: Some("invalid_scope"),
            ..Self::parameter("scope")
        }
    }

    pub(crate) fn parameter(name: &'static str) -> Self {
        Self {
            code: OauthCode::Cmn101,
            description: format!("Parameter [{name}] value is invalid"),
            parameter: Some((name, String::new())),
            error: None,
        }
    }

    /// Platform §6.2: what the user's role lacks is `invalid_client` with CMN-408.
    pub(crate) fn user_permission(name: &'static str) -> Self {
        Self {
            description: format!("[{name}] permission required"),
            parameter: Some(("permissionName", name.to_owned())),
            ..Self::new(OauthCode::Cmn408)
        }
    }

    /// The same reason under another number; revocation has one of its own for bad clients.
    pub(crate) fn with_code(self, code: OauthCode) -> Self {
        Self { code, ..self }
    }

    pub(crate) fn id(&self) -> &'static str {
        self.code.id()
    }

    pub(crate) fn error(&self) -> &'static str {
        self.error.unwrap_or(self.code.facts().error)
    }

    pub(crate) fn description(&self) -> &str {
        &self.description
    }

    /// The answer of the token and revocation endpoints.
    ///
    /// Platform §6: the guide's table says 401 and 403 for most codes; recorded answers are 400.
    pub(crate) fn respond(&self, switches: &Switches) -> Response<Bytes> {
        let status = match switches.error_statuses {
            ErrorStatuses::Observed => StatusCode::BAD_REQUEST,
            ErrorStatuses::GuideTable => self.code.facts().guide_status,
        };
        self.respond_with(status, switches)
    }

    pub(crate) fn respond_with(&self, status: StatusCode, switches: &Switches) -> Response<Bytes> {
        let mut response = reply::no_store(reply::json(status, &self.body(switches.error_shape)));
        if self.error() == "invalid_client" {
            let challenge = HeaderValue::from_static(r#"Basic realm="RingCentral REST API""#);
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(RefusalCode(self.id()));
        response
    }

    fn body(&self, shape: ErrorShape) -> Body<'_> {
        let parameters = self.parameter.as_ref().map(|(name, value)| {
            [Parameter {
                parameter_name: name,
                parameter_value: value,
            }]
        });
        let item = Item {
            error_code: self.id(),
            message: &self.description,
            parameters,
        };
        Body {
            error: self.error(),
            error_description: &self.description,
            errors: match shape {
                ErrorShape::WithErrors => Some([item]),
                ErrorShape::Bare => None,
            },
        }
    }
}

impl From<OauthCode> for OauthError {
    fn from(code: OauthCode) -> Self {
        Self::new(code)
    }
}

impl From<Differs> for OauthError {
    fn from(Differs(name): Differs) -> Self {
        Self {
            parameter: Some(("parameter", name)),
            ..Self::new(OauthCode::Oau150)
        }
    }
}

impl From<Duplicated> for OauthError {
    fn from(Duplicated(name): Duplicated) -> Self {
        Self {
            parameter: Some((name, String::new())),
            ..Self::new(OauthCode::Oau111)
        }
    }
}
