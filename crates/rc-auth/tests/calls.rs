//! Calls of the API: what is sent, what is sent again, and what never is.
#![allow(clippy::unwrap_used, reason = "a file of tests")]

mod support;

use std::{
    convert::Infallible,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use rc_auth::{
    CallError, ClientBuilder, Grant, GrantError, Verdict,
    transport::{BoxFuture, Delivery, FailureKind, HttpClient, Incoming, Outgoing, TransportError},
};
use rc_sim::{Config, Fault, Replacement, Target};
use serde_json::{Value, json};
use support::{CALLBACK, ME, World};

/// Some days of it, so that it is the same whenever it is asked for.
const CALL_LOG: &str = "/restapi/v1.0/account/~/extension/~/call-log\
    ?dateFrom=2025-12-29T00:00:00Z&dateTo=2025-12-30T00:00:00Z";
const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";

async fn signed_in() -> (World, Grant) {
    let world = World::new();
    let grant = world.sign_in().await;
    (world, grant)
}

fn answers(status: u16, body: &'static str) -> Fault {
    Fault::Replace(Replacement::new(
        StatusCode::from_u16(status).unwrap(),
        Bytes::from_static(body.as_bytes()),
    ))
}

fn sms() -> Value {
    json!({ "from": { "phoneNumber": "+16505550101" }, "to": [{ "phoneNumber": "+16505550102" }], "text": "hello" })
}

#[tokio::test(start_paused = true)]
async fn a_typed_answer_is_what_the_platform_says() {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Extension {
        name: String,
        extension_number: String,
    }
    let (_world, grant) = signed_in().await;
    let me: Extension = grant.get(ME).fetch().await.unwrap();
    assert!(!me.name.is_empty() && !me.extension_number.is_empty());
    let wrong = grant.get(ME).fetch::<Vec<u8>>().await.unwrap_err();
    assert!(matches!(wrong, CallError::UnexpectedBody { .. }), "{wrong}");
}

#[tokio::test(start_paused = true)]
async fn a_get_whose_answer_is_lost_is_sent_again_and_a_post_is_not() {
    let (world, grant) = signed_in().await;
    world.fault(Target::Api, Fault::DropAfter, 2);
    let before = world.counters().api.received;
    grant.get(ME).await.unwrap();
    assert_eq!(world.counters().api.received, before + 3);

    world.fault(Target::Api, Fault::DropAfter, 1);
    let before = world.counters().api.received;
    let error = grant.post(SMS).json(&sms()).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error}");
    assert_eq!(world.counters().api.received, before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_sent_again_as_often_as_it_may_be_and_no_more() {
    let (world, grant) = signed_in().await;
    for retries in [0, 1, 2, 5] {
        world.fault(Target::Api, answers(503, "busy"), 10);
        let before = world.counters().api.received;
        let began = world.clock.0.elapsed();
        let error = grant.get(ME).retries(retries).await.unwrap_err();
        assert_eq!(
            error.verdict(),
            Some(Verdict::BackOff { retry_after: None })
        );
        let sent = world.counters().api.received - before;
        assert_eq!(sent, u64::from(retries) + 1);
        // 250 ms, doubled each time, and spread by half.
        let pauses = Duration::from_millis(125) * (2_u32.pow(retries) - 1);
        assert!(world.clock.0.elapsed() - began >= pauses);
        world.platform().clear_faults();
    }
}

#[tokio::test(start_paused = true)]
async fn a_post_is_not_sent_again_after_a_503() {
    let (world, grant) = signed_in().await;
    world.fault(Target::Api, answers(503, ""), 1);
    let before = world.counters().api.received;
    grant.post(SMS).json(&sms()).await.unwrap_err();
    assert_eq!(world.counters().api.received, before + 1);
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_waited_for_within_the_calls_time_and_not_beyond() {
    let (world, grant) = signed_in().await;
    let busy = |seconds: u64| {
        let answer = Replacement::new(StatusCode::SERVICE_UNAVAILABLE, Bytes::new());
        Fault::Replace(answer.header(header::RETRY_AFTER, HeaderValue::from(seconds)))
    };
    world.fault(Target::Api, busy(5), 1);
    let began = world.clock.0.elapsed();
    grant.get(ME).await.unwrap();
    assert!(world.clock.0.elapsed() - began >= Duration::from_secs(5));

    world.fault(Target::Api, busy(40), 1);
    let began = world.clock.0.elapsed();
    let error = grant.get(ME).await.unwrap_err();
    assert!(error.retry_at().is_some(), "{error}");
    assert!(world.clock.0.elapsed() - began < Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn a_rate_limit_fails_at_once_or_is_waited_for_as_the_caller_says() {
    let mut config = Config::demo(7, CALLBACK);
    config.switches.limits.light = 1;
    config.switches.limits.auth = u32::MAX;
    let world = World::with(config, |builder| builder);
    world.platform().enable_limits(true);
    let grant = world.sign_in().await;
    grant.get(ME).await.unwrap();
    let error = grant.get(ME).await.unwrap_err();
    assert!(
        matches!(
            &error,
            CallError::RateLimited {
                refusal: Some(_),
                ..
            }
        ),
        "{error}"
    );
    assert!(error.request_id().is_some() && error.retry_at().is_some());

    let impatient = grant
        .get(ME)
        .wait_for_rate_limit(Duration::from_secs(2))
        .await;
    assert!(matches!(impatient, Err(CallError::RateLimited { .. })));
    let patient = grant.get(ME).timeout(Duration::from_secs(300));
    patient
        .wait_for_rate_limit(Duration::from_secs(300))
        .await
        .unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_error_names_code_message_and_request_and_no_token() {
    let (_world, grant) = signed_in().await;
    let token = grant.access_token().await.unwrap();
    let error = grant
        .get("/restapi/v1.0/account/~/extension/999")
        .await
        .unwrap_err();
    assert!(
        error.code().is_some() && error.message().is_some(),
        "{error:?}"
    );
    assert!(error.request_id().is_some());
    let printed = format!("{error} {error:?} {token:?}");
    assert!(!printed.contains(token.secret().expose()), "{printed}");
}

#[tokio::test(start_paused = true)]
async fn headers_and_query_arrive_and_reserved_headers_are_refused() {
    let seen = Arc::new(Seen::default());
    let (_world, grant) = watched(&seen).await;
    let request = grant
        .request(Method::PUT, "/restapi/v1.0/x?a=1")
        .query("b", "c d&e")
        .query("b", 2);
    // Whatever the platform says of it.
    let _ = request
        .header("Accept-Language", "fr-FR")
        .json(&json!({ "x": 1 }))
        .await;
    let sent = seen.last();
    assert_eq!(
        sent.0,
        "PUT https://platform.example.com/restapi/v1.0/x?a=1&b=c+d%26e&b=2"
    );
    assert_eq!(sent.1["accept-language"], "fr-FR");
    assert_eq!(sent.1["content-type"], "application/json");
    assert!(sent.1["authorization"].is_sensitive());
    let before = seen.count();
    for name in [
        "authorization",
        "Host",
        "cookie",
        "content-length",
        "bad name",
    ] {
        let error = grant.get(ME).header(name, "x").await.unwrap_err();
        assert!(matches!(error, CallError::InvalidHeader), "{name}: {error}");
    }
    let error = grant
        .get(ME)
        .header("x-y", "line\nbreak")
        .await
        .unwrap_err();
    assert!(matches!(error, CallError::InvalidHeader));
    assert_eq!(seen.count(), before);
}

#[tokio::test(start_paused = true)]
async fn the_token_goes_to_the_platforms_hosts_only() {
    let seen = Arc::new(Seen::default());
    let (_world, grant) = watched(&seen).await;
    let before = seen.count();
    for address in [
        "https://platform.example.com.evil.example/",
        "https://example.com/",
        "//example.com/x",
    ] {
        let error = grant.get(address).await.unwrap_err();
        assert!(
            matches!(error, CallError::ForeignAddress | CallError::InvalidPath),
            "{address}"
        );
    }
    assert_eq!(seen.count(), before);
    let _ = grant
        .get("https://media.example.com/restapi/v1.0/r/1/content")
        .download()
        .await;
    assert_eq!(
        seen.last().0,
        "GET https://media.example.com/restapi/v1.0/r/1/content"
    );
    let _ = grant
        .get("https://platform.example.com/restapi/v1.0/y")
        .await;
    assert_eq!(
        seen.last().0,
        "GET https://platform.example.com/restapi/v1.0/y"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_page_after_page_to_its_end() {
    let (world, grant) = signed_in().await;
    let ids = |records: &[Value]| -> Vec<String> {
        let ids = records.iter().map(|record| record["id"].to_string());
        ids.collect()
    };
    let whole = grant.get(CALL_LOG).query("perPage", 1000);
    let whole: Value = whole.fetch().await.unwrap();
    let all = ids(whole["records"].as_array().unwrap());
    assert!(all.len() > 7, "{} records", all.len());
    let before = world.counters().api.received;
    let pages = grant.get(CALL_LOG).query("perPage", 3).pages::<Value>();
    let read: Vec<Value> = pages.map(Result::unwrap).collect().await;
    assert_eq!(ids(&read), all);
    let pages = world.counters().api.received - before;
    assert_eq!(pages, u64::try_from(all.len().div_ceil(3)).unwrap());

    let mut pages = grant.get(CALL_LOG).query("perPage", 3).pages::<Value>();
    assert_eq!(pages.next_page().await.unwrap().unwrap().len(), 3);
    assert_eq!(ids(&pages.collect_up_to(2).await.unwrap()), all[3..5]);
}

#[tokio::test(start_paused = true)]
async fn a_list_follows_links_to_the_platform_and_page_numbers_and_nothing_else() {
    let (world, grant) = signed_in().await;
    let page = |next: Value, number: u32| {
        let page = json!({ "records": [number], "navigation": next, "paging": { "page": number, "totalPages": 3 } });
        Fault::Replace(Replacement::new(StatusCode::OK, page.to_string()))
    };
    // No link: the next number, to the last.
    for number in 1..=3 {
        world.fault(Target::Api, page(json!({}), number), 1);
    }
    let read = grant.get("/restapi/v1.0/list?perPage=1").pages::<u32>();
    assert_eq!(
        read.map(Result::unwrap).collect::<Vec<_>>().await,
        [1, 2, 3]
    );
    // To another host.
    world.fault(
        Target::Api,
        page(
            json!({ "nextPage": { "uri": "https://example.com/steal" } }),
            1,
        ),
        1,
    );
    let read: Vec<_> = grant
        .get("/restapi/v1.0/list")
        .pages::<u32>()
        .collect()
        .await;
    assert!(
        matches!(&read[..], [Ok(1), Err(CallError::ForeignAddress)]),
        "{read:?}"
    );
    // To itself.
    let uri = "https://platform.example.com/restapi/v1.0/list";
    world.fault(
        Target::Api,
        page(json!({ "nextPage": { "uri": uri } }), 1),
        1,
    );
    let read: Vec<_> = grant
        .get("/restapi/v1.0/list")
        .pages::<u32>()
        .collect()
        .await;
    assert!(matches!(&read[..], [Ok(1)]), "{read:?}");
}

#[tokio::test(start_paused = true)]
async fn a_list_ends_with_its_first_error() {
    let (world, grant) = signed_in().await;
    world.fault(Target::Api, answers(404, "{}"), 1);
    let read: Vec<_> = grant.get(CALL_LOG).pages::<Value>().collect().await;
    assert!(
        matches!(&read[..], [Err(CallError::Refused { .. })]),
        "{read:?}"
    );
    let wrong = grant.get("nowhere").pages::<Value>().next().await.unwrap();
    assert!(matches!(wrong, Err(CallError::InvalidPath)));
}

#[tokio::test(start_paused = true)]
async fn a_streamed_body_is_sent_once_and_a_refused_token_is_told() {
    let (world, grant) = signed_in().await;
    let body = || stream::iter([Ok::<_, Infallible>(Bytes::from(sms().to_string()))]);
    let upload = || grant.post(SMS).stream("application/json", None, body());
    upload().await.unwrap();
    world.expire_access_tokens();
    let before = world.counters().api.received;
    let error = upload().await.unwrap_err();
    assert_eq!(error.verdict(), Some(Verdict::RefreshAndRetry), "{error}");
    assert_eq!(world.counters().api.received, before + 1);
    upload().await.expect("with a newer token");
}

#[tokio::test(start_paused = true)]
async fn a_download_is_read_by_its_caller_and_a_refused_token_is_replaced() {
    let (world, grant) = signed_in().await;
    world.expire_access_tokens();
    let download = grant.get(ME).download().await.unwrap();
    let pieces: Vec<Bytes> = download.body.map(Result::unwrap).collect().await;
    let me: Value = serde_json::from_slice(&pieces.concat()).unwrap();
    assert!(me["name"].is_string());
    let refused = grant
        .get("/restapi/v1.0/account/~/extension/999")
        .download()
        .await;
    assert!(matches!(refused, Err(CallError::Refused { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_token_for_other_clients_is_replaced_once_when_it_is_refused() {
    let (world, grant) = signed_in().await;
    let token = grant.access_token().await.unwrap();
    assert!(token.header().is_sensitive());
    assert!(
        token.use_until()
            > rc_auth::Timestamp::from_unix_millis(world.sim_now().millis().try_into().unwrap())
    );
    world.expire_access_tokens();
    let newer =
        futures_util::future::join_all((0..20).map(|_| grant.newer_access_token(&token))).await;
    let newer: Vec<_> = newer
        .into_iter()
        .map(|token| token.unwrap().header().clone())
        .collect();
    assert!(
        newer
            .iter()
            .all(|header| *header == newer[0] && header != token.header())
    );
    assert_eq!(world.counters().token_refresh.received, 1);
    grant.sign_out().await.unwrap();
    let error = grant.access_token().await.unwrap_err();
    assert!(matches!(error, GrantError::SignInAgain { .. }), "{error}");
}

/// Requests that went out.
#[derive(Debug, Default)]
struct Seen {
    requests: Mutex<Vec<(String, HeaderMap)>>,
    broken: AtomicU32,
}

impl Seen {
    fn last(&self) -> (String, HeaderMap) {
        self.requests.lock().unwrap().last().unwrap().clone()
    }

    fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

#[derive(Debug)]
struct Watch {
    seen: Arc<Seen>,
    inner: Arc<dyn HttpClient>,
}

impl HttpClient for Watch {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming, TransportError>> {
        let request = &outgoing.request;
        let line = format!("{} {}", request.method(), request.uri());
        self.seen
            .requests
            .lock()
            .unwrap()
            .push((line, request.headers().clone()));
        if self.seen.broken.load(Ordering::SeqCst) > 0 {
            self.seen.broken.fetch_sub(1, Ordering::SeqCst);
            let error = TransportError::new(
                Delivery::NotSent,
                FailureKind::Connect,
                "https://platform.example.com",
            );
            return Box::pin(async move { Err(error) });
        }
        self.inner.send(outgoing)
    }
}

async fn watched(seen: &Arc<Seen>) -> (World, Grant) {
    let world = World::new();
    let grant = world.sign_in().await;
    let inner: Arc<dyn HttpClient> = world.sim_transport();
    let build = |builder: ClientBuilder| {
        builder.transport(Arc::new(Watch {
            seen: seen.clone(),
            inner: inner.clone(),
        }))
    };
    let client = world.another_process(build);
    let grant = client.grant(grant.key());
    (world, grant)
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_is_sent_again_whatever_the_method() {
    let seen = Arc::new(Seen::default());
    let (_world, grant) = watched(&seen).await;
    grant.get(ME).await.unwrap();
    let before = seen.count();
    seen.broken.store(2, Ordering::SeqCst);
    grant.post(SMS).json(&sms()).await.unwrap();
    assert_eq!(seen.count(), before + 3);
    seen.broken.store(3, Ordering::SeqCst);
    let error = grant.post(SMS).json(&sms()).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error}");
    assert_eq!(seen.count(), before + 6);
}
