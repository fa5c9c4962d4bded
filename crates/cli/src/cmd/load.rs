//! `berth load`.

use std::path::Path;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::client::query::Target;
use crate::client::{Body, Client};
use crate::error::{CliError, Result};
use crate::progress::{Show, show};
use crate::terminal;

/// Flags of `load`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Read from tar archive file, instead of STDIN
    #[arg(short, long, value_name = "string")]
    pub input: Option<String>,
    /// Suppress the load output
    #[arg(short, long)]
    pub quiet: bool,
}

/// Loads an image archive and prints what it contained.
pub async fn load(client: &Client, args: Args) -> Result<u8> {
    if args.input.is_none() && terminal::stdin_is_terminal() {
        return Err(CliError::options("requested load from stdin, but stdin is empty"));
    }
    let body = stdin_or_file(args.input.as_deref()).await?;
    let target = Target::new("/images/load").with_flag("quiet", args.quiet).done();
    let response = client.send(http::Method::POST, &target, Some("application/x-tar"), body).await?;
    show(response.into_body(), "load", Show::Stdout).await?;
    Ok(0)
}

/// A request body that streams a file, or standard input.
pub async fn stdin_or_file(path: Option<&str>) -> Result<Body> {
    Ok(match path {
        None => streamed(tokio::io::stdin()),
        Some(path) => {
            let path = Path::new(path);
            let fail = |source| CliError::File { path: path.into(), source };
            let file = tokio::fs::File::open(path).await.map_err(fail)?;
            if file.metadata().await.map_err(fail)?.is_dir() {
                return Err(fail(std::io::Error::from_raw_os_error(rustix::io::Errno::ISDIR.raw_os_error())));
            }
            streamed(file)
        }
    })
}

fn streamed(reader: impl AsyncRead + Send + Sync + Unpin + 'static) -> Body {
    let chunks = futures_util::stream::try_unfold(reader, |mut reader| async move {
        let mut buffer = Vec::with_capacity(64 * 1024);
        let count = reader.read_buf(&mut buffer).await?;
        Ok::<_, std::io::Error>(if count == 0 {
            None
        } else {
            Some((Frame::data(Bytes::from(buffer)), reader))
        })
    });
    BodyExt::boxed(StreamBody::new(chunks))
}
