//! A request as `rc-auth-web` reads it, converted once.

use std::rc::Rc;

use actix_web::{HttpMessage as _, HttpRequest, dev::ServiceRequest};
use http::request::Parts;

/// Converts a request and keeps what came of it for [`parts_of`].
///
/// # Errors
///
/// What version 1 of `http` does not take for a request.
pub(crate) fn convert(request: &ServiceRequest) -> Result<Rc<Parts>, http::Error> {
    let parts = Rc::new(rc_auth_web::actix::request_parts(request.head())?);
    request.extensions_mut().insert(Rc::clone(&parts));
    Ok(parts)
}

/// What [`convert`] made of a request.
pub(crate) fn parts_of(request: &HttpRequest) -> Rc<Parts> {
    match request.extensions().get::<Rc<Parts>>() {
        Some(parts) => Rc::clone(parts),
        None => unreachable!("the server converts every request before its route"),
    }
}
