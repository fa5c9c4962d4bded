//! `berthd`, the Berth daemon: configuration, wiring and signals. What it does is in the engine; how it is asked
//! is in the server.

mod config;
mod listen;
mod shim;

use std::process::ExitCode;

use berth_engine::Engine;
use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use config::{Flags, LogFormat, Settings};

/// Why the daemon did not start, or ended with an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] config::ConfigError),
    /// A socket could not be opened.
    #[error(transparent)]
    Listen(#[from] listen::ListenError),
    /// The engine could not be opened.
    #[error("{0}")]
    Engine(#[from] berth_engine::Error),
    /// The runtime or its signals could not be set up.
    #[error("starting: {0}")]
    Runtime(#[from] std::io::Error),
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    match Settings::load(&flags).map_err(Error::from).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("berthd: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(mut settings: Settings) -> Result<(), Error> {
    start_logging(&settings);
    settings.engine.open_files = raise_descriptor_limit();
    // What containers see of the files made for them must not depend on the shell this was started from.
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o022));
    // Two workers serve a host with many cores as well: the work is in the shims and in the kernel.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4)))
        .max_blocking_threads(64)
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .enable_all()
        .build()?;
    let served = runtime.block_on(serve(settings));
    // Work that still blocks (a disk that hangs) must not keep the process alive.
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    served
}

async fn serve(settings: Settings) -> Result<(), Error> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    listen::check(&settings.hosts)?;
    // Opened before the sockets: a client that can connect finds everything in order.
    let engine = Engine::open(settings.engine.clone()).await?;
    let sockets = match listen::open(&settings.hosts, settings.group.as_deref()).await {
        Ok(sockets) => sockets,
        Err(error) => {
            engine.close().await;
            return Err(error.into());
        }
    };
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        id = engine.short_id(),
        data_root = %settings.engine.data_root.display(),
        hosts = ?settings.hosts,
        "ready"
    );
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "systemd was not told that the daemon is ready");
    }
    let shutdown = CancellationToken::new();
    let (listeners, files) = sockets;
    let served =
        tokio::spawn(berth_server::serve(listeners, berth_server::router(engine.clone()), shutdown.clone()));
    tokio::select! {
        _ = terminate.recv() => tracing::info!("asked to stop; containers go on"),
        _ = interrupt.recv() => tracing::info!("interrupted; containers go on"),
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    // No new clients; streams end; requests under way finish.
    shutdown.cancel();
    drop(files);
    engine.begin_shutdown();
    if let Err(error) = served.await {
        tracing::error!(%error, "the server ended badly");
    }
    engine.close().await;
    tracing::info!("stopped");
    Ok(())
}

/// Each client and each running container holds a few descriptors; the usual soft limit of 1024 is for programs
/// that use select(2). Containers get the limits that were found, which are returned.
fn raise_descriptor_limit() -> Option<(u64, u64)> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let raised = getrlimit(Resource::RLIMIT_NOFILE)
        .and_then(|(soft, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard).map(|()| (soft, hard)));
    raised.inspect_err(|error| tracing::warn!(%error, "the limit of open files stays as it is")).ok()
}

fn start_logging(settings: &Settings) {
    let filter =
        EnvFilter::try_from_env("BERTH_LOG").unwrap_or_else(|_| EnvFilter::new(settings.log_level.filter()));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false);
    match settings.log_format {
        LogFormat::Text => builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).init(),
        LogFormat::Json => builder.json().init(),
    }
}
