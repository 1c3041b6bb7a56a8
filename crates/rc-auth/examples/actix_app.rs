//! `rc-auth` in an actix application, as short as it can be. For a finished one see `apps/web`.
//!
//! Needs `RC_CLIENT_ID`, `RC_CLIENT_SECRET` and a redirect URI `http://127.0.0.1:8080/oauth/callback`.
//! For one user at a time and tokens in memory only: a real application keeps `pending` sealed in a
//! cookie, a grant key in its session, and the tokens in a durable store.

use std::{
    env,
    error::Error,
    sync::{Arc, Mutex},
};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, Responder, http::header, web};
use rc_auth::{
    Client, GrantKey, OAuthApp, PendingAuthorization, Secret,
    store::{KeyRing, MemoryStore},
};

#[derive(Clone)]
struct State {
    client: Client,
    pending: Arc<Mutex<Option<PendingAuthorization>>>,
}

async fn login(state: web::Data<State>) -> impl Responder {
    match state.client.begin_sign_in() {
        Ok(sign_in) => {
            *state.pending.lock().unwrap_or_else(|e| e.into_inner()) = Some(sign_in.pending);
            HttpResponse::Found()
                .insert_header((header::LOCATION, sign_in.url))
                .finish()
        }
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

async fn callback(request: HttpRequest, state: web::Data<State>) -> impl Responder {
    let pending = state
        .pending
        .lock()
        .unwrap_or_else(|e| e.into_inner())
        .clone();
    let Some(pending) = pending else {
        return HttpResponse::BadRequest().body("open /login first");
    };
    match state
        .client
        .finish_sign_in_as(GrantKey::new("me"), pending, request.query_string())
        .await
    {
        Ok(_) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, "/me"))
            .finish(),
        Err(error) => HttpResponse::BadRequest().body(error.to_string()),
    }
}

async fn me(state: web::Data<State>) -> impl Responder {
    match state
        .client
        .grant(&GrantKey::new("me"))
        .get("/restapi/v1.0/account/~/extension/~")
        .await
    {
        Ok(answer) => HttpResponse::Ok()
            .content_type("application/json")
            .body(answer.body),
        Err(error) => HttpResponse::ServiceUnavailable().body(error.to_string()),
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let secret = env::var("RC_CLIENT_SECRET").ok().map(Secret::new);
    let redirect_uri = "http://127.0.0.1:8080/oauth/callback";
    let app = OAuthApp::new(
        &env::var("RC_CLIENT_ID")?,
        secret,
        redirect_uri,
        OAuthApp::DEFAULT_SERVER,
    )?;
    let client = Client::builder(app)
        .store(MemoryStore::new(), KeyRing::generate("k1")?)
        .build()?;
    let state = web::Data::new(State {
        client,
        pending: Arc::default(),
    });
    let routes = move || {
        App::new()
            .app_data(state.clone())
            .route("/login", web::get().to(login))
            .route("/oauth/callback", web::get().to(callback))
            .route("/me", web::get().to(me))
    };
    Ok(HttpServer::new(routes)
        .bind("127.0.0.1:8080")?
        .run()
        .await?)
}
