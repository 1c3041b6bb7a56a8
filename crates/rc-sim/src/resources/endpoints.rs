//! The table of endpoints: what exists, who may call it, and who answers.

use std::borrow::Cow;

use bytes::Bytes;
use http::{Method, Response};

use crate::{
    platform::{Platform, limits::Group},
    resources::error::ResourceError,
};

use super::{Call, account, call_log, extensions, message_store, sms, versions};

/// Answers a call that was let in.
type Answer = fn(&mut Platform, &Call<'_>) -> Result<Response<Bytes>, ResourceError>;

/// Who answers, and how the caller proves who it is.
#[derive(Clone, Copy)]
pub(crate) enum Handler {
    /// Needs no token; gets the base URL.
    Open(fn(&str) -> Response<Bytes>),
    /// Needs an access token in the header.
    Token(Answer),
    /// Media. Platform §7: the access token may also travel in the query.
    Media(Answer),
}

/// One method of one address.
pub(crate) struct Endpoint {
    pub(crate) method: Method,
    /// The path; `{name}` stands for any one segment.
    pub(crate) template: &'static str,
    /// Without a group, the endpoint is not throttled.
    pub(crate) group: Option<Group>,
    /// The permission the application needs.
    pub(crate) app_permission: Option<&'static str>,
    /// The permission the user's role needs.
    pub(crate) user_permission: Option<&'static str>,
    pub(crate) handler: Handler,
}

impl Endpoint {
    const fn open(template: &'static str, answer: fn(&str) -> Response<Bytes>) -> Self {
        Self {
            method: Method::GET,
            template,
            group: None,
            app_permission: None,
            user_permission: None,
            handler: Handler::Open(answer),
        }
    }

    const fn new(method: Method, template: &'static str, group: Group, answer: Answer) -> Self {
        Self {
            method,
            template,
            group: Some(group),
            app_permission: None,
            user_permission: None,
            handler: Handler::Token(answer),
        }
    }

    /// Sets the permission the application needs.
    const fn app(mut self, permission: &'static str) -> Self {
        self.app_permission = Some(permission);
        self
    }

    /// Sets the permission the user needs.
    const fn user(mut self, permission: &'static str) -> Self {
        self.user_permission = Some(permission);
        self
    }

    /// Lets the token travel in the query.
    const fn media(mut self) -> Self {
        if let Handler::Token(answer) = self.handler {
            self.handler = Handler::Media(answer);
        }
        self
    }
}

const V1: &str = "/restapi/v1.0";
const ACCOUNT: &str = "/restapi/v1.0/account/{accountId}";
const COMPANY_LOG: &str = "/restapi/v1.0/account/{accountId}/call-log";
const COMPANY_CALL: &str = "/restapi/v1.0/account/{accountId}/call-log/{callRecordId}";
const EXTENSIONS: &str = "/restapi/v1.0/account/{accountId}/extension";
const EXTENSION: &str = "/restapi/v1.0/account/{accountId}/extension/{extensionId}";
const NUMBERS: &str = "/restapi/v1.0/account/{accountId}/extension/{extensionId}/phone-number";
const CALL_LOG: &str = "/restapi/v1.0/account/{accountId}/extension/{extensionId}/call-log";
const CALL: &str =
    "/restapi/v1.0/account/{accountId}/extension/{extensionId}/call-log/{callRecordId}";
const MESSAGES: &str = "/restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store";
const MESSAGE: &str =
    "/restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store/{messageId}";
const CONTENT: &str = "/restapi/v1.0/account/{accountId}/extension/{extensionId}/message-store/{messageId}/content/{attachmentId}";
const SMS: &str = "/restapi/v1.0/account/{accountId}/extension/{extensionId}/sms";

/// Every endpoint below `/restapi` that is not OAuth. Platform §9: groups and permissions.
///
/// Assumed: the groups of `client-info`, of phone numbers and of single messages; EditMessages for
/// changing them.
pub(crate) static ENDPOINTS: [Endpoint; 19] = [
    Endpoint::open("/restapi", versions::all),
    Endpoint::open(V1, versions::first),
    Endpoint::open("/restapi/v1.0/status", versions::status),
    Endpoint::new(
        Method::GET,
        "/restapi/v1.0/client-info",
        Group::Light,
        account::client_info,
    ),
    Endpoint::new(Method::GET, ACCOUNT, Group::Light, account::read)
        .app("ReadAccounts")
        .user("ReadCompanyInfo"),
    Endpoint::new(
        Method::GET,
        "/restapi/v2/accounts/{accountId}",
        Group::Light,
        account::read_v2,
    )
    .app("ReadAccounts")
    .user("ReadCompanyInfo"),
    Endpoint::new(Method::GET, EXTENSIONS, Group::Medium, extensions::list)
        .app("ReadAccounts")
        .user("ReadExtensions"),
    Endpoint::new(Method::GET, EXTENSION, Group::Light, extensions::read)
        .app("ReadAccounts")
        .user("ReadExtensions"),
    Endpoint::new(
        Method::GET,
        NUMBERS,
        Group::Light,
        extensions::phone_numbers,
    )
    .app("ReadAccounts")
    .user("ReadExtensions"),
    Endpoint::new(Method::GET, CALL_LOG, Group::Heavy, call_log::of_extension).app("ReadCallLog"),
    Endpoint::new(
        Method::GET,
        CALL,
        Group::Heavy,
        call_log::record_of_extension,
    )
    .app("ReadCallLog"),
    Endpoint::new(Method::GET, COMPANY_LOG, Group::Heavy, call_log::of_company)
        .app("ReadCallLog")
        .user("FullCompanyCallLog"),
    Endpoint::new(
        Method::GET,
        COMPANY_CALL,
        Group::Heavy,
        call_log::record_of_company,
    )
    .app("ReadCallLog")
    .user("FullCompanyCallLog"),
    Endpoint::new(Method::GET, MESSAGES, Group::Light, message_store::list).app("ReadMessages"),
    Endpoint::new(Method::GET, MESSAGE, Group::Light, message_store::read).app("ReadMessages"),
    Endpoint::new(Method::PUT, MESSAGE, Group::Medium, message_store::update).app("EditMessages"),
    Endpoint::new(
        Method::DELETE,
        MESSAGE,
        Group::Medium,
        message_store::delete,
    )
    .app("EditMessages"),
    Endpoint::new(Method::GET, CONTENT, Group::Medium, message_store::content)
        .app("ReadMessages")
        .media(),
    Endpoint::new(Method::POST, SMS, Group::Medium, sms::send)
        .app("SMS")
        .user("OutboundSMS"),
];

/// The values of a template's variables, decoded.
pub(crate) type Values<'a> = Vec<(&'static str, Cow<'a, str>)>;

/// What a path leads to.
pub(crate) enum Found<'a> {
    Endpoint(&'static Endpoint, Values<'a>),
    /// The address exists, with these methods.
    OtherMethods(String),
    Nothing,
}

