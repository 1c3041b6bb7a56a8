//! What stands in the store, and ending some of it.

use std::{sync::Arc, time::SystemTime};

use rc_auth::{
    App, Client, ListedGrant, ListedState, SignedOut, Timestamp,
    store::{Sealed, TokenStore},
};

use super::{OperatorError, ring};
use crate::{
    config::{Config, Platform},
    moment::Moment,
    store,
};

/// How many digits of a record are shown: enough to tell any two of a store apart.
const DIGITS: usize = 16;

pub(super) async fn list(config: Config) -> Result<(), OperatorError> {
    let app = match &config.platform {
        Platform::Registered(registration) => registration.app(),
        // Nobody is asked: any app will do.
        Platform::Simulated { .. } => App::new(
            "demo",
            None,
            "http://127.0.0.1/oauth/callback",
            App::DEFAULT_SERVER,
        ),
    };
    let client = client(&config, said(app)?).await?;
    let mut count = 0;
    for grant in all(&client).await? {
        println!("{}", line(&grant, now()));
        count += 1;
    }
    println!("{count} grants");
    Ok(())
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
    for wanted in records {
        let grant = named(&grants, wanted)?;
        let done = client.sign_out_record(grant.record).await;
        let done = done.map_err(|error| OperatorError::Said(format!("{wanted}: {error}")))?;
        println!("{wanted}: {}", outcome(done));
    }
    client.shutdown(std::time::Duration::from_secs(10)).await;
    Ok(())
}

async fn client(config: &Config, app: App) -> Result<Client, OperatorError> {
    let store: Arc<dyn TokenStore> = Arc::new(Sealed::new(
        store::open(&config.database).await?,
        ring(config).await?,
    ));
    said(Client::builder(app).store(store).build())
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

/// Names come from the platform: nothing in them steers a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}
