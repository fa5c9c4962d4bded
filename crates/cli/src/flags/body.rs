//! The create request: flags in, `POST /containers/create` target and JSON body out.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::create::CreateFlags;
use super::text::Lookup;
use super::{mounts, network, resources, security, text, values};
use crate::client::query::Target;
use crate::error::{CliError, Result};

/// Where the request is made: what relative paths and bare variable names refer to.
pub struct Context<'a> {
    /// The client's environment.
    pub lookup: Lookup<'a>,
    /// The client's working directory.
    pub cwd: &'a Path,
    /// `run -d`: nothing is attached.
    pub detach: bool,
    /// Height and width of the client's terminal, or zeros.
    pub console: [u16; 2],
}

/// A validated create request.
#[derive(Debug)]
pub struct CreateRequest {
    /// The request target.
    pub target: String,
    /// The JSON body.
    pub body: Value,
    /// Which streams the client attaches to.
    pub attach: Attach,
}

/// Streams the client attaches to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Attach {
    /// The container's input comes from the client.
    pub stdin: bool,
    /// The container's output goes to the client.
    pub stdout: bool,
    /// So does its error output.
    pub stderr: bool,
}

impl Attach {
    /// Whether any stream is attached.
    pub fn any(self) -> bool {
        self.stdin || self.stdout || self.stderr
    }
}

/// Translates the flags, or names the first one that is wrong.
pub fn create_request(flags: &CreateFlags, ctx: &Context) -> Result<CreateRequest> {
    let attach = attach(flags, ctx.detach)?;
    if flags.rm && !matches!(flags.restart.as_deref(), None | Some("no" | "")) {
        return Err(CliError::options("conflicting options: cannot specify both --restart and --rm"));
    }
    let ports = network::ports(&flags.publish, &flags.expose)?;
    let networks = network::networks(flags)?;
    let volumes = mounts::volumes(&flags.volume, ctx.cwd);
    let mut body = object(json!({
        "Hostname": flags.hostname.as_deref().unwrap_or(""),
        "Domainname": flags.domainname.as_deref().unwrap_or(""),
        "User": flags.user.as_deref().unwrap_or(""),
        "AttachStdin": attach.stdin,
        "AttachStdout": attach.stdout,
        "AttachStderr": attach.stderr,
        "Tty": flags.tty,
        "OpenStdin": flags.interactive,
        "StdinOnce": flags.interactive && attach.stdin,
        "Env": text::environment(&flags.env_file, &flags.env, ctx.lookup)?,
        "Cmd": if flags.command().is_empty() { Value::Null } else { json!(flags.command()) },
        "Image": flags.image(),
        "Volumes": volumes.anonymous,
        "WorkingDir": flags.workdir.as_deref().unwrap_or(""),
        "Entrypoint": flags.entrypoint.as_ref().map(|entrypoint| [entrypoint]),
        "OnBuild": null,
        "Labels": text::labels(&flags.label_file, &flags.label)?,
    }));
    if !ports.exposed.is_empty() {
        body.insert("ExposedPorts".into(), json!(ports.exposed));
    }
    if let Some(health) = resources::health(flags)? {
        body.insert("Healthcheck".into(), health);
    }
    if let Some(signal) = &flags.stop_signal {
        body.insert("StopSignal".into(), json!(signal));
    }
    if let Some(timeout) = &flags.stop_timeout {
        let seconds = resources::parsed("--stop-timeout", Some(timeout), values::integer, 0)?;
        body.insert("StopTimeout".into(), json!(seconds));
    }
    let host = host_config(flags, ctx, &ports, &networks.mode, volumes.binds)?;
    body.insert("HostConfig".into(), Value::Object(host));
    body.insert("NetworkingConfig".into(), json!({ "EndpointsConfig": networks.endpoints }));
    let target = Target::new("/containers/create")
        .with_text("name", flags.name.as_deref().unwrap_or(""))
        .with_text("platform", flags.platform.as_deref().unwrap_or(""));
    Ok(CreateRequest { target: target.done(), body: Value::Object(body), attach })
}

fn attach(flags: &CreateFlags, detach: bool) -> Result<Attach> {
    let mut attach = Attach::default();
    for stream in &flags.attach {
        match stream.to_lowercase().as_str() {
            "stdin" => attach.stdin = true,
            "stdout" => attach.stdout = true,
            "stderr" => attach.stderr = true,
            _ => {
                return Err(CliError::flag(
                    "-a, --attach",
                    stream,
                    "valid streams are STDIN, STDOUT and STDERR",
                ));
            }
        }
    }
    if flags.attach.is_empty() && !detach {
        attach = Attach { stdin: flags.interactive, stdout: true, stderr: true };
    }
    Ok(if detach { Attach::default() } else { attach })
}

