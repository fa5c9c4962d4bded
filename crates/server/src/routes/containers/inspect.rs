//! `GET /containers/{name}/json`: everything about one container.

use axum::Json;
use axum::extract::{Path, State};
use berth_api_types::container::ContainerInspect;
use berth_api_types::error::ErrorMessage;
use berth_engine::Engine;

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;

/// The complete document of a container.
#[utoipa::path(
    get,
    path = "/containers/{name}/json",
    tag = "containers",
    params(
        ("name" = String, Path, description = "Name, ID or unique prefix"),
        ("size" = Option<bool>, Query, description = "Compute sizes"),
    ),
    responses(
        (status = 200, description = "The container", body = ContainerInspect),
        (status = 404, description = "No such container", body = ErrorMessage),
    )
)]
pub(crate) async fn inspect(
    State(engine): State<Engine>,
    connection: Connection,
    Path(name): Path<String>,
    params: Params,
) -> Result<Json<ContainerInspect>, ApiError> {
    Ok(Json(engine.container_inspect(&connection.caller, &name, params.flag("size")).await?))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::testing::Server;

    #[tokio::test]
    async fn an_unknown_container_is_not_found() {
        let server = Server::start().await;
        for path in ["/containers/nosuch/json", "/v1.30/containers/nosuch/json"] {
            let answer = server.get(path).await;
            assert_eq!((answer.status, answer.message().as_str()), (404, "No such container: nosuch"));
        }
        assert_eq!(server.get("/containers/nosuch/json/").await.message(), "page not found");
    }

    /// Paths of the recorded document that ours lacks, or where ours has another kind of value.
    fn missing(path: &str, recorded: &Value, ours: &Value, out: &mut Vec<String>) {
        match (recorded, ours) {
            (Value::Object(recorded), Value::Object(_)) => {
                for (key, value) in recorded {
                    missing(
                        &format!("{path}.{key}"),
                        value,
                        ours.get(key).unwrap_or(&Value::String("?".into())),
                        out,
                    );
                }
            }
            _ if std::mem::discriminant(recorded) == std::mem::discriminant(ours) => {}
            _ => out.push(path.to_owned()),
        }
    }

    #[tokio::test]
    async fn a_new_container_looks_as_docker_shows_it() {
        let server = Server::with_image().await;
        let id = server.create("web").await;
        let ours = server.get("/containers/web/json").await.json();
        assert_eq!((&ours["Id"], &ours["Name"]), (&id.as_str().into(), &"/web".into()));
        assert_eq!(ours["Config"]["Hostname"], id[..12]);
        let recorded = include_str!("../../../../api-types/testdata/container-created.json");
        let mut out = Vec::new();
        missing("", &serde_json::from_str(recorded).unwrap(), &ours, &mut out);
        // Null where the kernel cannot do it, which depends on the machine.
        out.retain(|path| path != ".HostConfig.OomKillDisable");
        // Newer daemons leave these out.
        assert_eq!(out, [".HostConfig.KernelMemory", ".HostConfig.KernelMemoryTCP"]);
        assert!(ours.get("SizeRw").is_none());
        let sized = server.get(&format!("/containers/{}/json?size=1", &id[..10])).await.json();
        assert!(sized["SizeRw"].is_number() && sized["SizeRootFs"].is_number());
    }
}
