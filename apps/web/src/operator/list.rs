//! What stands in the store, and ending some of it.

use std::time::SystemTime;

use rc_auth::{Client, ListedGrant, ListedState, OAuthApp, SignedOut, Timestamp};

use super::{OperatorError, open_existing, ring};
use crate::{
    config::{Config, Platform},
    moment::Moment,
    output,
};

/// How many digits of a record are shown: enough to tell any two of a store apart.
const DIGITS: usize = 16;

/// How many digits name a record at least.
const FEWEST_DIGITS: usize = 4;

/// How many characters of a name are shown: a line stays a line on a screen.
const NAME_LIMIT: usize = 64;

pub(super) async fn list(config: Config) -> Result<(), OperatorError> {
    let app = match &config.platform {
        Platform::Registered(registration) => registration.app(),
        // Nobody is asked: any app will do.
        Platform::Simulated { .. } => OAuthApp::new(
            "demo",
            None,
            "http://127.0.0.1/oauth/callback",
            OAuthApp::DEFAULT_SERVER,
        ),
    };
    let client = client(&config, said(app)?).await?;
    let grants = all(&client).await?;
    let mut text = String::new();
    for grant in &grants {
        text.push_str(&line(grant, now()));
        text.push('\n');
    }
    text.push_str(&format!("{} grants\n", grants.len()));
    Ok(output::print(&text)?)
}

pub(super) async fn revoke(config: Config, records: &[String]) -> Result<(), OperatorError> {
    let Platform::Registered(registration) = &config.platform else {
        return Err(OperatorError::Said(
            "RC_CLIENT_ID is not set: a demo's platform is gone with the demo, so there is nobody to revoke \
             grants at. Sign out in the browser"
                .to_owned(),
        ));
    };
    let client = client(&config, said(registration.app())?).await?;
    let grants = all(&client).await?;
    // All are looked up before any is signed out: a mistyped one changes nothing.
    let named = records
        .iter()
        .map(|wanted| Ok((wanted, named(&grants, wanted)?)))
        .collect::<Result<Vec<_>, OperatorError>>()?;
    for (wanted, grant) in named {
        let done = client.sign_out_record(grant.record).await;
        let done = done.map_err(|error| OperatorError::Said(format!("{wanted}: {error}")))?;
        output::print(&format!("{wanted}: {}\n", outcome(done)))?;
    }
    client.shutdown(std::time::Duration::from_secs(10)).await;
    Ok(())
}

async fn client(config: &Config, app: OAuthApp) -> Result<Client, OperatorError> {
    let store = open_existing(&config.database).await?;
    let client = Client::builder(app).store(store, ring(config).await?);
    said(client.without_keep_alive().build())
}

fn said<T>(result: Result<T, impl std::fmt::Display>) -> Result<T, OperatorError> {
    result.map_err(|error| OperatorError::Said(error.to_string()))
}

async fn all(client: &Client) -> Result<Vec<ListedGrant>, OperatorError> {
    let mut grants = Vec::new();
    let mut after = None;
    loop {
        let page = client.list_grants(after).await?;
        grants.extend(page.grants);
        after = page.next;
        if after.is_none() {
            return Ok(grants);
        }
    }
}

/// The one grant whose record begins with these digits.
fn named<'a>(grants: &'a [ListedGrant], digits: &str) -> Result<&'a ListedGrant, OperatorError> {
    check(digits)?;
    let digits = &digits.to_ascii_lowercase();
    let mut matching = grants
        .iter()
        .filter(|grant| grant.record.to_hex().starts_with(digits));
    match (matching.next(), matching.next()) {
        (Some(grant), None) => Ok(grant),
        (None, _) => Err(OperatorError::Said(format!(
            "{digits}: there is no such grant; `rc-web store list` shows them"
        ))),
        (Some(_), Some(_)) => Err(OperatorError::Said(format!(
            "{digits}: several grants begin so; give more digits"
        ))),
    }
}

/// Of a variable that turns out empty, the one grant of a store must not be the victim.
fn check(digits: &str) -> Result<(), OperatorError> {
    if digits.len() < FEWEST_DIGITS || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(OperatorError::Said(format!(
            "a record is named by at least {FEWEST_DIGITS} hexadecimal digits; `rc-web store list` shows them"
        )));
    }
    Ok(())
}

fn outcome(done: SignedOut) -> &'static str {
    match done {
        SignedOut::Revoked => "signed out and revoked",
        SignedOut::RevocationPending => {
            "signed out; the platform has not answered yet, and the application goes on trying"
        }
        _ => "was over already",
    }
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| {
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    });
    Timestamp::from_unix_millis(millis)
}

fn line(grant: &ListedGrant, now: Timestamp) -> String {
    let shown = |at: Option<Timestamp>| {
        at.map_or_else(|| "unknown".to_owned(), |at| Moment::new(at, now).relative)
    };
    let state = match &grant.state {
        ListedState::SignedIn { .. } => "signed in".to_owned(),
        ListedState::Refreshing => "being refreshed".to_owned(),
        ListedState::BeingRevoked => "being revoked".to_owned(),
        ListedState::Over(reason) => format!("over: {}", reason.explanation()),
        ListedState::Unreadable(why) => format!("UNREADABLE: {why}"),
        _ => "unknown".to_owned(),
    };
    let person = grant.person.as_ref().map(|person| {
        let name = person.name.as_deref().unwrap_or("");
        let number = person.extension_number.as_deref();
        let number = number.map(|number| format!(" (extension {number})"));
        format!(
            "  {}{}",
            printable(name),
            number.as_deref().map(printable).unwrap_or_default()
        )
    });
    format!(
        "{}  made {:<15}  used {:<15}  {state}{}",
        &grant.record.to_hex()[..DIGITS],
        shown(grant.made_at),
        shown(grant.last_used_at),
        person.unwrap_or_default()
    )
}

/// Names come from the platform: nothing in them steers a terminal or turns the line around.
fn printable(text: &str) -> String {
    let mut shown = text
        .chars()
        .filter(|&c| !c.is_control() && !is_invisible(c));
    let mut name: String = shown.by_ref().take(NAME_LIMIT).collect();
    if shown.next().is_some() {
        name.push('…');
    }
    name
}

/// Line separators, and characters that have no width or change the direction of writing.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_neither_steers_the_terminal_nor_fills_the_screen() {
        assert_eq!(
            printable("Ada\u{1b}[2J\r\n\u{202e}Example"),
            "Ada[2JExample"
        );
        let long = printable(&"n".repeat(10_000));
        assert_eq!(long.chars().count(), NAME_LIMIT + 1);
        assert!(long.ends_with('…'), "{long}");
    }

    #[test]
    fn too_few_digits_name_no_record() {
        for digits in ["", "1", "12a", "*", "wxyz", "12ab 34cd"] {
            assert!(check(digits).is_err(), "{digits}");
        }
        for digits in ["12ab", "12AB", "0123456789abcdef"] {
            assert!(check(digits).is_ok(), "{digits}");
        }
    }
}
