//! Refusals of resources and of the gateway: the second body shape.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header::WWW_AUTHENTICATE};
use serde::Serialize;

use crate::{oauth::sessions::AccessRefusal, platform::journal::RefusalCode, reply};

/// One refusal of a resource.
#[derive(Debug)]
pub(crate) struct ResourceError {
    status: StatusCode,
    /// The top-level `errorCode`: a category, or the number again.
    category: &'static str,
    code: &'static str,
    message: String,
    parameter: Option<&'static str>,
    /// The permission the user lacks.
    permission: Option<&'static str>,
    /// The methods that would have been allowed.
    allow: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    error_code: &'static str,
    message: &'a str,
    errors: [Item<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item<'a> {
    error_code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter_name: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    permission_name: Option<&'static str>,
}

impl ResourceError {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            category: code,
            code,
            message: message.into(),
            parameter: None,
            permission: None,
            allow: None,
        }
    }

    /// Platform §6: no Authorization header is the gateway's 401 AGW-401.
    pub(crate) fn no_authorization() -> Self {
        let message = "Authorization header is not specified";
        Self::new(StatusCode::UNAUTHORIZED, "AGW-401", message)
    }

    /// Platform §6: a header that is no bearer header is AGW-402.
    pub(crate) fn invalid_authorization() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "AGW-402",
            "Invalid Authorization header",
        )
    }

    pub(crate) fn access(refusal: AccessRefusal) -> Self {
        let (category, code, message) = match refusal {
            // Platform §6: garbage is category TokenInvalid with OAU-149 inside.
            AccessRefusal::Unparsable => ("TokenInvalid", "OAU-149", "OAuth token is invalid"),
            // Platform §6: an expired access token is OAU-128.
            AccessRefusal::Expired => ("OAU-128", "OAU-128", "Access token expired"),
            // Platform §6: the old access token dies at once; 401 OAU-129 for 10 s, then OAU-213.
            AccessRefusal::Corrupted => ("TokenInvalid", "OAU-129", "Access token corrupted"),
            AccessRefusal::NotFound => ("TokenInvalid", "OAU-213", "Token not found"),
        };
        Self {
            category,
            ..Self::new(StatusCode::UNAUTHORIZED, code, message)
        }
    }

    /// Platform §6: what the application lacks is 403 CMN-401.
    pub(crate) fn app_permission(permission: &str) -> Self {
        let message = format!(
            "In order to call this API endpoint, application needs to have [{permission}] permission"
        );
        Self::new(StatusCode::FORBIDDEN, "CMN-401", message)
    }

    /// Platform §6: what the user lacks is 403 CMN-408, whose body has `permissionName`.
    pub(crate) fn user_permission(permission: &'static str) -> Self {
        let message = format!(
            "In order to call this API endpoint, user needs to have [{permission}] permission for requested resource"
        );
        let error = Self::new(StatusCode::FORBIDDEN, "CMN-408", message);
        Self {
            permission: Some(permission),
            ..error
        }
    }

    /// Platform §6: the extension of somebody else is 403 CMN-404, except for an administrator.
    pub(crate) fn another_extension() -> Self {
        let message = "Access to another extension is not allowed";
        Self {
            parameter: Some("extensionId"),
            ..Self::new(StatusCode::FORBIDDEN, "CMN-404", message)
        }
    }

    /// Platform §6: what is no JSON is 400 CMN-103.
    pub(crate) fn bad_json() -> Self {
        let message = "Request body is not valid JSON";
        Self::new(StatusCode::BAD_REQUEST, "CMN-103", message)
    }

    /// Platform §6: an address the API does not have is 404 CMN-120.
    pub(crate) fn invalid_uri() -> Self {
        Self::new(StatusCode::NOT_FOUND, "CMN-120", "Invalid URI")
    }

    /// RFC 9110 section 15.5.6. Assumed: the code, named like the gateway's other refusals.
    pub(crate) fn method_not_allowed(allow: String) -> Self {
        let message = "Method is not allowed";
        Self {
            allow: Some(allow),
            ..Self::new(StatusCode::METHOD_NOT_ALLOWED, "AGW-405", message)
        }
    }

    /// Platform §6: a bad value is CMN-101 with its parameter's name.
    pub(crate) fn parameter(name: &'static str) -> Self {
        let message = format!("Parameter [{name}] value is invalid");
        let error = Self::new(StatusCode::BAD_REQUEST, "CMN-101", message);
        Self {
            parameter: Some(name),
            ..error
        }
    }

    /// Platform §6: an id nobody has is 404 CMN-102.
    pub(crate) fn not_found(name: &'static str, value: &str) -> Self {
        let value: String = value.chars().take(64).collect();
        let message = format!("Resource for parameter [{name}] with value [{value}] is not found");
        let error = Self::new(StatusCode::NOT_FOUND, "CMN-102", message);
        Self {
            parameter: Some(name),
            ..error
        }
    }

    pub(crate) fn no_such_resource() -> Self {
        Self::new(StatusCode::NOT_FOUND, "AGW-404", "Resource is not found")
    }

    /// RFC 6750 section 3.1. Assumed: the platform's number for it.
    pub(crate) fn insufficient_scope(scope: &str) -> Self {
        let message = format!("The access token needs the scope [{scope}]");
        Self {
            category: "InsufficientScope",
            ..Self::new(StatusCode::FORBIDDEN, "OAU-117", message)
        }
    }

    /// No behaviour of RingCentral's: the request names a namespace that was not made.
    pub(crate) fn no_such_namespace(name: &str) -> Self {
        let name: String = name.chars().take(64).collect();
        let message = format!("There is no namespace [{name}]. Make it with POST /sim/namespaces");
        Self::new(StatusCode::NOT_FOUND, "SIM-404", message)
    }

    /// Platform §6: the text of CMN-301 is matched by first-party clients.
    pub(crate) fn rate_exceeded() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "CMN-301",
            "Request rate exceeded",
        )
    }

    /// Platform §6: a duplicate of a request that is still being carried out is 429 CMN-304.
    pub(crate) fn duplicate_in_the_air() -> Self {
        Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "CMN-304",
            "Duplicate concurrent request",
        )
    }

    pub(crate) fn respond(&self) -> Response<Bytes> {
        let item = Item {
            error_code: self.code,
            message: &self.message,
            parameter_name: self.parameter,
            permission_name: self.permission,
        };
        let body = Body {
            error_code: self.category,
            message: &self.message,
            errors: [item],
        };
        let mut response = reply::json(self.status, &body);
        response.extensions_mut().insert(RefusalCode(self.code));
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(WWW_AUTHENTICATE, self.challenge());
        }
        if let Some(allow) = &self.allow {
            reply::header(&mut response, "allow", allow);
        }
        response
    }

    /// RFC 6750 section 3: an error only when a token was presented.
    fn challenge(&self) -> HeaderValue {
        if self.code.starts_with("AGW") {
            HeaderValue::from_static(r#"Bearer realm="RingCentral REST API""#)
        } else {
            HeaderValue::from_static(
                r#"Bearer realm="RingCentral REST API", error="invalid_token", error_description="The access token is not accepted""#,
            )
        }
    }
}

/// Refusals of the server's own.
#[cfg(feature = "server")]
impl ResourceError {
    /// Assumed: the platform's numbers for what its gateway would refuse.
    pub(crate) fn too_large() -> Self {
        let message = "Request body is too large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "AGW-413", message)
    }

    pub(crate) fn slow_request() -> Self {
        let message = "Request body did not arrive in time";
        Self::new(StatusCode::REQUEST_TIMEOUT, "AGW-408", message)
    }

    pub(crate) fn unreadable() -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "CMN-104",
            "Request body cannot be read",
        )
    }

    /// No behaviour of RingCentral's: what the request changed could not be written to the state file. Platform §6.2:
    /// CMN-201 is "temporarily unavailable".
    pub(crate) fn not_kept(error: &std::io::Error) -> Self {
        let message = format!("The simulated platform cannot write its state file: {error}");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "CMN-201", message)
    }
}
