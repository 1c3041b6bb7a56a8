//! The command line and the life of the process.

use std::{collections::HashMap, time::Duration};

use rc_sim::{Fault, Target};

use crate::stage::{
    Browser, Process, Variables, output, platform_with, program, send, until, variables_for,
};

#[tokio::test]
async fn help_names_every_variable() {
    let output = output(program(&HashMap::new()).arg("--help")).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success());
    for variable in rc_web::config::VARIABLES {
        assert!(text.contains(variable.name), "{}", variable.name);
        assert!(text.contains(variable.default), "{}", variable.name);
    }
}

#[tokio::test]
async fn unknown_arguments_are_refused_and_not_echoed() {
    for arguments in [&["--hunter2"][..], &["hunter2"], &["--help", "hunter2"]] {
        let output = output(program(&HashMap::new()).args(arguments)).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(
            text.contains("--help") && !text.contains("hunter2"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_wrong_value_is_refused_at_start_by_name_with_an_example() {
    for (name, value) in [
        ("RC_ENCRYPTION_KEYS", "hunter2"),
        ("DATABASE_URL", "sqlite://hunter2?mode=memory"),
        ("BIND", "hunter2"),
        ("RUST_LOG", "rc_web=hunter2"),
    ] {
        let variables = HashMap::from([(name, value.to_owned()), ("RC_DEMO", "on".to_owned())]);
        let output = output(&mut program(&variables)).await;
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name}: {text}");
        assert!(
            text.starts_with(name) && text.contains(&format!("Example: {name}=")),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[tokio::test]
async fn a_taken_port_is_an_error_that_names_bind() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bind = taken.local_addr().unwrap().to_string();
    let mut program = program(&HashMap::from([("BIND", bind.clone())]));
    let output = output(program.current_dir(folder.path())).await;
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.starts_with("BIND") && text.contains(&bind), "{text}");
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        0,
        "nothing was made"
    );
}

#[tokio::test]
async fn the_demo_starts_from_nothing_and_says_where_things_are() {
    let folder = tempfile::tempdir().unwrap();
    let variables: Variables = HashMap::from([("BIND", "127.0.0.1:0".to_owned())]);
    let process = Process::start(program(&variables).current_dir(folder.path())).await;
    let greeting = &process.greeting;
    assert!(
        greeting.starts_with(&format!("Open http://{}\n", process.address)),
        "{greeting}"
    );
    for said in [
        "demo, simulated platform at http://127.0.0.1:",
        "rc-demo/rc-demo.db",
        "rc-demo.db.keys",
    ] {
        assert!(greeting.contains(said), "{greeting}");
    }
    let key = std::fs::read_to_string(folder.path().join("rc-demo/rc-demo.db.keys")).unwrap();
    assert!(!greeting.contains(key.trim()));
    let mut browser = Browser::new(process.address);
    assert!(
        browser
            .get("/")
            .await
            .body
            .contains("Demo: the platform is simulated")
    );
    assert!(
        browser
            .get("/login")
            .await
            .location()
            .starts_with("http://127.0.0.1:")
    );
    let (code, log) = process.terminate().await;
    assert_eq!(code, Some(0), "{log}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_database_that_others_may_open_is_told_at_start() {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    let sim = platform_with(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = variables_for(&sim, folder.path());
    let database = folder.path().join("web.db");
    let command = format!("chmod 600 {}", database.display());

    let process = Process::start(&mut program(&variables)).await;
    assert!(
        !process.greeting.contains("Warning"),
        "{}",
        process.greeting
    );
    let mode = fs::metadata(&database).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    process.terminate().await;

    fs::set_permissions(&database, fs::Permissions::from_mode(0o644)).unwrap();
    let process = Process::start(&mut program(&variables)).await;
    assert!(process.greeting.contains(&command), "{}", process.greeting);
}

#[cfg(unix)]
#[tokio::test]
async fn the_demos_files_are_its_owners_alone_whatever_the_umask() {
    use std::{fs, os::unix::fs::PermissionsExt as _};

    let folder = tempfile::tempdir().unwrap();
    let mut shell = tokio::process::Command::new("/bin/sh");
    let script = "umask 0; exec \"$0\"";
    shell.args(["-c", script, env!("CARGO_BIN_EXE_rc-web")]);
    shell.env_clear().env("BIND", "127.0.0.1:0");
    shell.current_dir(folder.path()).kill_on_drop(true);
    let process = Process::start(&mut shell).await;
    assert!(
        !process.greeting.contains("Warning"),
        "{}",
        process.greeting
    );
    let made = folder.path().join("rc-demo");
    let mode = |path: &std::path::Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&made), 0o700);
    for name in [
        "rc-demo.db",
        "rc-demo.db-wal",
        "rc-demo.db-shm",
        "rc-demo.db.keys",
        "rc-sim.state",
    ] {
        assert_eq!(mode(&made.join(name)), 0o600, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_that_was_killed_is_still_signed_in_when_it_starts_again() {
    let folder = tempfile::tempdir().unwrap();
    let variables: Variables = HashMap::from([("BIND", "127.0.0.1:0".to_owned())]);
    let first = Process::start(program(&variables).current_dir(folder.path())).await;
    let mut browser = Browser::new(first.address);
    let callback = walk_through_the_pages(&browser.begin().await).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_eq!(browser.get("/me").await.status, 200);
    first.kill().await;

    let second = Process::start(program(&variables).current_dir(folder.path())).await;
    let mut browser = browser.at(second.address);
    let me = browser.get("/me").await;
    assert_eq!(
        (me.status, me.json()["name"].as_str()),
        (200, Some("Ada Example"))
    );
    second.terminate().await;

    // A platform of another life knows nobody.
    std::fs::remove_file(folder.path().join("rc-demo/rc-sim.state")).unwrap();
    let third = Process::start(program(&variables).current_dir(folder.path())).await;
    let mut browser = browser.at(third.address);
    let page = browser.get("/").await;
    assert_eq!(page.status, 200);
    assert!(page.body.contains("Please sign in again."), "{}", page.body);
}

/// Presses "Sign in" and "Allow" at a platform that is not in this process.
async fn walk_through_the_pages(url: &str) -> String {
    let url = url::Url::parse(url).unwrap();
    let to = url.socket_addrs(|| None).unwrap()[0];
    let form_headers = [("content-type", "application/x-www-form-urlencoded")];
    let target = format!("{}?{}", url.path(), url.query().unwrap());
    let first = crate::stage::exchange(to, "GET", &target, &[], "").await;
    let sign_in = first.location().to_owned();
    let page = crate::stage::exchange(to, "GET", &sign_in, &[], "")
        .await
        .body;
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("login", &value_of(&page, "login"))
        .append_pair("password", &value_of(&page, "password"))
        .finish();
    let page = crate::stage::exchange(to, "POST", &sign_in, &form_headers, &form)
        .await
        .body;
    let form: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("ticket", &value_of(&page, "ticket"))
        .append_pair("action", "allow")
        .finish();
    let consent = sign_in.replacen("/login", "/login/consent", 1);
    let back = crate::stage::exchange(to, "POST", &consent, &form_headers, &form).await;
    let back = url::Url::parse(back.location()).unwrap();
    format!("{}?{}", back.path(), back.query().unwrap())
}

fn value_of(page: &str, name: &str) -> String {
    let (_, rest) = page
        .split_once(&format!("name=\"{name}\""))
        .expect("a field");
    let (_, rest) = rest.split_once("value=\"").expect("a value");
    rest.split('"')
        .next()
        .expect("its end")
        .replace("&#38;", "&")
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_finishes_what_is_in_the_air() {
    let sim = platform_with(|_| {}).await;
    let folder = tempfile::tempdir().unwrap();
    let variables = variables_for(&sim, folder.path());
    let process = Process::start(&mut program(&variables)).await;
    let mut browser = Browser::new(process.address);
    let callback = browser.sign_in_at(&sim).await;
    browser.get(&callback).await;

    let now = sim.now();
    sim.platform().expire_access_tokens(now);
    sim.platform()
        .queue_fault(Target::Token, Fault::Delay(Duration::from_millis(700)), 1);
    let mut asking = browser.clone();
    let asked = tokio::spawn(async move { asking.get("/me").await.status });
    let cookies = browser.cookie_header();
    drop(send(process.address, "GET", "/me", &[("cookie", &cookies)], "").await);
    until("the refresh", || {
        sim.platform().counters(sim.now()).token_refresh.received == 1
    })
    .await;
    let (code, log) = process.terminate().await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(asked.await.unwrap(), 200, "the answer in the air arrived");

    let process = Process::start(&mut program(&variables)).await;
    assert_eq!(browser.at(process.address).get("/me").await.status, 200);
    assert_eq!(
        sim.platform().counters(sim.now()).token_refresh.received,
        1,
        "the pair was saved"
    );
}
