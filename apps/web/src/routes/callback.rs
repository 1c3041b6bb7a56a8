//! The redirect URI: back from the platform.

use std::net::{IpAddr, Ipv6Addr};

use actix_web::{HttpRequest, HttpResponse};
use rc_auth_web::actix;

use crate::{
    converted,
    problem::Problem,
    state::{Application, PAGE_PATIENCE},
};

/// Finishes a sign-in of this browser.
pub(super) async fn finish(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let application = Application::of(&request);
    let auth = application.auth();
    let parts = converted::parts_of(&request);
    // A connection without an address is none of TCP; all of those count as one.
    let peer = request
        .peer_addr()
        .map_or(IpAddr::V6(Ipv6Addr::UNSPECIFIED), |peer| peer.ip());
    let from = auth
        .client_address(Some(peer), &parts.headers)
        .map_err(|error| Problem::internal(&error))?;
    let finished = auth.finish_sign_in(&parts, from).await?;
    if finished.is_new() {
        // The dashboard that follows shows the name, unless the platform is slow.
        let known = application.find_out_who(finished.grant());
        let _ = application.within(PAGE_PATIENCE, known).await;
    }
    Ok(actix::response(&finished.into_response()))
}
