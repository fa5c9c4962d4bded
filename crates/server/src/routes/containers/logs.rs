//! `GET /containers/{name}/logs`: what the container wrote, and with `follow` what it writes.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use berth_api_types::error::ErrorMessage;
use berth_engine::{Engine, LogOptions, LogStream};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, stream};
use http::header;

use crate::error::{ApiError, chain};
use crate::params::Params;
use crate::peer::Connection;
use crate::protocol::Version;
use crate::stream::{Framing, MULTIPLEXED, RAW, body, until_unwanted};

/// Most records written at once.
const BATCH: usize = 256;

/// Streams a log.
#[utoipa::path(
    get,
    path = "/containers/{name}/logs",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("stdout" = Option<bool>, Query, description = "Include standard output"),
        ("stderr" = Option<bool>, Query, description = "Include standard error"),
        ("follow" = Option<bool>, Query, description = "Go on until the container ends"),
        ("tail" = Option<String>, Query, description = "Only the last so many lines, or all"),
        ("since" = Option<String>, Query, description = "Only from this Unix time on"),
        ("until" = Option<String>, Query, description = "Only up to this Unix time"),
        ("timestamps" = Option<bool>, Query, description = "Start each line with its time"),
        ("details" = Option<bool>, Query, description = "Start each line with its attributes"),
    ),
    responses(
        (status = 200, description = "Lines, raw or in frames", body = Vec<u8>,
            content_type = "application/vnd.docker.multiplexed-stream"),
        (status = 400, description = "Bad parameter", body = ErrorMessage),
        (status = 404, description = "No such container", body = ErrorMessage),
    )
)]
pub(crate) async fn logs(
    State(engine): State<Engine>,
    connection: Connection,
    version: Version,
    Path(name): Path<String>,
    params: Params,
) -> Result<Response, ApiError> {
    let options = options(&params)?;
    let log = engine.container_logs(&connection.caller, &name, options).await?;
    let framing =
        Framing { raw: log.tty, timestamps: params.flag("timestamps"), details: params.flag("details") };
    let content_type = if !log.tty && version.at_least(42) { MULTIPLEXED } else { RAW };
    let pieces = until_unwanted(pieces(log, framing), connection, engine.shutting_down());
    Ok(([(header::CONTENT_TYPE, content_type)], body(pieces)).into_response())
}

/// The parameters; a tail that is no number means everything.
fn options(params: &Params) -> Result<LogOptions, ApiError> {
    let (stdout, stderr) = (params.flag("stdout"), params.flag("stderr"));
    if !stdout && !stderr {
        return Err(ApiError::invalid("Bad parameters: you must choose at least one stream"));
    }
    Ok(LogOptions {
        stdout,
        stderr,
        follow: params.flag("follow"),
        tail: params.text("tail").and_then(|tail| tail.parse().ok()),
        since_ns: params.time("since")?,
        // Docker's clients send 0 for "no end".
        until_ns: params.time("until")?.filter(|until| *until != 0),
    })
}

/// The log as bytes, as many records at a time as are there.
fn pieces(log: LogStream, framing: Framing) -> impl Stream<Item = Bytes> {
    stream::unfold(log.records, move |mut records| async move {
        let mut batch = Vec::new();
        if records.recv_many(&mut batch, BATCH).await == 0 {
            return None;
        }
        let mut out = BytesMut::new();
        for record in batch {
            match record {
                Ok(record) => framing.put_record(&mut out, &record),
                Err(error) => framing.put_error(&mut out, &chain(&error)),
            }
        }
        Some((out.freeze(), records))
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let answer = Server::start().await.get("/containers/nosuch/logs?stdout=1").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
    }

    #[tokio::test]
    async fn bad_parameters_are_refused() {
        let server = Server::start().await;
        for (query, message) in [
            ("", "Bad parameters: you must choose at least one stream"),
            ("stdout=0&stderr=false", "Bad parameters: you must choose at least one stream"),
            ("stdout=1&since=abc", "strconv.ParseInt: parsing \"abc\": invalid syntax"),
            ("stdout=1&until=abc", "strconv.ParseInt: parsing \"abc\": invalid syntax"),
        ] {
            let answer = server.get(&format!("/containers/nosuch/logs?{query}")).await;
            assert_eq!((answer.status, answer.message().as_str()), (400, message), "{query}");
        }
    }

    #[tokio::test]
    async fn a_container_that_never_ran_has_an_empty_log() {
        let server = Server::with_image().await;
        server.create("web").await;
        for (path, content_type) in [
            ("/containers/web/logs?stdout=1&follow=1", "application/vnd.docker.multiplexed-stream"),
            ("/v1.41/containers/web/logs?stdout=1&tail=abc", "application/vnd.docker.raw-stream"),
        ] {
            let answer = server.get(path).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, ""));
            assert_eq!(answer.headers["content-type"], content_type);
        }
    }
}
