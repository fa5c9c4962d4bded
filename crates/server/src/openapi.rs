//! The OpenAPI document, from the annotations of the routes. `api/openapi.json` is its committed copy.

use utoipa::OpenApi;

use crate::routes::{containers, images, system};

/// Collects the annotated routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Berth",
        description = "The Docker Engine API, versions 1.24 to 1.51, as Berth serves it. Every path also exists with \
                       the prefix /v1.NN.",
        license(name = "Apache-2.0")
    ),
    paths(
        system::ping::ping,
        system::ping::ping_head,
        system::version::version,
        system::info::info,
        system::events::events,
        system::plugins::plugins,
        containers::create::create,
        containers::list::list,
        containers::inspect::inspect,
        containers::start::start,
        containers::stop::stop,
        containers::restart::restart,
        containers::kill::kill,
        containers::wait::wait,
        containers::remove::remove,
        containers::rename::rename,
        containers::logs::logs,
        containers::attach::attach,
        containers::resize::resize,
        containers::prune::prune,
        images::create::create,
        images::load::load,
        images::list::list,
        images::inspect::inspect,
        images::history::history,
        images::tag::tag,
        images::remove::remove,
        images::prune::prune,
        images::bootstrap::bootstrap,
    )
)]
struct Document;

/// The document as pretty JSON with a final newline.
///
/// # Errors
/// Never in practice: the document is plain data.
pub fn openapi() -> serde_json::Result<String> {
    Ok(Document::openapi().to_pretty_json()? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The committed copy.
    const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../api/openapi.json");

    #[test]
    fn the_committed_document_is_the_generated_one() {
        let document = openapi().unwrap();
        if std::env::var_os("BERTH_WRITE_OPENAPI").is_some() {
            std::fs::write(COPY, &document).unwrap();
        }
        let copy = std::fs::read_to_string(COPY).unwrap_or_default();
        assert!(
            copy == document,
            "api/openapi.json is out of date; run the test again with BERTH_WRITE_OPENAPI=1 and commit the result"
        );
    }

    #[test]
    fn every_operation_has_a_success_and_a_summary() {
        let document: serde_json::Value = serde_json::from_str(&openapi().unwrap()).unwrap();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let responses = operation["responses"].as_object().unwrap();
                assert!(responses.keys().any(|code| code.starts_with('2')), "{method} {path}");
                assert!(operation["summary"].is_string() || method == "head", "{method} {path}");
            }
        }
    }

    #[test]
    fn documents_recorded_from_docker_fit_the_schemas() {
        let document: serde_json::Value = serde_json::from_str(&openapi().unwrap()).unwrap();
        let recorded = |name: &str| -> serde_json::Value {
            let path = format!("{}/../api-types/testdata/{name}.json", env!("CARGO_MANIFEST_DIR"));
            serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
        };
        for (name, schema) in [
            ("container-created", "ContainerInspect"),
            ("container-running", "ContainerInspect"),
            ("containers", "ContainerSummary"),
            ("image", "ImageInspect"),
            ("images", "ImageSummary"),
            ("history", "HistoryItem"),
            ("info", "Info"),
            ("version", "Version"),
        ] {
            let root = serde_json::json!({
                "$ref": format!("#/components/schemas/{schema}"),
                "components": document["components"],
            });
            let validator = jsonschema::validator_for(&root).unwrap();
            let value = recorded(name);
            for item in value.as_array().cloned().unwrap_or_else(|| vec![value]) {
                let errors: Vec<_> = validator
                    .iter_errors(&item)
                    .map(|error| format!("{}: {error}", error.instance_path()))
                    .collect();
                assert!(errors.is_empty(), "{name}: {errors:?}");
            }
        }
    }
}
