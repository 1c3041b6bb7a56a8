use std::collections::HashMap;

use super::*;

const KEYS: &str = "2026a:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn read(pairs: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let map: HashMap<String, OsString> = pairs
        .iter()
        .map(|(name, value)| ((*name).to_owned(), OsString::from(value)))
        .collect();
    Config::from_lookup(|name| map.get(name).cloned())
}

const REGISTERED: [(&str, &str); 3] = [
    ("RC_CLIENT_ID", "client-1"),
    ("RC_REDIRECT_URI", "https://app.example.com/oauth/callback"),
    ("RC_ENCRYPTION_KEYS", KEYS),
];

fn registered_but(name: &'static str, value: &'static str) -> Result<Config, ConfigError> {
    let mut pairs: Vec<_> = REGISTERED
        .into_iter()
        .filter(|(other, _)| *other != name)
        .collect();
    pairs.push((name, value));
    read(&pairs)
}

#[test]
fn nothing_set_is_the_demo() {
    let config = read(&[]).unwrap();
    assert!(matches!(
        config.platform,
        Platform::Simulated { limits: false }
    ));
    assert_eq!(config.bind.to_string(), "127.0.0.1:8080");
    assert_eq!(
        config.database.as_str(),
        "sqlite://rc-demo/rc-demo.db?mode=rwc"
    );
    assert!(matches!(config.keys, Keys::File(path) if path.ends_with("rc-demo/rc-demo.db.keys")));
    assert_eq!(config.log, "info");
}

#[test]
fn an_empty_value_counts_as_absent() {
    let empty: Vec<_> = VARIABLES
        .iter()
        .map(|variable| (variable.name, ""))
        .collect();
    assert!(matches!(
        read(&empty).unwrap().platform,
        Platform::Simulated { .. }
    ));
}

#[test]
fn a_registered_app_without_secret_is_public() {
    let Platform::Registered(app) = read(&REGISTERED).unwrap().platform else {
        panic!("demo")
    };
    assert!(app.client_secret.is_none());
    assert_eq!(app.server, App::DEFAULT_SERVER);
}

#[test]
fn partial_configuration_names_what_is_missing() {
    for (pairs, missing) in [
        (&[("RC_CLIENT_SECRET", "hunter2")][..], "RC_CLIENT_ID"),
        (
            &[("RC_REDIRECT_URI", "https://app.example.com/cb")],
            "RC_CLIENT_ID",
        ),
        (&[("RC_SERVER_URL", "http://127.0.0.1:9")], "RC_CLIENT_ID"),
        (&[("RC_CLIENT_ID", "client-1")], "RC_REDIRECT_URI"),
        (&REGISTERED[..2], "RC_ENCRYPTION_KEYS"),
    ] {
        assert_eq!(read(pairs).unwrap_err().variable(), missing, "{pairs:?}");
    }
}

#[test]
fn wrong_values_are_refused_by_name_with_an_example_and_never_echoed() {
    for (name, value) in [
        ("RC_CLIENT_ID", "with hunter2 blank"),
        ("RC_CLIENT_SECRET", "hunter2\n"),
        ("RC_REDIRECT_URI", "http://app.example.com/hunter2"),
        ("RC_SERVER_URL", "http://platform.example.com"),
        ("RC_SERVER_URL", "https://u:hunter2@platform.example.com"),
        ("DATABASE_URL", "postgres://u:hunter2@db.example/x"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("RC_ENCRYPTION_KEYS", "2026a:hunter2"),
        ("BIND", "hunter2"),
        ("RC_AUTH_BUDGET", "hunter2"),
        ("RC_REFRESH_REPLAY", "hunter2"),
        ("RC_SIM_LIMITS", "on"),
        ("RUST_LOG", "rc_auth=hunter2"),
    ] {
        let error = registered_but(name, value).expect_err(name);
        assert_eq!(error.variable(), name);
        let text = error.to_string();
        assert!(
            text.starts_with(name) && text.contains(&format!("Example: {name}=")),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn callbacks_are_limited_and_no_proxy_is_believed_unless_told() {
    let config = read(&REGISTERED).unwrap();
    assert_eq!(config.callback_limit, Some(CallbackLimit::default()));
    assert_eq!(config.trusted_proxies, TrustedProxies::default());
    assert!(!config.require_iss);
    let off = registered_but("RC_CALLBACK_LIMIT", "off").unwrap();
    assert_eq!(off.callback_limit, None);
    let on = registered_but("RC_REQUIRE_ISS", "on").unwrap();
    assert!(on.require_iss);
    let behind = registered_but("RC_TRUSTED_PROXIES", "10.0.0.0/8").unwrap();
    assert!(behind.trusted_proxies.contains("10.1.2.3".parse().unwrap()));
    for name in ["RC_CALLBACK_LIMIT", "RC_TRUSTED_PROXIES", "RC_REQUIRE_ISS"] {
        assert_eq!(
            registered_but(name, "hunter2").unwrap_err().variable(),
            name
        );
    }
    assert_eq!(
        read(&[("RC_REQUIRE_ISS", "on")]).unwrap_err().variable(),
        "RC_REQUIRE_ISS"
    );
}

#[test]
fn debug_output_holds_no_secret() {
    let config = registered_but("RC_CLIENT_SECRET", "hunter2").unwrap();
    let printed = format!("{config:?}");
    assert!(
        !printed.contains("hunter2") && !printed.contains("AAECAw"),
        "{printed}"
    );
}

#[test]
fn the_demo_listens_where_its_platform_can_be_reached() {
    assert_eq!(
        read(&[("BIND", "192.0.2.1:80")]).unwrap_err().variable(),
        "BIND"
    );
    assert!(read(&[("BIND", "0.0.0.0:80")]).is_ok());
    assert_eq!(
        read(&[("BIND", "localhost:0")]).unwrap().bind.to_string(),
        "127.0.0.1:0"
    );
}

#[test]
fn help_lists_every_variable_with_default_and_example() {
    insta::assert_snapshot!(help());
}
