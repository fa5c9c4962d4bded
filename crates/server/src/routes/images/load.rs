//! `POST /images/load`: images from a docker archive or an OCI layout in the request body.

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use berth_api_types::image::ProgressMessage;
use berth_engine::Engine;
use berth_engine::images::Loaded;
use bytes::BytesMut;
use http::header;

use crate::error::chain;
use crate::peer::Connection;
use crate::stream::json_line;
use crate::upload::Upload;

/// Loads images. The status is 200 even for a broken archive: Docker's clients read the error from the body.
#[utoipa::path(
    post,
    path = "/images/load",
    tag = "images",
    params(("quiet" = Option<bool>, Query, description = "No progress; there is none anyway")),
    request_body(content = Vec<u8>, content_type = "application/x-tar"),
    responses((status = 200, description = "One document a line: an image each, or the error", body = ProgressMessage))
)]
pub(crate) async fn load(State(engine): State<Engine>, connection: Connection, request: Request) -> Response {
    let upload = Upload::new(request.into_body());
    let result = engine.image_load(&connection.caller, upload.reader()).await;
    upload.finish().await;
    let mut lines = BytesMut::new();
    match result {
        Ok(images) => images.iter().for_each(|image| lines.extend_from_slice(&json_line(&announce(image)))),
        Err(error) => lines.extend_from_slice(&json_line(&ProgressMessage::failure(chain(&error)))),
    }
    ([(header::CONTENT_TYPE, "application/json")], lines.freeze()).into_response()
}

/// The line that clients show for an image.
fn announce(image: &Loaded) -> ProgressMessage {
    ProgressMessage::stream(match &image.name {
        Some(name) => format!("Loaded image: {name}\n"),
        None => format!("Loaded image ID: {}\n", image.id),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[test]
    fn images_are_announced_by_name_or_id() {
        let named = Loaded { name: Some("busybox:latest".into()), id: "sha256:1".into() };
        assert_eq!(announce(&named).stream, "Loaded image: busybox:latest\n");
        let nameless = Loaded { name: None, ..named };
        assert_eq!(announce(&nameless).stream, "Loaded image ID: sha256:1\n");
    }

    #[tokio::test]
    async fn a_broken_archive_is_told_in_the_body() {
        let server = Server::start().await;
        for body in [b"garbage".to_vec(), vec![]] {
            let answer = server.post_bytes("/images/load", body).await;
            assert_eq!(answer.status, 200);
            let document = answer.json();
            assert_eq!(document["error"], document["errorDetail"]["message"]);
            assert!(!document["error"].as_str().unwrap().is_empty());
        }
    }
}
