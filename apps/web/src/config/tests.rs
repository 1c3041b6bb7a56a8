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
    assert_eq!(app.server, OAuthApp::DEFAULT_SERVER);
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
        (&[("RC_ENCRYPTION_KEYS", KEYS)], "RC_CLIENT_ID"),
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
        ("DATABASE_URL", "oracle://u:hunter2@db.example/x"),
        ("DATABASE_URL", "sqlite::memory:"),
        ("RC_ENCRYPTION_KEYS", "2026a:hunter2"),
        ("BIND", "hunter2"),
        ("RC_AUTH_BUDGET", "hunter2"),
        ("RC_REFRESH_REPLAY", "hunter2"),
        ("RC_SIM_LIMITS", "on"),
        ("RC_DEMO", "hunter2"),
        ("RC_DEMO", "on"),
        ("RC_METRICS_BIND", "hunter2"),
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
fn the_demo_runs_only_where_nothing_says_otherwise() {
    const ID: (&str, &str) = ("RC_CLIENT_ID", "client-1");
    const SECRET: (&str, &str) = ("RC_CLIENT_SECRET", "hunter2");
    const KEY: (&str, &str) = ("RC_ENCRYPTION_KEYS", KEYS);
    const ON: (&str, &str) = ("RC_DEMO", "on");
    const OFF: (&str, &str) = ("RC_DEMO", "off");
    for (pairs, expected) in [
        (&[][..], Ok(true)),
        (&[("RC_DEMO", "")], Ok(true)),
        (&[ON], Ok(true)),
        (&[ON, KEY], Ok(true)),
        (&[ON, ("RC_SIM_LIMITS", "on")], Ok(true)),
        (&[ON, ID], Err("RC_DEMO")),
        (&[ON, SECRET], Err("RC_DEMO")),
        (
            &[ON, REGISTERED[0], REGISTERED[1], REGISTERED[2]],
            Err("RC_DEMO"),
        ),
        (&[OFF], Err("RC_CLIENT_ID")),
        (&[OFF, ("RC_CLIENT_ID", "")], Err("RC_CLIENT_ID")),
        (&[OFF, KEY], Err("RC_CLIENT_ID")),
        (&[OFF, ID], Err("RC_REDIRECT_URI")),
        (&[OFF, ID, ("RC_SIM_LIMITS", "off")], Err("RC_SIM_LIMITS")),
        (
            &[OFF, REGISTERED[0], REGISTERED[1], REGISTERED[2]],
            Ok(false),
        ),
        (&REGISTERED, Ok(false)),
    ] {
        let found = read(pairs);
        let found = found.as_ref().map_or_else(
            |error| Err(error.variable()),
            |config| Ok(matches!(config.platform, Platform::Simulated { .. })),
        );
        assert_eq!(found, expected, "{pairs:?}");
    }
}

#[test]
fn without_the_demo_everything_that_is_missing_is_named() {
    let text = read(&[("RC_DEMO", "off"), ("RC_ENCRYPTION_KEYS", KEYS)])
        .unwrap_err()
        .to_string();
    assert!(text.contains("RC_CLIENT_ID, RC_REDIRECT_URI"), "{text}");
    assert!(!text.contains("RC_ENCRYPTION_KEYS"), "{text}");
}

#[test]
fn only_ringcentral_and_its_simulation_repeat_a_refresh_by_default() {
    let replay = |config: Result<Config, ConfigError>| config.unwrap().refresh_replay;
    assert_eq!(replay(read(&[])), RefreshReplay::RINGCENTRAL);
    assert_eq!(replay(read(&REGISTERED)), RefreshReplay::RINGCENTRAL);
    for (server, expected) in [
        (
            "https://platform.ringcentral.com",
            RefreshReplay::RINGCENTRAL,
        ),
        (
            "https://PLATFORM.RingCentral.com/",
            RefreshReplay::RINGCENTRAL,
        ),
        (
            "https://platform.devtest.ringcentral.com",
            RefreshReplay::RINGCENTRAL,
        ),
        (
            "https://platform.eu.ringcentral.com",
            RefreshReplay::RINGCENTRAL,
        ),
        ("https://ringcentral.com", RefreshReplay::None),
        (
            "https://platform.ringcentral.com.example",
            RefreshReplay::None,
        ),
        ("https://platform-ringcentral.com", RefreshReplay::None),
        ("https://notringcentral.com", RefreshReplay::None),
        ("https://platform.example.com", RefreshReplay::None),
        ("http://127.0.0.1:9", RefreshReplay::None),
    ] {
        let config = registered_but("RC_SERVER_URL", server);
        assert_eq!(replay(config), expected, "{server}");
    }
    for (value, expected) in [
        ("grace", RefreshReplay::RINGCENTRAL),
        ("none", RefreshReplay::None),
    ] {
        let config = registered_but("RC_REFRESH_REPLAY", value);
        assert_eq!(replay(config), expected, "{value}");
    }
}

#[test]
fn nothing_is_measured_unless_asked_for() {
    assert_eq!(read(&[]).unwrap().metrics_bind, None);
    let asked = registered_but("RC_METRICS_BIND", "localhost:9464").unwrap();
    assert_eq!(asked.metrics_bind, Some("127.0.0.1:9464".parse().unwrap()));
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

#[test]
fn keys_come_from_a_variable_or_a_file_and_not_from_both() {
    const FILE: (&str, &str) = ("RC_ENCRYPTION_KEYS_FILE", "/etc/rc-web/keys");
    let without_keys: Vec<_> = REGISTERED
        .iter()
        .filter(|(name, _)| *name != "RC_ENCRYPTION_KEYS")
        .copied()
        .collect();
    let with_file = [without_keys, vec![FILE]].concat();
    let config = read(&with_file).unwrap();
    assert!(matches!(config.keys, Keys::KeyFile(path) if path.ends_with("keys")));

    let both = [REGISTERED.to_vec(), vec![FILE]].concat();
    let problem = read(&both).unwrap_err();
    assert_eq!(problem.variable(), "RC_ENCRYPTION_KEYS_FILE");
}
