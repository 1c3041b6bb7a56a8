//! The faults that go by a name.

use rc_sim::{Delivery, Preset};
use serde_json::json;

use crate::stage::{Stage, form, header_of, json, pair, refusal, text};

fn add(stage: &mut Stage, name: &str) {
    let (status, body) = stage.control("POST", "faults", &json!({ "fault": name }), &[]);
    assert_eq!(status, 200, "{name}: {body}");
}

#[test]
fn every_preset_is_what_its_name_says() {
    for (name, preset, status, code, retry_after) in [
        (
            "rate-limited",
            Preset::RateLimited,
            429,
            Some("CMN-301"),
            Some("60"),
        ),
        (
            "rate-limited-without-retry-after",
            Preset::RateLimitedWithoutRetryAfter,
            429,
            Some("CMN-301"),
            None,
        ),
        (
            "limited-mode",
            Preset::LimitedMode,
            503,
            Some("CMN-211"),
            Some("30"),
        ),
        (
            "internal-error",
            Preset::InternalError,
            500,
            Some("CMN-203"),
            None,
        ),
        (
            "invalid-authorization",
            Preset::InvalidAuthorization,
            401,
            Some("AGW-402"),
            None,
        ),
        ("unavailable", Preset::Unavailable, 503, None, Some("30")),
        ("bad-gateway", Preset::BadGateway, 502, None, None),
        ("captive-portal", Preset::CaptivePortal, 200, None, None),
    ] {
        assert_eq!(serde_json::to_value(preset).expect("a name"), name);
        let mut stage = Stage::new();
        let mine = stage.sign_in();
        add(&mut stage, name);
        let response = stage.refresh(&mine.refresh);
        assert_eq!(response.status(), status, "{name}");
        assert_eq!(header_of(&response, "retry-after"), retry_after, "{name}");
        let page = name == "bad-gateway" || name == "captive-portal";
        let media_type = if page {
            "text/html"
        } else {
            "application/json"
        };
        assert!(
            response.headers()["content-type"]
                .to_str()
                .is_ok_and(|it| it.starts_with(media_type))
        );
        assert_eq!(text(&response).starts_with("<!doctype html>"), page);
        if let Some(code) = code {
            assert_eq!(refusal(&response).2, code);
        } else if !page {
            assert_eq!(json(&response)["error"], "service_unavailable");
        }
        assert_eq!(
            stage.call(&mine.access).status(),
            200,
            "{name}: not carried out"
        );
        pair(&stage.refresh(&mine.refresh));
    }
}

#[test]
fn the_lost_presets_lose_answer_or_request() {
    for (name, delivery, carried_out) in [
        ("answer-lost", Delivery::DropAfter, true),
        ("request-lost", Delivery::DropBefore, false),
    ] {
        let mut stage = Stage::new();
        let mine = stage.sign_in();
        add(&mut stage, name);
        let request = http::Request::post("/restapi/oauth/token")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("authorization", stage.basic());
        let body = form(&[
            ("grant_type", "refresh_token"),
            ("refresh_token", &mine.refresh),
        ]);
        let request = request.body(body.into()).expect("a request");
        let answer = stage.platform.answer(&request, stage.now);
        assert_eq!(answer.delivery, delivery);
        assert_eq!(
            stage.call(&mine.access).status() == 401,
            carried_out,
            "{name}"
        );
    }
}