/// Looks up a method and a raw path, whose segments may be percent-encoded.
pub(crate) fn find<'a>(method: &Method, path: &'a str) -> Found<'a> {
    let Some(segments) = segments(path) else {
        return Found::Nothing;
    };
    let mut others: Vec<&str> = Vec::new();
    for endpoint in &ENDPOINTS {
        let Some(values) = values(endpoint.template, &segments) else {
            continue;
        };
        if endpoint.method == *method {
            return Found::Endpoint(endpoint, values);
        }
        others.push(endpoint.method.as_str());
    }
    if others.is_empty() {
        return Found::Nothing;
    }
    Found::OtherMethods(others.join(", "))
}

fn segments(path: &str) -> Option<Vec<Cow<'_, str>>> {
    let path = path.trim_end_matches('/').strip_prefix('/')?;
    path.split('/').map(decode).collect()
}

fn values<'a>(template: &'static str, segments: &[Cow<'a, str>]) -> Option<Values<'a>> {
    let mut values = Values::new();
    let mut rest = segments.iter();
    for part in template.split('/').skip(1) {
        let segment = rest.next()?;
        match part
            .strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
        {
            Some(name) if !segment.is_empty() => values.push((name, segment.clone())),
            None if segment == part => {}
            Some(_) | None => return None,
        }
    }
    rest.next().is_none().then_some(values)
}

/// Percent-decodes a segment (RFC 3986 section 2.1); nothing when it is malformed or not UTF-8.
fn decode(segment: &str) -> Option<Cow<'_, str>> {
    if !segment.contains('%') {
        return Some(Cow::Borrowed(segment));
    }
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_endpoint_is_found_by_its_template_and_no_other() {
        for endpoint in &ENDPOINTS {
            let found = find(&endpoint.method, endpoint.template);
            assert!(
                matches!(found, Found::Endpoint(found, _) if std::ptr::eq(found, endpoint)),
                "{} {}",
                endpoint.method,
                endpoint.template
            );
        }
    }

    #[test]
    fn segments_are_decoded_once_and_malformed_ones_are_nothing() {
        for (encoded, decoded) in [
            ("~", Some("~")),
            ("%7e", Some("~")),
            ("%257E", Some("%7E")),
            ("a%2Fb", Some("a/b")),
            ("a+b", Some("a+b")),
            ("%", None),
            ("%7", None),
            ("%+7", None),
            ("%ff", None),
        ] {
            assert_eq!(decode(encoded).as_deref(), decoded, "{encoded}");
        }
    }
}
