//! `GET /login`: to the platform.

use actix_web::{HttpRequest, HttpResponse};
use rc_auth_web::{Begun, actix};

use super::dashboard::start_page_for;
use crate::{converted, pages::Notice, problem::Problem, state::Application};

/// Starts a sign-in in this browser. `?return_to=` names a local path to come back to.
///
/// A link or redirect of another site starts nothing and shows the button.
pub(super) async fn begin(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let parts = converted::parts_of(&request);
    match application.auth().begin_sign_in(&parts)? {
        Begun::ToPlatform(response) | Begun::ToOwnName(response) => Ok(actix::response(&response)),
        Begun::FromAnotherSite { again } => {
            let notice = Notice::good(
                "Another site led you here.",
                "Press the button if you want to sign in.",
            );
            Ok(start_page_for(application, Some(notice), again))
        }
        other => Err(Problem::internal(&format_args!("unknown: {other:?}"))),
    }
}
