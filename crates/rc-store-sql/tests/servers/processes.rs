//! Other processes: this test program, run again for one of its ignored tests.

use std::{
    env,
    io::Read as _,
    process::{Child, Command, Stdio},
};

use rc_store::TokenStore as _;
use rc_store_sql::SqlStore;

use crate::{Engine, Server, key};

/// Where another process finds the database.
const DATABASE: &str = "RC_TEST_CHILD_DATABASE";

/// Starts a test that is ignored otherwise; it waits as long as its standard input is open.
pub(crate) fn start(test: &str, url: &str) -> Child {
    let program = env::current_exe().expect("this program");
    Command::new(program)
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(DATABASE, url)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("starts a process")
}

/// The database that another process has to use.
pub(crate) fn database() -> String {
    env::var(DATABASE).expect("a test starts this one, with a database")
}

/// Returns when the process that started this one lets it go on.
pub(crate) fn wait() {
    let read = std::io::stdin().read_to_end(&mut Vec::new());
    read.expect("standard input");
}

#[tokio::test]
#[ignore = "other tests run it, in processes of its own"]
async fn child_migrates() {
    let url = database();
    wait();
    let store = SqlStore::connect(&url).await.expect("a store");
    assert!(store.load(&key(0)).await.expect("loads").is_none());
}

async fn all_migrate(engine: Engine) {
    let server = Server::start(engine).await;
    for round in 0..3 {
        let name = format!("empty{round}");
        server.execute(&format!("CREATE DATABASE {name}")).await;
        let url = server.url(&name);
        let mut children: Vec<_> = (0..4)
            .map(|_| start("processes::child_migrates", &url))
            .collect();
        for child in &mut children {
            drop(child.stdin.take());
        }
        for child in children {
            let ended = child.wait_with_output().expect("ends");
            let said = [ended.stdout, ended.stderr].concat();
            let said = String::from_utf8_lossy(&said);
            assert!(
                ended.status.success() && said.contains("1 passed"),
                "{said}"
            );
        }
    }
}

#[tokio::test]
async fn processes_that_start_at_once_on_an_empty_postgres_all_find_the_schema() {
    all_migrate(Engine::Postgres).await;
}

#[tokio::test]
async fn processes_that_start_at_once_on_an_empty_mariadb_all_find_the_schema() {
    all_migrate(Engine::MariaDb).await;
}
