//! Keeps web pages out.
//!
//! The API on a TCP socket of the loopback interface can be reached by every page in a browser on this host: by a
//! cross-site request, or by a name that an attacker points at 127.0.0.1 ("DNS rebinding"). Browsers give both
//! away: a cross-site request that changes something carries `Origin`, and a rebound name stands in `Host`.

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use berth_engine::Caller;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, StatusCode};

use crate::error::ApiError;
use crate::peer::Connection;

/// Refuses what a browser sends on behalf of a page.
pub(crate) async fn refuse_pages(request: Request, next: Next) -> Response {
    let tcp = request
        .extensions()
        .get::<Connection>()
        .is_some_and(|connection| matches!(connection.caller, Caller::Tcp { .. }));
    if tcp && !trusted(request.headers()) {
        let text = "requests on behalf of web pages, or to a host name that is not local, are refused";
        return ApiError::new(StatusCode::FORBIDDEN, text).into_response();
    }
    next.run(request).await
}

fn trusted(headers: &HeaderMap) -> bool {
    !headers.contains_key(ORIGIN) && headers.get(HOST).is_none_or(|host| host.to_str().is_ok_and(is_local))
}

/// An address, `localhost` and names below it, or a name without a dot (which no public DNS answers).
fn is_local(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.parse::<std::net::IpAddr>().is_ok() || !name.contains('.') || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn docker_clients_are_let_in() {
        for host in ["127.0.0.1:2375", "localhost:2375", "[::1]:2375", "docker", "api.moby.localhost", ""] {
            assert!(is_local(host), "{host}");
        }
        assert!(trusted(&headers(&[("host", "localhost:2375")])));
        assert!(trusted(&headers(&[])));
    }

    #[test]
    fn pages_are_not() {
        assert!(!trusted(&headers(&[("host", "rebound.example.com:2375")])));
        assert!(!trusted(&headers(&[("host", "127.0.0.1:2375"), ("origin", "https://example.com")])));
    }
}
