//! The other places where a person is signed in, on the dashboard.

use crate::stage::{Browser, Stage};

const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const IPHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) \
                      Version/18.0 Mobile/15E148 Safari/604.1";

async fn signed_in_with(stage: &Stage, user_agent: &str) -> Browser {
    let mut browser = stage.browser();
    browser.headers.push(("user-agent", user_agent.to_owned()));
    let callback = browser.sign_in_at(&stage.sim).await;
    assert_eq!(browser.get(&callback).await.status, 303);
    browser
}

/// What the form beside another sign-in carries.
fn made_at(page: &str) -> &str {
    let (_, rest) = page
        .split_once("name=\"made_at\" value=\"")
        .expect("a form");
    rest.split('"').next().expect("a value")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_sees_every_browser_and_ends_one() {
    let stage = Stage::start().await;
    let mut desk = signed_in_with(&stage, FIREFOX).await;
    let alone = desk.get("/").await.body;
    assert!(!alone.contains("Where you are signed in"), "{alone}");
    let mut phone = signed_in_with(&stage, IPHONE).await;
    let page = desk.get("/").await.body;
    assert!(
        page.contains("Firefox on Linux") && page.contains("Safari on iPhone"),
        "{page}"
    );

    let form = format!(
        "form_token={}&made_at={}",
        desk.form_token().await,
        made_at(&page)
    );
    let answer = desk.post("/sign-ins/end", &form).await;
    assert_eq!(
        (answer.status, answer.location()),
        (303, "/?done=sign-in-ended")
    );
    assert_eq!(phone.get("/me").await.status, 401);
    assert_eq!(desk.get("/me").await.status, 200);
    let again = desk.post("/sign-ins/end", &form).await;
    assert_eq!(again.location(), "/?done=sign-in-unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_out_everywhere() {
    let stage = Stage::start().await;
    let mut desk = signed_in_with(&stage, FIREFOX).await;
    let mut phone = signed_in_with(&stage, IPHONE).await;
    let answer = phone.press("/sign-ins/end-all").await;
    assert_eq!(
        (answer.status, answer.location()),
        (303, "/?done=sign-out-everywhere")
    );
    assert!(phone.cookies.is_empty(), "{:?}", phone.cookies.keys());
    assert_eq!(desk.get("/me").await.status, 401);
    assert_eq!(phone.get("/me").await.status, 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_ends_by_a_form_that_is_not_ones_own() {
    let stage = Stage::start().await;
    let mut desk = signed_in_with(&stage, FIREFOX).await;
    let mut phone = signed_in_with(&stage, IPHONE).await;
    let page = desk.get("/").await.body;
    for (path, form) in [
        (
            "/sign-ins/end",
            format!("form_token=x&made_at={}", made_at(&page)),
        ),
        ("/sign-ins/end-all", "form_token=x".to_owned()),
    ] {
        assert_eq!(desk.post(path, &form).await.status, 403, "{path}");
    }
    let token = desk.form_token().await;
    for made_at in ["", "0", "-1", "9999999999999999999999", "1;2"] {
        let form = format!("form_token={token}&made_at={made_at}");
        assert_eq!(
            desk.post("/sign-ins/end", &form).await.location(),
            "/?done=sign-in-unknown"
        );
    }
    assert_eq!(desk.get("/me").await.status, 200);
    assert_eq!(phone.get("/me").await.status, 200);
}
