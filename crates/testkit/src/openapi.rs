//! The OpenAPI document as a judge of answers.
//!
//! Finds the operation a request belongs to and validates the JSON it got against that operation's schema
//! for the status. A success the document does not describe is a failure: the document is generated from the
//! code, so a gap in it is a bug. Errors that an operation does not list are held against Docker's one error
//! shape, `{"message": "…"}`.

use std::{
    collections::HashMap,
    path::Path,
    sync::{Arc, Mutex},
};

use http::Method;
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::Response;

/// The loaded document.
#[derive(Debug)]
pub struct Document {
    root: Value,
    routes: Vec<Route>,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

#[derive(Debug)]
struct Route {
    method: String,
    template: String,
    segments: Vec<String>,
}

impl Document {
    /// Reads the document; panics with the path where it is missing or not JSON.
    pub fn load(path: &Path) -> Document {
        let text = std::fs::read(path).unwrap_or_else(|error| {
            panic!("{} is needed to validate answers: {error}; run `make openapi`", path.display())
        });
        Document::from_value(serde_json::from_slice(&text).expect("the OpenAPI document is JSON"))
    }

    fn from_value(root: Value) -> Document {
        let mut routes = Vec::new();
        for (template, operations) in root["paths"].as_object().into_iter().flatten() {
            for method in operations.as_object().into_iter().flat_map(|map| map.keys()) {
                let segments = template.trim_matches('/').split('/').map(str::to_owned).collect();
                routes.push(Route { method: method.to_uppercase(), template: template.clone(), segments });
            }
        }
        // Literal segments win over parameters: `/containers/json` is not a container called "json".
        routes.sort_by_key(|route| route.segments.iter().filter(|part| part.starts_with('{')).count());
        Document { root, routes, validators: Mutex::new(HashMap::new()) }
    }

    /// Every documented operation as (method, path template).
    pub fn operations(&self) -> Vec<(&str, &str)> {
        self.routes.iter().map(|route| (route.method.as_str(), route.template.as_str())).collect()
    }

    /// Judges one answer.
    pub fn check(&self, method: &Method, path: &str, response: &Response) -> Result<(), String> {
        let json = response.header("content-type").starts_with("application/json");
        if !json || response.body.is_empty() {
            return Ok(());
        }
        let schema = match (self.schema_for(method.as_str(), path, response.status), response.status) {
            (Some(schema), _) => schema,
            (None, 400..) => json!({
                "type": "object", "required": ["message"], "properties": {"message": {"type": "string"}},
            }),
            (None, _) => return Err("the OpenAPI document does not describe this answer".to_owned()),
        };
        let validator = self.validator(&schema)?;
        for value in serde_json::Deserializer::from_slice(&response.body).into_iter::<Value>() {
            let value = value.map_err(|error| format!("the body is not JSON: {error}"))?;
            let problems: Vec<String> = validator
                .iter_errors(&value)
                .take(5)
                .map(|error| format!("{} at {}", error, error.instance_path()))
                .collect();
            if !problems.is_empty() {
                return Err(format!("not what the OpenAPI document says: {}", problems.join("; ")));
            }
        }
        Ok(())
    }

    fn schema_for(&self, method: &str, path: &str, status: u16) -> Option<Value> {
        let path = strip_version(path.split('?').next().unwrap_or(path));
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let route =
            self.routes.iter().find(|route| route.method == method && matches(&route.segments, &parts))?;
        let responses = &self.root["paths"][&route.template][method.to_lowercase()]["responses"];
        let response = responses.get(status.to_string()).or_else(|| responses.get("default"))?;
        let response = match response["$ref"].as_str() {
            Some(reference) => self.root.pointer(reference.trim_start_matches('#'))?,
            None => response,
        };
        response["content"]["application/json"].get("schema").cloned()
    }

    fn validator(&self, schema: &Value) -> Result<Arc<Validator>, String> {
        let key = schema.to_string();
        let mut cache = self.validators.lock().expect("no test panics while it holds this");
        if let Some(found) = cache.get(&key) {
            return Ok(found.clone());
        }
        // References in the document start at its root, so the schema is judged with the components around it.
        let whole = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "allOf": [schema],
            "components": self.root["components"],
        });
        let built =
            jsonschema::validator_for(&whole).map_err(|error| format!("the schema is broken: {error}"))?;
        let built = Arc::new(built);
        cache.insert(key, built.clone());
        Ok(built)
    }
}

/// Drops `/v1.41` from the front.
fn strip_version(path: &str) -> &str {
    match path.strip_prefix("/v").and_then(|rest| rest.split_once('/').map(|(version, _)| version)) {
        Some(version) if version.starts_with(|c: char| c.is_ascii_digit()) => &path[2 + version.len()..],
        _ => path,
    }
}

/// A parameter stands for one segment or, for image names, several.
fn matches(template: &[String], path: &[&str]) -> bool {
    match (template.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((head, rest)), Some(_)) if head.starts_with('{') => {
            (1..=path.len()).any(|taken| matches(rest, &path[taken..]))
        }
        (Some((head, rest)), Some((part, others))) => head == part && matches(rest, others),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn document() -> Document {
        Document::from_value(json!({
            "paths": {
                "/containers/{id}": {"get": {"responses": {"200": {"description": "wrong one"}}}},
                "/containers/json": {"get": {"responses": {"200": {"content": {"application/json": {"schema":
                    {"type": "array", "items": {"$ref": "#/components/schemas/Summary"}}}}}}}},
                "/images/{name}/json": {"get": {"responses": {"200": {"content": {"application/json": {"schema":
                    {"$ref": "#/components/schemas/Summary"}}}}}}},
            },
            "components": {"schemas": {"Summary": {
                "type": "object", "required": ["Id"], "properties": {"Id": {"type": "string"}}}}},
        }))
    }

    fn answer(status: u16, body: &str) -> Response {
        let mut headers = http::HeaderMap::new();
        headers.insert("content-type", "application/json".parse().unwrap());
        Response { request: String::new(), status, headers, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn an_answer_is_judged_by_the_schema_of_its_operation() {
        let document = document();
        let check = |path, body| document.check(&Method::GET, path, &answer(200, body));
        assert_eq!(check("/v1.41/containers/json?all=1", r#"[{"Id":"x"}]"#), Ok(()));
        assert!(check("/containers/json", r#"[{"Id":7}]"#).unwrap_err().contains("/0/Id"));
        assert_eq!(check("/images/a/b/c:tag/json", r#"{"Id":"x"}"#), Ok(()));
        assert!(check("/images/a/json", "{}").is_err());
    }

    #[test]
    fn an_undocumented_success_is_a_failure_and_an_undocumented_error_needs_a_message() {
        let document = document();
        let check = |status, body| document.check(&Method::GET, "/nosuch", &answer(status, body));
        assert!(check(200, "{}").is_err());
        assert_eq!(check(404, r#"{"message":"page not found"}"#), Ok(()));
        assert!(check(404, r#"{"error":"page not found"}"#).is_err());
    }
}
