//! `POST /containers/{name}/attach`: the container's own streams, live; clients attach before they start it.

use axum::extract::{Path, Request, State};
use axum::response::Response;
use berth_api_types::error::ErrorMessage;
use berth_engine::{AttachOptions, Engine};

use crate::detach::DetachKeys;
use crate::error::ApiError;
use crate::hijack::Session;
use crate::params::Params;
use crate::peer::Connection;
use crate::protocol::Version;
use crate::stream::{Framing, MULTIPLEXED, RAW};

/// Attaches to a container.
#[utoipa::path(
    post,
    path = "/containers/{name}/attach",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("stream" = Option<bool>, Query, description = "Live streams"),
        ("logs" = Option<bool>, Query, description = "First what was written so far"),
        ("stdin" = Option<bool>, Query, description = "Standard input"),
        ("stdout" = Option<bool>, Query, description = "Standard output"),
        ("stderr" = Option<bool>, Query, description = "Standard error"),
        ("detachKeys" = Option<String>, Query, description = "Keys that end the attach, such as ctrl-p,ctrl-q"),
    ),
    responses(
        (status = 101, description = "The connection carries the streams from here on"),
        (status = 200, description = "The body carries the output, for clients that do not upgrade",
            body = Vec<u8>, content_type = "application/vnd.docker.raw-stream"),
        (status = 400, description = "Bad parameter", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
    )
)]
pub(crate) async fn attach(
    State(engine): State<Engine>,
    connection: Connection,
    version: Version,
    Path(name): Path<String>,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    let keys = DetachKeys::parse(params.text("detachKeys"))?;
    let (stdin, stdout, stderr) = (params.flag("stdin"), params.flag("stdout"), params.flag("stderr"));
    // Nothing chosen is nothing to wait for: such a session ends at once.
    let any = stdin || stdout || stderr;
    let (logs, stream) = (any && params.flag("logs"), any && params.flag("stream"));
    let options = AttachOptions { stdin, stdout, stderr, logs, stream };
    let upgraded = request.headers().contains_key(http::header::UPGRADE);
    let attachment = engine.container_attach(&connection.caller, &name, options).await?;
    let multiplexed = upgraded && !attachment.tty && version.at_least(42);
    let session = Session {
        framing: Framing { raw: attachment.tty, ..Framing::default() },
        // Only a terminal has keys.
        detach: attachment.tty.then_some(keys),
        content_type: if multiplexed { MULTIPLEXED } else { RAW },
        attachment,
        connection,
        stopping: engine.shutting_down(),
    };
    Ok(session.respond(request))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let answer = Server::start().await.post("/containers/nosuch/attach?stdout=1&stream=1").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
    }

    #[tokio::test]
    async fn without_a_chosen_stream_the_session_ends_at_once() {
        let server = Server::with_image().await;
        server.create("web").await;
        for query in ["", "stream=1", "logs=1&stream=1"] {
            let path = format!("/containers/web/attach?{query}");
            let soon = std::time::Duration::from_secs(5);
            let answer = tokio::time::timeout(soon, server.post(&path)).await.unwrap();
            assert_eq!((answer.status, answer.text().as_str()), (200, ""), "{query}");
        }
    }

    #[tokio::test]
    async fn detach_keys_are_checked() {
        let answer = Server::start().await.post("/containers/nosuch/attach?stdout=1&detachKeys=xyz").await;
        assert_eq!((answer.status, answer.message().as_str()), (400, "invalid detach keys (xyz) provided"));
    }
}
