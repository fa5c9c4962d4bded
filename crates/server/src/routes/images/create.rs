//! `POST /images/create`: an image from a root filesystem archive in the request body (`fromSrc=-`).

use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use berth_api_types::error::ErrorMessage;
use berth_api_types::image::ProgressMessage;
use berth_engine::Engine;
use berth_engine::images::ImportOptions;
use http::{StatusCode, header};

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;
use crate::stream::json_line;
use crate::upload::Upload;

/// Imports an image.
#[utoipa::path(
    post,
    path = "/images/create",
    tag = "images",
    params(
        ("fromSrc" = Option<String>, Query, description = "Must be - (the request body)"),
        ("repo" = Option<String>, Query, description = "Name of the new image"),
        ("tag" = Option<String>, Query, description = "Its tag"),
        ("message" = Option<String>, Query, description = "Comment"),
        ("changes" = Option<Vec<String>>, Query, description = "Dockerfile instructions to apply"),
        ("platform" = Option<String>, Query, description = "Platform as os[/arch[/variant]]"),
    ),
    request_body(content = Vec<u8>, content_type = "application/x-tar"),
    responses(
        (status = 200, description = "The image ID as status line", body = ProgressMessage),
        (status = 400, description = "Bad parameter or archive", body = ErrorMessage),
        (status = 501, description = "Pulling is not offered", body = ErrorMessage),
    )
)]
pub(crate) async fn create(
    State(engine): State<Engine>,
    connection: Connection,
    params: Params,
    request: Request,
) -> Result<Response, ApiError> {
    if let Some(image) = params.text("fromImage") {
        let tag = params.text("tag").map(|tag| format!(":{tag}")).unwrap_or_default();
        return Err(ApiError::new(
            StatusCode::NOT_IMPLEMENTED,
            format!(
                "cannot pull {image}{tag}: this version of Berth does not pull from registries; import or load the image"
            ),
        ));
    }
    match params.text("fromSrc") {
        Some("-") => {}
        Some(url) => {
            return Err(ApiError::invalid(format!(
                "cannot import from {url}: only archives in the request body are accepted (fromSrc=-)"
            )));
        }
        None => return Err(ApiError::invalid("one of fromSrc and fromImage is required")),
    }
    let options = ImportOptions {
        repo: params.owned("repo"),
        tag: params.owned("tag"),
        message: params.owned("message"),
        changes: params.values("changes").filter(|change| !change.is_empty()).map(str::to_owned).collect(),
        platform: params.owned("platform"),
    };
    let upload = Upload::new(request.into_body());
    let result = engine.image_import(&connection.caller, upload.reader(), options).await;
    upload.finish().await;
    let line = json_line(&ProgressMessage::status(result?));
    Ok(([(header::CONTENT_TYPE, "application/json")], line).into_response())
}

#[cfg(test)]
mod tests {
    use crate::testing::{Server, tar};

    #[tokio::test]
    async fn an_archive_becomes_an_image() {
        let server = Server::start().await;
        let path = "/v1.41/images/create?fromSrc=-&repo=small&tag=v1&message=hello&changes=CMD%20%5B%22/x%22%5D&changes=ENV%20A=b";
        let answer = server.post_bytes(path, tar(&[("hello.txt", b"hi")])).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let id = answer.json()["status"].as_str().unwrap().to_owned();
        assert!(id.starts_with("sha256:"));
        let image = server.get("/images/small:v1/json").await.json();
        assert_eq!(image["Id"], id);
        assert_eq!(image["Comment"], "hello");
        assert_eq!((&image["Config"]["Cmd"][0], &image["Config"]["Env"][0]), (&"/x".into(), &"A=b".into()));
    }

    #[tokio::test]
    async fn what_cannot_be_had_is_refused_with_a_reason() {
        let server = Server::start().await;
        let answer = server.post("/images/create?fromImage=nosuch&tag=x").await;
        assert_eq!(answer.status, 501);
        assert!(answer.message().starts_with("cannot pull nosuch:x: "), "{}", answer.message());
        let answer = server.post("/images/create?fromSrc=http://127.0.0.1:1/x").await;
        assert_eq!(answer.status, 400);
        assert!(answer.message().starts_with("cannot import from http://127.0.0.1:1/x: "));
        assert_eq!(server.post("/images/create").await.status, 400);
    }

    #[tokio::test]
    async fn bad_archives_names_and_changes_are_refused() {
        let server = Server::start().await;
        for query in ["", "&repo=BAD", "&changes=BOGUS", "&changes=RUN%20x"] {
            let answer =
                server.post_bytes(&format!("/images/create?fromSrc=-{query}"), b"garbage".to_vec()).await;
            assert_eq!(answer.status, 400, "{query}: {}", answer.text());
        }
        assert_eq!(server.get("/images/json").await.text(), "[]");
    }
}
