//! `GET /events`: what happened since a moment, then what happens, one JSON document a line.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use berth_api_types::event::EventMessage;
use berth_engine::Engine;
use futures_util::stream;
use http::header;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::stream::{body, json_line, until_unwanted};

/// Streams events until `until`, until the client leaves, or until the daemon stops.
#[utoipa::path(
    get,
    path = "/events",
    tag = "system",
    params(
        ("since" = Option<String>, Query, description = "Replay from this Unix time on"),
        ("until" = Option<String>, Query, description = "End at this Unix time"),
        ("filters" = Option<String>, Query, description = "container, image, event, label, type, … as JSON"),
    ),
    responses(
        (status = 200, description = "One event a line", body = EventMessage),
        (status = 400, description = "Bad parameter", body = berth_api_types::error::ErrorMessage),
    )
)]
pub(crate) async fn events(
    State(engine): State<Engine>,
    connection: Connection,
    params: Params,
) -> Result<Response, ApiError> {
    let (since, until) = (params.time("since")?, params.time("until")?);
    if let (Some(from), Some(to)) = (since, until)
        && from > to
    {
        let text = |name| params.text(name).unwrap_or_default();
        return Err(ApiError::invalid(format!(
            "`since` time ({}) cannot be after `until` time ({})",
            text("since"),
            text("until")
        )));
    }
    let events = engine.events(&connection.caller, since, until, &params.filters()?).await?;
    let lines = stream::unfold(events, |mut events| async move {
        let event = events.next().await?;
        Some((json_line(&event), events))
    });
    let lines = until_unwanted(lines, connection, engine.shutting_down());
    Ok(([(header::CONTENT_TYPE, "application/json")], body(lines)).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[tokio::test]
    async fn a_closed_range_ends() {
        let answer = Server::start().await.get("/events?since=1&until=2").await;
        assert_eq!((answer.status, answer.text().as_str()), (200, ""));
        assert_eq!(answer.headers["content-type"], "application/json");
    }

    #[tokio::test]
    async fn bad_times_and_filters_are_refused() {
        let server = Server::start().await;
        let refused = async |query: &str| {
            let answer = server.get(&format!("/events?{query}")).await;
            assert_eq!(answer.status, 400, "{query}");
            answer.message()
        };
        assert_eq!(refused("since=abc").await, "strconv.ParseInt: parsing \"abc\": invalid syntax");
        assert_eq!(refused("since=10&until=5").await, "`since` time (10) cannot be after `until` time (5)");
        assert_eq!(refused("filters=bogus").await, "invalid filter");
    }

    #[tokio::test]
    async fn the_past_is_replayed() {
        let server = Server::with_image().await;
        let id = server.create("web").await;
        let until = berth_api_types::time::now_ns() / 1_000_000_000 + 1;
        let answer = server
            .get(&format!("/events?since=1&until={until}&filters=%7B%22type%22:%5B%22container%22%5D%7D"))
            .await;
        let lines: Vec<EventMessage> =
            answer.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let [event] = lines.as_slice() else { panic!("{lines:?}") };
        assert_eq!((event.action.as_str(), event.status.as_str()), ("create", "create"));
        assert_eq!((&event.actor.id, &event.id, event.from.as_str()), (&id, &id, "busybox"));
        assert_eq!(event.actor.attributes.as_ref().unwrap()["name"], "web");
        assert_eq!(event.time, event.time_nano / 1_000_000_000);
    }
}
