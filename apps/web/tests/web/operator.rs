//! `rc-web store`, beside the running application.

use std::{path::Path, process::Output};

use rc_auth::store::{Expect, KeyRing, RecordKey, Sealed, TokenStore as _};
use rc_sim::Server;
use rc_store_sql::SqlStore;

use crate::stage::{Browser, Process, Variables, output, platform_with, program, variables_for};

const OLD: &str = "old:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
const NEW: &str = "new:AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// A platform, and what an application with these keys is told.
async fn scene(folder: &Path, keys: &str) -> (Server, Variables) {
    let sim = platform_with(|_| {}).await;
    let mut variables = variables_for(&sim, folder);
    variables.insert("RC_ENCRYPTION_KEYS", keys.to_owned());
    (sim, variables)
}

async fn signed_in(sim: &Server, process: &Process) -> Browser {
    let mut browser = Browser::new(process.address);
    let callback = browser.sign_in_at(sim).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    assert_eq!(browser.get("/me").await.status, 200);
    browser
}

async fn store(variables: &Variables, arguments: &[&str]) -> Output {
    output(program(variables).arg("store").args(arguments)).await
}

/// What a command that works printed.
async fn said(variables: &Variables, arguments: &[&str]) -> String {
    let output = store(variables, arguments).await;
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that does not work complained of.
async fn complaint(variables: &Variables, arguments: &[&str]) -> String {
    let output = store(variables, arguments).await;
    assert!(!output.status.success(), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_who_is_signed_in_and_signs_them_out() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, variables) = scene(folder.path(), OLD).await;
    let process = Process::start(&mut program(&variables)).await;
    let mut browser = signed_in(&sim, &process).await;
    let listed = said(&variables, &["list"]).await;
    assert!(listed.contains("signed in"), "{listed}");
    assert!(listed.ends_with("1 grants\n"), "{listed}");
    let record = listed.split_whitespace().next().unwrap();

    let revoked = said(&variables, &["revoke", &record[..8]]).await;
    assert!(revoked.contains("signed out and revoked"), "{revoked}");
    assert_eq!(sim.platform().counters(sim.now()).revocations, 1);
    assert_eq!(browser.get("/me").await.status, 401);

    let unknown = complaint(&variables, &["revoke", "ffff"]).await;
    assert!(unknown.contains("there is no such grant"), "{unknown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_beside_the_application_the_old_key_may_go() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, mut variables) = scene(folder.path(), OLD).await;
    let process = Process::start(&mut program(&variables)).await;
    let mut browsers = [
        signed_in(&sim, &process).await,
        signed_in(&sim, &process).await,
    ];
    process.terminate().await;

    variables.insert("RC_ENCRYPTION_KEYS", format!("{NEW},{OLD}"));
    let process = Process::start(&mut program(&variables)).await;
    // Their cookies are sealed anew too; those of the second browser are not.
    browsers[0] = signed_in(&sim, &process).await;
    let rotated = said(&variables, &["rotate"]).await;
    assert!(rotated.contains("unused: may be taken away"), "{rotated}");
    let usage = said(&variables, &["keys"]).await;
    assert!(
        usage
            .lines()
            .any(|line| line.starts_with("new") && line.ends_with("active")),
        "{usage}"
    );
    process.terminate().await;

    variables.insert("RC_ENCRYPTION_KEYS", NEW.to_owned());
    let process = Process::start(&mut program(&variables)).await;
    let [browser, _] = browsers;
    assert_eq!(browser.at(process.address).get("/me").await.status, 200);

    variables.insert("RC_ENCRYPTION_KEYS", OLD.to_owned());
    let missing = complaint(&variables, &["rotate"]).await;
    assert!(missing.contains("sealed with the key `new`"), "{missing}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_copied_while_the_application_runs_and_finished_when_it_has_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, mut variables) = scene(folder.path(), OLD).await;
    let process = Process::start(&mut program(&variables)).await;
    let early = signed_in(&sim, &process).await;
    let target = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("new.db").display()
    );
    variables.insert("RC_COPY_TO", target.clone());
    said(&variables, &["copy"]).await;
    let late = signed_in(&sim, &process).await;
    let copied = said(&variables, &["copy"]).await;
    assert!(copied.contains("copied"), "{copied}");
    process.terminate().await;

    let mut moved = variables.clone();
    moved.insert("DATABASE_URL", target);
    let refused = output(&mut program(&moved)).await;
    let refused = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.contains("not finished"), "{refused}");

    said(&variables, &["copy", "--finish"]).await;
    let process = Process::start(&mut program(&moved)).await;
    for browser in [early, late] {
        assert_eq!(browser.at(process.address).get("/me").await.status, 200);
    }
    let again = complaint(&variables, &["copy"]).await;
    assert!(again.contains("an application still uses"), "{again}");
    process.terminate().await;
    let again = complaint(&variables, &["copy", "--finish"]).await;
    assert!(again.contains("whose copy was finished"), "{again}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_application_that_runs_on_an_empty_store_loses_nothing_to_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, variables) = scene(folder.path(), OLD).await;
    let process = Process::start(&mut program(&variables)).await;
    let mut copying = variables.clone();
    let source = folder.path().join("source.db");
    let source = format!("sqlite:{}?mode=rwc", source.display());
    drop(SqlStore::connect(&source).await.unwrap());
    copying.insert("RC_COPY_TO", variables["DATABASE_URL"].clone());
    copying.insert("DATABASE_URL", source);
    let refused = complaint(&copying, &["copy"]).await;
    assert!(refused.contains("an application still uses"), "{refused}");
    let browser = signed_in(&sim, &process).await;
    process.terminate().await;
    let process = Process::start(&mut program(&variables)).await;
    assert_eq!(browser.at(process.address).get("/me").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_not_copied_onto_itself_under_another_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, mut variables) = scene(folder.path(), OLD).await;
    drop(SqlStore::connect(&variables["DATABASE_URL"]).await.unwrap());
    let linked = folder.path().join("linked.db");
    std::fs::hard_link(folder.path().join("web.db"), &linked).unwrap();
    for spelled in [
        format!("sqlite:{}/./web.db", folder.path().display()),
        format!("sqlite:{}", linked.display()),
    ] {
        variables.insert("RC_COPY_TO", spelled);
        for command in [&["copy"][..], &["copy", "--finish"]] {
            let refused = complaint(&variables, command).await;
            assert!(refused.contains("the same store"), "{refused}");
        }
    }
    let process = Process::start(&mut program(&variables)).await;
    signed_in(&sim, &process).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistyped_path_is_no_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let (_sim, mut variables) = scene(folder.path(), OLD).await;
    let typo = folder.path().join("typo.db");
    let url = format!("sqlite:{}?mode=rwc", typo.display());
    variables.insert("DATABASE_URL", url);
    let target = folder.path().join("target.db");
    let target = format!("sqlite:{}?mode=rwc", target.display());
    variables.insert("RC_COPY_TO", target);
    for command in [
        &["list"][..],
        &["keys"],
        &["rotate"],
        &["revoke", "12ab"],
        &["copy"],
    ] {
        let refused = complaint(&variables, command).await;
        assert!(refused.contains("there is no SQLite"), "{refused}");
    }
    assert!(!typo.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_records_none_is_signed_out_when_one_is_mistyped() {
    let folder = tempfile::tempdir().unwrap();
    let (sim, variables) = scene(folder.path(), OLD).await;
    let process = Process::start(&mut program(&variables)).await;
    let mut browser = signed_in(&sim, &process).await;
    let listed = said(&variables, &["list"]).await;
    let record = listed.split_whitespace().next().unwrap();
    for mistyped in ["", record.get(..3).unwrap(), "not hexadecimal"] {
        complaint(&variables, &["revoke", record, mistyped]).await;
    }
    let other = if record.starts_with("ffff") {
        "eeee"
    } else {
        "ffff"
    };
    complaint(&variables, &["revoke", record, other]).await;
    assert_eq!(browser.get("/me").await.status, 200);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_stops_no_change_and_makes_no_panic() {
    let folder = tempfile::tempdir().unwrap();
    let (_sim, mut variables) = scene(folder.path(), OLD).await;
    drop(SqlStore::connect(&variables["DATABASE_URL"]).await.unwrap());
    let target = folder.path().join("new.db");
    let target = format!("sqlite:{}?mode=rwc", target.display());
    variables.insert("RC_COPY_TO", target);
    for arguments in [
        &["--help"][..],
        &["list"],
        &["keys"],
        &["rotate"],
        &["copy"],
        &["copy", "--finish"],
    ] {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let mut command = program(&variables);
        let command = command.arg("store").args(arguments).stdout(writer);
        let output = output(command.stderr(std::process::Stdio::piped())).await;
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {error}");
        assert_eq!(error, "", "{arguments:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_is_not_finished_while_an_application_uses_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let (_sim, mut variables) = scene(folder.path(), OLD).await;
    let _process = Process::start(&mut program(&variables)).await;
    let target = format!(
        "sqlite://{}?mode=rwc",
        folder.path().join("new.db").display()
    );
    variables.insert("RC_COPY_TO", target);
    let refused = complaint(&variables, &["copy", "--finish"]).await;
    assert!(refused.contains("an application still uses"), "{refused}");
}

#[tokio::test]
async fn what_is_no_command_gets_the_help() {
    let help = complaint(&Variables::new(), &["lists"]).await;
    assert!(help.contains("rc-web store list"), "{help}");
}

/// The rotation of a store with many records is killed again and again.
#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_is_killed_goes_on_and_leaves_nothing_to_the_old_key() {
    const RECORDS: u32 = 1_500;
    let folder = tempfile::tempdir().unwrap();
    let (_sim, mut variables) = scene(folder.path(), OLD).await;
    let database = SqlStore::connect(&variables["DATABASE_URL"]).await.unwrap();
    let sealed = Sealed::new(database, OLD.parse::<KeyRing>().unwrap());
    let key = |number: u32| RecordKey::derive(&[&number.to_be_bytes()]);
    for number in 0..RECORDS {
        let key = key(number);
        let saved = sealed.save(&key, b"a secret", None, Expect::Absent).await;
        saved.unwrap();
    }
    variables.insert("RC_ENCRYPTION_KEYS", format!("{NEW},{OLD}"));
    sealed.set_key_ring(variables["RC_ENCRYPTION_KEYS"].parse().unwrap());
    let resealed = async || {
        let usage = sealed.key_usage().await.unwrap();
        usage.by_key.get("new").copied().unwrap_or(0)
    };
    // Killed when it has done a third, and when it has done two.
    for part in [RECORDS / 3, RECORDS * 2 / 3] {
        let mut rotating = program(&variables)
            .args(["store", "rotate"])
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while resealed().await < u64::from(part) {
            assert_eq!(rotating.try_wait().unwrap(), None, "it had not ended yet");
        }
        rotating.kill().await.unwrap();
        assert!(resealed().await < u64::from(RECORDS));
    }
    said(&variables, &["rotate"]).await;
    sealed.set_key_ring(NEW.parse().unwrap());
    let usage = sealed.key_usage().await.unwrap();
    assert_eq!(usage.by_key.keys().collect::<Vec<_>>(), ["new"]);
    for number in 0..RECORDS {
        let stored = sealed.load(&key(number)).await.unwrap().unwrap();
        assert_eq!(*stored.payload, b"a secret");
    }
}
