//! Encrypted connections, with certificates of the tests' own.

use std::{
    error::Error as _,
    fs,
    time::{Duration, Instant},
};

use rc_store::{Expect, TokenStore as _};
use rc_store_sql::{ConnectError, SqlStore};

use crate::{Engine, Server, key};

const KEY: [&str; 5] = ["-newkey", "rsa:2048", "-nodes", "-days", "2"];

/// Makes `NAME.pem` and `NAME.key` of an authority.
fn authority(server: &Server, name: &str) {
    let (pem, key) = (format!("{name}.pem"), format!("{name}.key"));
    let subject = format!("/CN=Sample {name}");
    let files = ["-keyout", &key, "-out", &pem, "-subj", &subject];
    server.finish("openssl", &[&["req", "-x509"], &KEY[..], &files].concat());
}

/// A server whose certificate, for 127.0.0.1 and not for `localhost`, is one of the authority `ours`.
async fn encrypted() -> Server {
    let mut server = Server::prepared(Engine::Postgres);
    authority(&server, "ours");
    authority(&server, "other");
    let names = "basicConstraints=CA:FALSE\nsubjectAltName=IP:127.0.0.1\n";
    fs::write(server.path("names"), names).expect("writes");
    let files = [
        "-keyout",
        "server.key",
        "-out",
        "server.csr",
        "-subj",
        "/CN=sample",
    ];
    server.finish("openssl", &[&["req"], &KEY[..3], &files].concat());
    let sign = [
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ours.pem",
        "-CAkey",
        "ours.key",
    ];
    let rest = [
        "-CAcreateserial",
        "-days",
        "2",
        "-extfile",
        "names",
        "-out",
        "server.pem",
    ];
    server.finish("openssl", &[&sign[..], &rest].concat());
    let certificate = format!("ssl_cert_file={}", server.path("server.pem").display());
    let private = format!("ssl_key_file={}", server.path("server.key").display());
    server.serve(&["-c", "ssl=on", "-c", &certificate, "-c", &private]);
    server.execute("CREATE DATABASE tokens").await;
    server
}

fn verified(server: &Server, authority: &str) -> String {
    let file = server.path(authority).display().to_string();
    let url = server.url("tokens");
    format!("{url}?sslmode=verify-full&sslrootcert={file}")
}

/// At once, because time makes no certificate good.
async fn refused(url: &str) -> ConnectError {
    let begun = Instant::now();
    let error = SqlStore::connect(url).await;
    assert!(
        begun.elapsed() < Duration::from_secs(3),
        "{:?}",
        begun.elapsed()
    );
    let error = error.expect_err("must not connect");
    assert!(
        matches!(error, ConnectError::NoEncryption { .. }),
        "{error:?}"
    );
    assert!(error.to_string().contains("certificate"), "{error}");
    assert!(error.source().is_some());
    error
}

#[tokio::test]
async fn a_server_is_trusted_by_the_authority_that_the_url_names_and_no_other() {
    let server = encrypted().await;
    let store = SqlStore::connect(&verified(&server, "ours.pem")).await;
    let store = store.expect("a store");
    let saved = store.save(&key(0), b"a", None, Expect::Absent).await;
    saved.expect("saves");
    refused(&verified(&server, "other.pem")).await;
    refused(&verified(&server, "missing.pem")).await;
    let other_name = verified(&server, "ours.pem").replace("127.0.0.1", "localhost");
    refused(&other_name).await;
}

#[tokio::test]
async fn a_server_that_cannot_encrypt_is_not_used_unencrypted() {
    let server = Server::start(Engine::Postgres).await;
    refused(&format!("{}?sslmode=require", server.url("tokens"))).await;
}
