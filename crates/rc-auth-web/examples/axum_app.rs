//! A web application in axum whose users sign in with RingCentral: safe for many of them, and over restarts.
//!
//! Needs `RC_CLIENT_ID`, `RC_CLIENT_SECRET` and `RC_REDIRECT_URI` (say, `http://127.0.0.1:8080/oauth/callback`). `BIND` and
//! `RC_SERVER_URL` name another address and platform. Keys and tokens are kept in two files in the current folder.

use std::{env, error::Error};

use axum::{Router, response::Html, routing::get};
use rc_auth::{Client, OAuthApp, Secret, store::KeyFile};
use rc_auth_web::{ClientAddress, MaybeSignedIn, Problem, WebAuth};
use rc_store_sql::SqlStore;
use serde::Deserialize;

#[derive(Deserialize)]
struct Me {
    name: String,
}

async fn home(MaybeSignedIn(me): MaybeSignedIn) -> Result<Html<String>, Problem> {
    let Some(me) = me else {
        return Ok(Html("<a href=\"/login\">Sign in</a>".to_owned()));
    };
    let answer = me.grant().get("/restapi/v1.0/account/~/extension/~");
    let Me { name } = answer.await?.json()?;
    let (name, token) = (
        name.replace('&', "&amp;").replace('<', "&lt;"),
        me.form_token(),
    );
    Ok(Html(format!(
        "<p>Hello, {name}</p><form method=\"post\" action=\"/logout\"><button>Sign out</button>\
         <input type=\"hidden\" name=\"form_token\" value=\"{}\"></form>",
        token.as_str()
    )))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let server = env::var("RC_SERVER_URL").unwrap_or(OAuthApp::DEFAULT_SERVER.to_owned());
    let secret = Secret::new(env::var("RC_CLIENT_SECRET")?);
    let (id, redirect_uri) = (env::var("RC_CLIENT_ID")?, env::var("RC_REDIRECT_URI")?);
    let registered = OAuthApp::new(&id, Some(secret), &redirect_uri, &server)?;
    let keys = KeyFile::new("app.keys").load_or_create("k1")?;
    let store = SqlStore::connect("sqlite://app.db?mode=rwc").await?;
    let client = Client::builder(registered)
        .store(store, keys.clone())
        .build()?;
    let auth = WebAuth::builder(client, keys)
        .client_address(ClientAddress::Peer)
        .build()?;
    let app = rc_auth_web::axum::app(&auth, Router::new().route("/", get(home)));

    let address = env::var("BIND").unwrap_or("127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("http://{}", listener.local_addr()?);
    Ok(axum::serve(listener, app).await?)
}
