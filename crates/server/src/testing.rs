//! An engine on a temporary root behind the router, asked in process. It has no shim, so nothing can be started.

use axum::Router;
use axum::body::Body;
use berth_engine::{Caller, Config, Engine};
use bytes::Bytes;
use http::{HeaderMap, Request, Response, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tempfile::TempDir;
use tower::ServiceExt;

use crate::peer::Connection;

/// A server that exists only in this test.
pub(crate) struct Server {
    router: Router,
    short_id: String,
    _root: TempDir,
}

impl Drop for Server {
    /// The engine's control groups are the one thing outside its temporary root.
    fn drop(&mut self) {
        let name = format!("berth-{}", self.short_id);
        let hierarchies = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
        for hierarchy in hierarchies.map(|entry| entry.path()).chain(["/sys/fs/cgroup".into()]) {
            // Most of these are not there; those that are must be empty.
            _ = std::fs::remove_dir(hierarchy.join(&name));
        }
    }
}

/// A response, read to its end.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    /// The reason in an error body.
    pub(crate) fn message(&self) -> String {
        self.json()["message"].as_str().unwrap_or_else(|| panic!("no message: {}", self.text())).to_owned()
    }
}

impl Server {
    /// A server without images.
    pub(crate) async fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        let shim = root.path().join("shim");
        std::fs::write(&shim, "never run").unwrap();
        let mut config = Config::new(root.path().join("data"), root.path().join("run"), shim);
        config.id_claims = root.path().join("ids");
        let engine = Engine::open(config).await.unwrap();
        let short_id = engine.short_id().to_owned();
        Server { router: crate::router(engine), short_id, _root: root }
    }

    /// A server with a small `busybox:latest` whose command is `sh`.
    pub(crate) async fn with_image() -> Self {
        let server = Server::start().await;
        let path = "/images/create?fromSrc=-&repo=busybox&tag=latest&changes=CMD%20%5B%22sh%22%5D";
        let answer = server.post_bytes(path, tar(&[("bin/sh", b"#!")])).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        server
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path).await
    }

    pub(crate) async fn post(&self, path: &str) -> Answer {
        self.ask("POST", path).await
    }

    pub(crate) async fn ask(&self, method: &str, path: &str) -> Answer {
        self.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post_json(&self, path: &str, body: &str) -> Answer {
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::CONTENT_LENGTH, body.len())
            .body(Body::from(body.to_owned()));
        self.send(request.unwrap()).await
    }

    pub(crate) async fn post_bytes(&self, path: &str, body: Vec<u8>) -> Answer {
        let request =
            Request::post(path).header(header::CONTENT_TYPE, "application/x-tar").body(Body::from(body));
        self.send(request.unwrap()).await
    }

    /// Creates a container of `busybox:latest`; its ID.
    pub(crate) async fn create(&self, name: &str) -> String {
        let answer =
            self.post_json(&format!("/containers/create?name={name}"), "{\"Image\":\"busybox\"}").await;
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["Id"].as_str().unwrap().to_owned()
    }

    /// A response whose body is not read yet.
    pub(crate) async fn open(&self, mut request: Request<Body>) -> Response<Body> {
        request.extensions_mut().insert(Connection::local(Caller::Engine));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.open(request).await.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer { status: parts.status.as_u16(), headers: parts.headers, bytes }
    }
}

/// A tar archive of small files.
pub(crate) fn tar(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o755);
        builder.append_data(&mut header, path, *content).unwrap();
    }
    builder.into_inner().unwrap()
}
