//! Faults: what is carried out, what arrives, and what is counted; pure and behind `HttpClient`.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use http::{
    HeaderValue, Request, StatusCode,
    header::{DATE, RETRY_AFTER},
};
use rc_http::{FailureKind, HttpClient, Outgoing, TransportError};
use rc_sim::{Delivery, Fault, Replacement, SimClient, Target};

use crate::stage::{EXTENSION, Stage, form, pair, secs};

#[test]
fn dropped_before_processing_changes_nothing() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    stage
        .platform
        .queue_fault(Target::Token, Fault::DropBefore, 1);
    let request = refresh_request(&stage, &mine.refresh);
    let answer = stage.platform.answer(&request, stage.now);
    assert_eq!(answer.delivery, Delivery::DropBefore);
    assert_eq!(stage.call(&mine.access).status(), 200);
    let counters = stage.platform.counters(stage.now).token_refresh;
    assert_eq!(
        (counters.received, counters.not_carried_out, counters.faults),
        (1, 1, 1)
    );
}

#[test]
fn lost_after_processing_is_recovered_by_the_same_refresh_token() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    stage
        .platform
        .queue_fault(Target::Token, Fault::DropAfter, 1);
    let request = refresh_request(&stage, &mine.refresh);
    let answer = stage.platform.answer(&request, stage.now);
    assert_eq!(answer.delivery, Delivery::DropAfter);
    assert_eq!(stage.call(&mine.access).status(), 401, "it was carried out");
    let again = pair(&stage.refresh(&mine.refresh));
    assert_eq!(again, pair(&answer.response), "the same pair");
    let counters = stage.platform.counters(stage.now).token_refresh;
    assert_eq!(
        (counters.received, counters.issued, counters.replayed),
        (2, 1, 1)
    );
    assert_eq!(counters.faults, 1);
}

#[test]
fn faults_happen_in_order_to_their_target_only() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    stage
        .platform
        .queue_fault(Target::Api, Fault::Delay(secs(3)), 2);
    stage
        .platform
        .queue_fault(Target::Api, Fault::Truncate(10), 1);
    stage
        .platform
        .queue_fault(Target::Revoke, Fault::DropBefore, 0);
    pair(&stage.refresh(&mine.refresh));
    let request = Request::get(EXTENSION)
        .body(Bytes::new())
        .expect("a request");
    let mut answer = || {
        let answer = stage.platform.answer(&request, stage.now);
        (answer.delay, answer.delivery)
    };
    assert_eq!(answer(), (secs(3), Delivery::Whole));
    assert_eq!(answer(), (secs(3), Delivery::Whole));
    assert_eq!(answer(), (Duration::ZERO, Delivery::Truncate(10)));
    assert_eq!(answer(), (Duration::ZERO, Delivery::Whole));
    assert_eq!(stage.platform.counters(stage.now).api.faults, 3);
}

#[test]
fn a_replacement_keeps_the_request_from_being_carried_out_unless_told() {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    let busy = Replacement::new(StatusCode::SERVICE_UNAVAILABLE, "busy")
        .header(RETRY_AFTER, HeaderValue::from_static("5"));
    stage
        .platform
        .queue_fault(Target::Token, Fault::Replace(busy.clone()), 1);
    let response = stage.refresh(&mine.refresh);
    assert_eq!(
        (response.status().as_u16(), &response.body()[..]),
        (503, &b"busy"[..])
    );
    assert_eq!(response.headers()["retry-after"], "5");
    assert_eq!(stage.call(&mine.access).status(), 200);

    stage
        .platform
        .queue_fault(Target::Token, Fault::Replace(busy.carried_out()), 1);
    assert_eq!(stage.refresh(&mine.refresh).status(), 503);
    assert_eq!(stage.call(&mine.access).status(), 401);
    assert_eq!(stage.platform.counters(stage.now).token_refresh.issued, 1);
}

