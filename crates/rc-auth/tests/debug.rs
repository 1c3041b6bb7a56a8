//! What `Debug` says of values that applications hold: enough to recognise them, and no secret.

mod support;

use std::fmt::Debug;

use rc_auth::{GrantKey, SignInOptions};
use support::{ME, World};

/// It begins with the name of its type, and says what is harmless of it and nothing of what is not.
#[track_caller]
fn says(value: &dyn Debug, harmless: &[&str], secrets: &[&str]) {
    let printed = format!("{value:?}");
    for text in harmless {
        assert!(printed.contains(text), "{text} is not in {printed}");
    }
    for secret in secrets {
        assert!(!printed.contains(secret), "{printed}");
    }
}

#[tokio::test(start_paused = true)]
async fn values_can_be_printed_and_hold_their_secrets_back() {
    let world = World::new();
    let sign_in = world.client.begin_sign_in().unwrap();
    let (_, query) = sign_in.url.split_once('?').unwrap();
    let state = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("state="));
    says(
        &sign_in,
        &["SignIn {", "redirect_uri", "[redacted]"],
        &[state.unwrap()],
    );

    let key = GrantKey::new("user-42");
    says(&key, &["GrantKey("], &["user-42"]);
    let options = SignInOptions::new().key(key).label("Firefox on Linux");
    let harmless = ["SignInOptions {", "has_label: true"];
    says(&options, &harmless, &["user-42", "Firefox"]);

    let grant = world.sign_in().await;
    says(&grant, &["Grant {", "record: RecordKey("], &[]);
    let token = grant.access_token().await.unwrap();
    let secret = token.secret();
    says(&token, &["AccessToken {", "use_until"], &[secret.expose()]);
    let entry = grant.sign_ins().await.unwrap().remove(0);
    let key = entry.key.as_str().to_owned();
    says(&entry, &["SignInEntry {", "is_this: true"], &[&key]);

    let request = grant.get(ME).query("code", "example-code");
    says(&request, &["ApiRequest {", "GET", ME], &["example-code"]);
    let pages = grant.get(ME).pages::<serde_json::Value>();
    says(&pages, &["Pages {", "read_ahead: 0"], &[]);
    let answer = grant.get(ME).await.unwrap();
    says(&answer, &["ApiResponse(status 200", " bytes)"], &["name"]);
}
