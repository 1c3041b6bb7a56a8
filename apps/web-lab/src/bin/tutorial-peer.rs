//! The application of a tutorial: sign-in straight on actix-web and reqwest, and nothing else.
//!
//! A cookie names a token in a map. There is no PKCE, no refresh, no encryption, no limit, no log: what the
//! demo costs more than this is what it does more. Not for use.

use std::{
    collections::{HashMap, HashSet},
    env,
    error::Error,
    net::TcpListener,
    sync::{Mutex, PoisonError},
};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    cookie::Cookie,
    error::{ErrorBadGateway, ErrorBadRequest, ErrorInternalServerError, ErrorUnauthorized},
    http::header::{CONTENT_TYPE, LOCATION},
    web,
};
use url::form_urlencoded::Serializer;

/// The cookie that names a token.
const SESSION: &str = "session";

struct Tutorial {
    http: reqwest::Client,
    client_id: String,
    client_secret: String,
    redirect_uri: String,
    server: String,
    states: Mutex<HashSet<String>>,
    tokens: Mutex<HashMap<String, String>>,
}

impl Tutorial {
    fn from_environment() -> Result<Self, Box<dyn Error>> {
        let variable = |name: &str| env::var(name).map_err(|error| format!("{name}: {error}"));
        Ok(Self {
            http: reqwest::Client::builder().build()?,
            client_id: variable("RC_CLIENT_ID")?,
            client_secret: variable("RC_CLIENT_SECRET")?,
            redirect_uri: variable("RC_REDIRECT_URI")?,
            server: variable("RC_SERVER_URL")?,
            states: Mutex::default(),
            tokens: Mutex::default(),
        })
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Another part of the program cannot have chosen one before: this is the first line.
    drop(rustls::crypto::ring::default_provider().install_default());
    let tutorial = web::Data::new(Tutorial::from_environment()?);
    let listener = TcpListener::bind(env::var("BIND")?)?;
    println!("Listens: {}\nStop with Ctrl-C.", listener.local_addr()?);
    let build = move || {
        App::new()
            .app_data(tutorial.clone())
            .route("/login", web::get().to(login))
            .route("/oauth/callback", web::get().to(callback))
            .route("/me", web::get().to(me))
    };
    Ok(HttpServer::new(build).listen(listener)?.run().await?)
}

/// To the platform, with a state to know the browser again by.
async fn login(tutorial: web::Data<Tutorial>) -> actix_web::Result<HttpResponse> {
    let state = random()?;
    let query = Serializer::new(String::new())
        .append_pair("response_type", "code")
        .append_pair("client_id", &tutorial.client_id)
        .append_pair("redirect_uri", &tutorial.redirect_uri)
        .append_pair("state", &state)
        .finish();
    let mut states = tutorial
        .states
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    states.insert(state);
    drop(states);
    let to = format!("{}/restapi/oauth/authorize?{query}", tutorial.server);
    Ok(HttpResponse::Found().insert_header((LOCATION, to)).finish())
}

/// Back from the platform: a session for a code.
async fn callback(
    tutorial: web::Data<Tutorial>,
    query: web::Query<HashMap<String, String>>,
) -> actix_web::Result<HttpResponse> {
    let of = |name: &str| {
        let value = query.get(name);
        value.ok_or_else(|| ErrorBadRequest("state and code are expected"))
    };
    let (state, code) = (of("state")?, of("code")?);
    let known = {
        let states = tutorial.states.lock();
        states.unwrap_or_else(PoisonError::into_inner).remove(state)
    };
    if !known {
        return Err(ErrorBadRequest("unknown state"));
    }
    let token = exchange(&tutorial, code).await?;
    let session = random()?;
    let cookie = Cookie::build(SESSION, session.clone())
        .path("/")
        .http_only(true)
        .finish();
    let mut tokens = tutorial
        .tokens
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    tokens.insert(session, token);
    drop(tokens);
    Ok(HttpResponse::SeeOther()
        .insert_header((LOCATION, "/me"))
        .cookie(cookie)
        .finish())
}

async fn exchange(tutorial: &Tutorial, code: &str) -> actix_web::Result<String> {
    let form = Serializer::new(String::new())
        .append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", &tutorial.redirect_uri)
        .finish();
    let request = tutorial
        .http
        .post(format!("{}/restapi/oauth/token", tutorial.server))
        .basic_auth(&tutorial.client_id, Some(&tutorial.client_secret))
        .header(CONTENT_TYPE.as_str(), "application/x-www-form-urlencoded")
        .body(form);
    let answer = request.send().await.map_err(ErrorBadGateway)?;
    let answer = answer.error_for_status().map_err(ErrorBadGateway)?;
    let body = answer.bytes().await.map_err(ErrorBadGateway)?;
    let pair: serde_json::Value = serde_json::from_slice(&body).map_err(ErrorBadGateway)?;
    let token = pair["access_token"].as_str().map(str::to_owned);
    token.ok_or_else(|| ErrorBadGateway("no access_token"))
}

/// Who is signed in, as the platform says it.
async fn me(
    tutorial: web::Data<Tutorial>,
    request: HttpRequest,
) -> actix_web::Result<HttpResponse> {
    let session = request.cookie(SESSION);
    let token = session.and_then(|session| {
        let tokens = tutorial.tokens.lock();
        let tokens = tokens.unwrap_or_else(PoisonError::into_inner);
        tokens.get(session.value()).cloned()
    });
    let token = token.ok_or_else(|| ErrorUnauthorized("sign in first"))?;
    let url = format!("{}/restapi/v1.0/account/~/extension/~", tutorial.server);
    let answer = tutorial.http.get(url).bearer_auth(token).send().await;
    let answer = answer.map_err(ErrorBadGateway)?;
    let answer = answer.error_for_status().map_err(ErrorBadGateway)?;
    let body = answer.bytes().await.map_err(ErrorBadGateway)?;
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(body))
}

/// 128 random bits.
fn random() -> actix_web::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| ErrorInternalServerError("no random numbers"))?;
    Ok(format!("{:032x}", u128::from_ne_bytes(bytes)))
}