#[test]
fn a_replaced_answer_has_the_platforms_date_unless_it_brings_one() {
    let mut stage = Stage::new();
    stage.platform.advance(secs(3600));
    let busy = Replacement::new(StatusCode::SERVICE_UNAVAILABLE, "busy");
    let old = HeaderValue::from_static("Tue, 01 Jan 2030 00:00:00 GMT");
    for (replacement, date) in [
        (busy.clone(), stage.now.plus(secs(3600)).http_date()),
        (
            busy.header(DATE, old),
            "Tue, 01 Jan 2030 00:00:00 GMT".to_owned(),
        ),
    ] {
        stage
            .platform
            .queue_fault(Target::Token, Fault::Replace(replacement), 1);
        let response = stage.refresh("unknown");
        let dates: Vec<_> = response.headers().get_all(DATE).iter().collect();
        assert_eq!(dates, [date.as_str()]);
    }
}

#[test]
fn cleared_faults_do_not_happen() {
    let mut stage = Stage::new();
    stage
        .platform
        .queue_fault(Target::Token, Fault::DropBefore, 5);
    stage.platform.clear_faults();
    stage.sign_in();
}

fn refresh_request(stage: &Stage, token: &str) -> Request<Bytes> {
    let body = form(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
    Request::post("http://platform.example/restapi/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", stage.basic())
        .body(Bytes::from(body))
        .expect("a request")
}

/// Sends a refresh through [`SimClient`] after `fault` was queued.
async fn send(
    fault: Option<Fault>,
    limit: fn(Outgoing) -> Outgoing,
) -> Result<u16, TransportError> {
    let mut stage = Stage::new();
    let mine = stage.sign_in();
    let request = refresh_request(&stage, &mine.refresh);
    if let Some(fault) = fault {
        stage.platform.queue_fault(Target::Token, fault, 1);
    }
    let Stage { platform, now } = stage;
    let client = SimClient::new(Arc::new(Mutex::new(platform)), move || now);
    let incoming = client.send(limit(Outgoing::new(request))).await?;
    assert!(!incoming.body.is_empty() && incoming.headers.contains_key("rcrequestid"));
    Ok(incoming.status.as_u16())
}

#[tokio::test]
async fn behind_http_client_faults_become_transport_errors() {
    let same: fn(Outgoing) -> Outgoing = |outgoing| outgoing;
    assert_eq!(send(None, same).await.expect("an answer"), 200);
    let short_delay = Fault::Delay(secs(29));
    assert_eq!(send(Some(short_delay), same).await.expect("an answer"), 200);
    assert_eq!(
        send(Some(Fault::Truncate(1 << 20)), same)
            .await
            .expect("an answer"),
        200
    );
    let small: fn(Outgoing) -> Outgoing = |outgoing| outgoing.max_body(10);
    for (fault, limit, kind) in [
        (Some(Fault::DropBefore), same, FailureKind::Broken),
        (Some(Fault::DropAfter), same, FailureKind::Broken),
        (Some(Fault::Delay(secs(30))), same, FailureKind::Timeout),
        (Some(Fault::Truncate(10)), same, FailureKind::BodyBroken),
        (None, small, FailureKind::BodyTooLarge),
    ] {
        let error = send(fault, limit).await.expect_err("a failure");
        assert_eq!(error.kind(), kind);
        assert_eq!(error.delivery(), rc_http::Delivery::MaybeSent);
        assert!(
            error.to_string().ends_with("http://platform.example"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn behind_http_client_a_given_sleep_waits_for_the_delay() {
    let mut stage = Stage::new();
    stage
        .platform
        .queue_fault(Target::Api, Fault::Delay(secs(20)), 2);
    let Stage { platform, now } = stage;
    let slept = Arc::new(Mutex::new(Vec::new()));
    let record = Arc::clone(&slept);
    let client =
        SimClient::new(Arc::new(Mutex::new(platform)), move || now).with_sleep(move |time| {
            record.lock().expect("no panic").push(time);
            Box::pin(async {})
        });
    let send = |deadline| {
        let request = Request::get(EXTENSION)
            .body(Bytes::new())
            .expect("a request");
        client.send(Outgoing::new(request).deadline(deadline))
    };
    assert_eq!(send(secs(30)).await.expect("an answer").status, 401);
    assert_eq!(
        send(secs(5)).await.map(|_| ()).expect_err("late").kind(),
        FailureKind::Timeout
    );
    assert_eq!(*slept.lock().expect("no panic"), [secs(20), secs(5)]);
}