/// `HOST` when a namespace flag is one of docker's words for it.
fn mode(flag: &Option<String>, name: &str, kind: &str, valid: fn(&str) -> bool) -> Result<String> {
    let text = flag.as_deref().unwrap_or("");
    if text.is_empty() || valid(text) {
        Ok(text.to_owned())
    } else {
        Err(CliError::options(format!("--{name}: invalid {kind} mode")))
    }
}

fn host_config(
    flags: &CreateFlags,
    ctx: &Context,
    ports: &network::Ports,
    network_mode: &str,
    binds: Option<Vec<String>>,
) -> Result<Map<String, Value>> {
    let security = security::security_options(&flags.security_opt)?;
    let paths = if security.open_system_paths { json!([]) } else { Value::Null };
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let list = |items: &[String]| if items.is_empty() { Value::Null } else { json!(items) };
    let mut host = object(json!({
        "Binds": binds,
        "ContainerIDFile": text(&flags.cidfile),
        "LogConfig": {"Type": text(&flags.log_driver), "Config": text::map(&flags.log_opt)},
        "NetworkMode": network_mode,
        "PortBindings": ports.bindings,
        "RestartPolicy": resources::restart_policy(flags.restart.as_deref())?,
        "AutoRemove": flags.rm,
        "VolumeDriver": text(&flags.volume_driver),
        "VolumesFrom": list(&flags.volumes_from),
        "ConsoleSize": ctx.console,
        "CapAdd": security::capabilities(&flags.cap_add),
        "CapDrop": security::capabilities(&flags.cap_drop),
        "CgroupnsMode": mode(&flags.cgroupns, "cgroupns", "CGROUP", |m| matches!(m, "host" | "private"))?,
        "Dns": network::dns_servers(&flags.dns)?,
        "DnsOptions": flags.dns_option,
        "DnsSearch": flags.dns_search,
        "ExtraHosts": network::extra_hosts(&flags.add_host)?,
        "GroupAdd": list(&flags.group_add),
        "IpcMode": text(&flags.ipc),
        "Cgroup": "",
        "Links": network::links(&flags.link)?,
        "PidMode": mode(&flags.pid, "pid", "PID", |m| m == "host" || m.strip_prefix("container:").is_some_and(|c| !c.is_empty()))?,
        "Privileged": flags.privileged,
        "PublishAllPorts": flags.publish_all,
        "ReadonlyRootfs": flags.read_only,
        "SecurityOpt": security.options,
        "UTSMode": mode(&flags.uts, "uts", "UTS", |m| m == "host")?,
        "UsernsMode": mode(&flags.userns, "userns", "USER", |m| m == "host")?,
        "Isolation": text(&flags.isolation),
        "Devices": security::devices(&flags.device)?,
        "DeviceCgroupRules": security::device_rules(&flags.device_cgroup_rule)?,
        "DeviceRequests": null,
        "CpuCount": 0,
        "CpuPercent": 0,
        "IOMaximumIOps": 0,
        "IOMaximumBandwidth": 0,
        "MaskedPaths": paths,
        "ReadonlyPaths": paths,
    }));
    for (key, value) in resources::resources(flags)? {
        host.insert(key.into(), value);
    }
    optional_members(flags, ctx, &mut host)?;
    Ok(host)
}

/// Members that docker leaves out unless a flag asks for them.
fn optional_members(flags: &CreateFlags, ctx: &Context, host: &mut Map<String, Value>) -> Result<()> {
    if !flags.annotation.is_empty() {
        host.insert("Annotations".into(), json!(text::map(&flags.annotation)));
    }
    if let Some(init) = &flags.init {
        let on = values::boolean(init).map_err(|reason| CliError::flag("--init", init, reason))?;
        host.insert("Init".into(), json!(on));
    }
    if let Some(mounts) = mounts::mounts(&flags.mount, ctx.cwd)? {
        host.insert("Mounts".into(), json!(mounts));
    }
    if let Some(tmpfs) = mounts::tmpfs(&flags.tmpfs) {
        host.insert("Tmpfs".into(), json!(tmpfs));
    }
    if let Some(sysctls) = network::sysctls(&flags.sysctl)? {
        host.insert("Sysctls".into(), json!(sysctls));
    }
    if flags.storage_opt.iter().any(|option| !option.contains('=')) {
        return Err(CliError::options("invalid storage option"));
    }
    if !flags.storage_opt.is_empty() {
        host.insert("StorageOpt".into(), json!(text::map(&flags.storage_opt)));
    }
    if let Some(runtime) = flags.runtime.as_deref().filter(|runtime| !runtime.is_empty()) {
        host.insert("Runtime".into(), json!(runtime));
    }
    Ok(())
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
