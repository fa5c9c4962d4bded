//! `POST /containers/create`: a new container from an image.

use axum::Json;
use axum::extract::{Request, State};
use berth_api_types::container::{ContainerConfig, CreateRequest, CreateResponse};
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;
use http::StatusCode;

use crate::error::ApiError;
use crate::json;
use crate::params::Params;
use crate::peer::Connection;
use crate::routes::to_the_end;

/// Creates a container; it does not run yet.
#[utoipa::path(
    post,
    path = "/containers/create",
    tag = "containers",
    params(
        ("name" = Option<String>, Query, description = "Name; a random one if absent"),
        ("platform" = Option<String>, Query, description = "Platform the image must have, as os[/arch[/variant]]"),
    ),
    request_body = CreateRequest,
    responses(
        (status = 201, description = "Created", body = CreateResponse),
        (status = 400, description = "Bad request", body = ErrorMessage),
        (status = 404, description = "No such image", body = ErrorMessage),
        (status = 409, description = "The name is taken", body = ErrorMessage),
    )
)]
pub(crate) async fn create(
    State(engine): State<Engine>,
    connection: Connection,
    params: Params,
    request: Request,
) -> Result<(StatusCode, Json<CreateResponse>), ApiError> {
    let request = decode(&json::body(request).await?)?;
    if request.config == ContainerConfig::default() {
        return Err(ApiError::invalid("config cannot be empty in order to create a container"));
    }
    let (name, platform) = (params.owned("name"), params.owned("platform"));
    let created =
        to_the_end(async move { engine.container_create(&connection.caller, name, platform, request).await })
            .await?;
    Ok((StatusCode::CREATED, Json(created)))
}

/// Decodes the body. The inlined part does not know its field names when it fails, so it is asked once more alone.
fn decode(bytes: &[u8]) -> Result<CreateRequest, ApiError> {
    const FIELD: &str = "Go struct field ";
    json::decode::<CreateRequest>(bytes).map_err(|whole| {
        let part = json::decode::<ContainerConfig>(bytes).err();
        let error = part.filter(|part| part.message.contains(FIELD)).unwrap_or(whole);
        let message = error.message.replace(FIELD, &format!("{FIELD}ContainerConfigWrapper."));
        ApiError {
            message: message.replace("struct CreateRequest", "runconfig.ContainerConfigWrapper"),
            ..error
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Server;

    #[test]
    fn wrong_types_name_their_field() {
        let refusal = |text: &str| decode(text.as_bytes()).unwrap_err().message;
        let prefix = "invalid JSON: json: cannot unmarshal";
        assert_eq!(
            refusal("{\"Image\":5}"),
            format!("{prefix} number into Go struct field ContainerConfigWrapper.Image of type string")
        );
        assert_eq!(
            refusal("{\"Image\":\"busybox\",\"HostConfig\":{\"Memory\":\"x\"}}"),
            format!(
                "{prefix} string into Go struct field ContainerConfigWrapper.HostConfig.Memory of type int64"
            )
        );
        assert_eq!(
            refusal("[]"),
            format!("{prefix} array into Go value of type runconfig.ContainerConfigWrapper")
        );
    }

    #[tokio::test]
    async fn bad_bodies_get_dockers_words() {
        let server = Server::start().await;
        for (body, message) in [
            ("{bad", "invalid JSON: invalid character 'b' looking for beginning of object key string"),
            ("", "invalid JSON: got EOF while reading request body"),
            ("{\"Image\":\"busybox\"} x", "unexpected content after JSON"),
            ("{}", "config cannot be empty in order to create a container"),
            ("null", "config cannot be empty in order to create a container"),
        ] {
            let answer = server.post_json("/containers/create", body).await;
            assert_eq!((answer.status, answer.message().as_str()), (400, message), "{body}");
        }
    }

    #[tokio::test]
    async fn a_huge_body_is_refused_by_its_size() {
        let server = Server::start().await;
        let body = format!("{{\"Image\":\"busybox\",\"Labels\":{{\"a\":\"{}\"}}}}", "x".repeat(17 << 20));
        let answer = server.post_json("/containers/create", &body).await;
        assert_eq!((answer.status, answer.message().as_str()), (413, "request body is larger than 16 MiB"));
    }

    #[tokio::test]
    async fn unknown_images_and_bad_names_are_refused() {
        let server = Server::start().await;
        let answer = server.post_json("/containers/create", "{\"Image\":\"nosuch\"}").await;
        assert_eq!((answer.status, answer.message().as_str()), (404, "No such image: nosuch:latest"));
        let answer = server.post_json("/containers/create?name=a%20b", "{\"Image\":\"nosuch\"}").await;
        assert_eq!(answer.status, 400);
        assert!(
            answer
                .message()
                .contains("Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed")
        );
    }

    #[tokio::test]
    async fn a_created_container_has_an_id_and_no_warnings() {
        let server = Server::with_image().await;
        let answer = server.post_json("/v1.24/containers/create?name=web", "{\"Image\":\"busybox\"}").await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        let document = answer.json();
        let id = document["Id"].as_str().unwrap();
        assert!(id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
        assert!(document["Warnings"].is_array());
        let answer = server.post_json("/containers/create?name=web", "{\"Image\":\"busybox\"}").await;
        assert_eq!(answer.status, 409);
        assert_eq!(
            answer.message(),
            format!(
                "Conflict. The container name \"/web\" is already in use by container \"{id}\". You have to remove (or \
                 rename) that container to be able to reuse that name."
            )
        );
    }

    #[tokio::test]
    async fn bad_limits_and_modes_leave_nothing_behind() {
        let server = Server::with_image().await;
        for (host_config, status, reason) in [
            ("{\"Memory\":-1}", 400, "Minimum memory limit allowed is 6MB"),
            ("{\"Memory\":1000}", 400, "Minimum memory limit allowed is 6MB"),
            ("{\"CgroupnsMode\":\"bogus\"}", 400, "invalid cgroup namespace mode: bogus"),
            ("{\"RestartPolicy\":{\"Name\":\"bogus\"}}", 400, "bogus"),
            ("{\"CapAdd\":[\"BOGUS\"]}", 400, "unknown capability: \"CAP_BOGUS\""),
        ] {
            let body = format!("{{\"Image\":\"busybox\",\"HostConfig\":{host_config}}}");
            let answer = server.post_json("/containers/create", &body).await;
            assert_eq!(answer.status, status, "{host_config}: {}", answer.text());
            assert!(answer.message().contains(reason), "{host_config}: {}", answer.message());
        }
        assert_eq!(server.get("/containers/json?all=1").await.text(), "[]");
    }
}
