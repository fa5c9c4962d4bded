//! `GET /containers/json`: the list of containers.

use axum::Json;
use axum::extract::State;
use berth_api_types::container::ContainerSummary;
use berth_api_types::error::ErrorMessage;
use berth_engine::{Engine, ListOptions};

use crate::error::ApiError;
use crate::params::Params;
use crate::peer::Connection;

/// Lists containers, newest first; running ones only unless asked otherwise.
#[utoipa::path(
    get,
    path = "/containers/json",
    tag = "containers",
    params(
        ("all" = Option<bool>, Query, description = "Include those that do not run"),
        ("limit" = Option<i64>, Query, description = "The newest so many, running or not"),
        ("size" = Option<bool>, Query, description = "Compute sizes"),
        ("filters" = Option<String>, Query, description = "id, name, label, status, exited, ancestor, … as JSON"),
    ),
    responses(
        (status = 200, description = "Containers", body = Vec<ContainerSummary>),
        (status = 400, description = "Bad parameter", body = ErrorMessage),
    )
)]
pub(crate) async fn list(
    State(engine): State<Engine>,
    connection: Connection,
    params: Params,
) -> Result<Json<Vec<ContainerSummary>>, ApiError> {
    let options = ListOptions {
        all: params.flag("all"),
        limit: params.int("limit")?.filter(|limit| *limit > 0),
        size: params.flag("size"),
        filters: params.filters()?,
    };
    Ok(Json(engine.container_list(&connection.caller, options).await?))
}

#[cfg(test)]
mod tests {
    use crate::testing::Server;

    #[tokio::test]
    async fn an_empty_list_is_a_list() {
        let server = Server::start().await;
        assert_eq!(server.get("/containers/json").await.text(), "[]");
        assert_eq!(server.get("/v1.24/containers/json?all=1&limit=-1&size=1").await.text(), "[]");
    }

    #[tokio::test]
    async fn bad_parameters_are_refused() {
        let server = Server::start().await;
        for (query, message) in [
            ("limit=abc", "strconv.Atoi: parsing \"abc\": invalid syntax"),
            ("filters=bogus", "invalid filter"),
            ("filters=%5B%5D", "invalid filter"),
            ("filters=%7B%22bogus%22:%5B%22x%22%5D%7D", "invalid filter 'bogus'"),
        ] {
            let answer = server.get(&format!("/containers/json?{query}")).await;
            assert_eq!((answer.status, answer.message().as_str()), (400, message), "{query}");
        }
    }

    #[tokio::test]
    async fn containers_that_do_not_run_are_listed_on_request() {
        let server = Server::with_image().await;
        let id = server.create("web").await;
        assert_eq!(server.get("/containers/json").await.text(), "[]");
        let list = server.get("/containers/json?all=1").await.json();
        assert_eq!((&list[0]["Id"], &list[0]["Names"][0]), (&id.into(), &"/web".into()));
        assert_eq!((&list[0]["State"], &list[0]["Status"]), (&"created".into(), &"Created".into()));
        assert_eq!(server.get("/containers/json?limit=1").await.json().as_array().unwrap().len(), 1);
        let filtered = server.get("/containers/json?all=1&filters=%7B%22name%22:%5B%22other%22%5D%7D").await;
        assert_eq!(filtered.text(), "[]");
    }
}
