//! `berth info`.

use crate::client::Client;
use crate::error::{CliError, Result};
use crate::format::units;
use crate::json::Doc;
use crate::out;
use crate::template::{Mode, Template, TemplateError, Value};

/// Flags of `info`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Format output: 'json' or a Go template
    #[arg(short, long, value_name = "string")]
    pub format: Option<String>,
}

/// Prints what the daemon says about itself and its host.
pub async fn info(client: &Client, args: Args) -> Result<u8> {
    let failed = |prefix: &'static str, code: u8| {
        move |e: TemplateError| CliError::Template { text: format!("{prefix}{e}"), code }
    };
    let template = match args.format.as_deref().unwrap_or("") {
        "" => None,
        "json" => Some("{{json .}}"),
        text => Some(text),
    };
    let template = template
        .map(|text| Template::parse("", text))
        .transpose()
        .map_err(failed("template parsing error: ", 64))?;
    let mut info = client.get("/info").await?;
    if let Doc::Object(members) = &mut info {
        members.push(("ClientInfo".into(), super::version::client_info("1.51")));
    }
    match template {
        Some(template) => {
            let text = template.execute(&Value::from(info), Mode::Typed("system.dockerInfo"));
            // The line is ended even when the template failed in the middle of it.
            out::line(text.as_deref().unwrap_or_default())?;
            text.map_err(failed("", 1))?;
        }
        None => {
            out::print(&text(&info))?;
            for warning in info.texts("Warnings") {
                out::warn(warning);
            }
        }
    }
    Ok(0)
}

fn text(info: &Doc) -> String {
    let mut lines = vec!["Client:".to_owned(), format!(" Version:    {}", env!("CARGO_PKG_VERSION"))];
    lines.extend([
        " Context:    default".into(),
        " Debug Mode: false".into(),
        String::new(),
        "Server:".into(),
    ]);
    let int = |key: &str| info.int(key);
    lines.push(format!(" Containers: {}", int("Containers")));
    for (label, key) in
        [("Running", "ContainersRunning"), ("Paused", "ContainersPaused"), ("Stopped", "ContainersStopped")]
    {
        lines.push(format!("  {label}: {}", int(key)));
    }
    lines.push(format!(" Images: {}", int("Images")));
    let text = |lines: &mut Vec<String>, label: &str, key: &str| {
        if !info.text(key).is_empty() {
            lines.push(format!(" {label}: {}", info.text(key)));
        }
    };
    text(&mut lines, "Server Version", "ServerVersion");
    text(&mut lines, "Storage Driver", "Driver");
    for pair in info.list("DriverStatus") {
        if let [key, value] = pair.items() {
            lines.push(format!("  {}: {}", key.as_str().unwrap_or(""), value.as_str().unwrap_or("")));
        }
    }
    text(&mut lines, "Logging Driver", "LoggingDriver");
    text(&mut lines, "Cgroup Driver", "CgroupDriver");
    text(&mut lines, "Cgroup Version", "CgroupVersion");
    let plugins = info.get("Plugins").cloned().unwrap_or_default();
    lines.push(" Plugins:".into());
    for (label, key) in
        [("Volume", "Volume"), ("Network", "Network"), ("Authorization", "Authorization"), ("Log", "Log")]
    {
        let names = plugins.texts(key);
        if !names.is_empty() || matches!(key, "Volume" | "Network" | "Log") {
            lines.push(format!("  {label}: {}", names.join(" ")));
        }
    }
    if let Some(swarm) = info.at(&["Swarm", "LocalNodeState"]).and_then(Doc::as_str) {
        lines.push(format!(" Swarm: {swarm}"));
    }
    engine(info, &mut lines);
    host(info, &mut lines);
    lines.push(String::new());
    lines.join("\n") + "\n"
}

/// Runtimes and security.
fn engine(info: &Doc, lines: &mut Vec<String>) {
    let mut runtimes: Vec<&str> =
        info.get("Runtimes").map_or(&[][..], Doc::members).iter().map(|(name, _)| name.as_str()).collect();
    runtimes.sort_unstable();
    if !runtimes.is_empty() {
        lines.push(format!(" Runtimes: {}", runtimes.join(" ")));
        lines.push(format!(" Default Runtime: {}", info.text("DefaultRuntime")));
    }
    if !info.text("InitBinary").is_empty() {
        lines.push(format!(" Init Binary: {}", info.text("InitBinary")));
    }
    for (label, key) in [("containerd", "ContainerdCommit"), ("runc", "RuncCommit"), ("init", "InitCommit")] {
        if let Some(id) = info.at(&[key, "ID"]).and_then(Doc::as_str) {
            lines.push(format!(" {label} version: {id}"));
        }
    }
    let options = info.texts("SecurityOptions");
    if !options.is_empty() {
        lines.push(" Security Options:".into());
    }
    for option in options {
        for field in option.split(',') {
            match field.split_once('=') {
                Some(("name", name)) => lines.push(format!("  {name}")),
                Some(("profile", profile)) => lines.push(format!("   Profile: {profile}")),
                Some((key, value)) => lines.push(format!("   {key}: {value}")),
                None => lines.push(format!("  {field}")),
            }
        }
    }
}

/// The machine and the daemon's settings.
fn host(info: &Doc, lines: &mut Vec<String>) {
    for (label, key) in [
        ("Kernel Version", "KernelVersion"),
        ("Operating System", "OperatingSystem"),
        ("OSType", "OSType"),
        ("Architecture", "Architecture"),
    ] {
        if !info.text(key).is_empty() {
            lines.push(format!(" {label}: {}", info.text(key)));
        }
    }
    lines.push(format!(" CPUs: {}", info.int("NCPU")));
    lines.push(format!(" Total Memory: {}", units::memory(info.int("MemTotal"))));
    lines.push(format!(" Name: {}", info.text("Name")));
    lines.push(format!(" ID: {}", info.text("ID")));
    lines.push(format!(" Docker Root Dir: {}", info.text("DockerRootDir")));
    lines.push(format!(" Debug Mode: {}", info.flag("Debug")));
    for (label, key) in [("HTTP Proxy", "HttpProxy"), ("HTTPS Proxy", "HttpsProxy"), ("No Proxy", "NoProxy")]
    {
        if !info.text(key).is_empty() {
            lines.push(format!(" {label}: {}", info.text(key)));
        }
    }
    let labels = info.texts("Labels");
    if !labels.is_empty() {
        lines.push(" Labels:".into());
        lines.extend(labels.iter().map(|label| format!("  {label}")));
    }
    lines.push(format!(" Experimental: {}", info.flag("ExperimentalBuild")));
    if let Some(registries) = info.get("RegistryConfig") {
        insecure(registries, lines);
    }
    lines.push(format!(" Live Restore Enabled: {}", info.flag("LiveRestoreEnabled")));
}

fn insecure(registries: &Doc, lines: &mut Vec<String>) {
    let configured = registries.get("IndexConfigs").map_or(&[][..], Doc::members);
    let names = configured.iter().filter(|(_, index)| !index.flag("Secure")).map(|(name, _)| name.as_str());
    let all: Vec<&str> = names.chain(registries.texts("InsecureRegistryCIDRs")).collect();
    if !all.is_empty() {
        lines.push(" Insecure Registries:".into());
        lines.extend(all.iter().map(|name| format!("  {name}")));
    }
    let mirrors = registries.texts("Mirrors");
    if !mirrors.is_empty() {
        lines.push(" Registry Mirrors:".into());
        lines.extend(mirrors.iter().map(|mirror| format!("  {mirror}")));
    }
}
