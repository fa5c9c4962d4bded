//! The environment of the container's program.

use berth_api_types::container::ContainerConfig;

use super::super::defaults;

/// The daemon's own entries, overridden and completed by the configuration's (client and image, merged). An entry
/// without `=` takes a variable away. `HOME` is the shim's to set: it knows the user.
pub(super) fn environment(config: &ContainerConfig, hostname: &str) -> Vec<String> {
    let mut out = vec![format!("PATH={}", defaults::PATH), format!("HOSTNAME={hostname}")];
    if config.tty {
        out.push("TERM=xterm".to_owned());
    }
    for entry in config.env.iter().flatten() {
        let key = entry.split_once('=').map(|(key, _)| key);
        let name = key.unwrap_or(entry);
        let place =
            out.iter().position(|known| known.split_once('=').is_some_and(|(known, _)| known == name));
        match (key, place.and_then(|place| out.get_mut(place))) {
            (Some(_), Some(known)) => known.clone_from(entry),
            (Some(_), None) => out.push(entry.clone()),
            (None, Some(_)) => {
                out.retain(|known| known.split_once('=').is_none_or(|(known, _)| known != name))
            }
            (None, None) => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tty: bool, env: &[&str]) -> Vec<String> {
        let env = Some(env.iter().map(|entry| (*entry).to_owned()).collect());
        environment(&ContainerConfig { tty, env, ..ContainerConfig::default() }, "web")
    }

    #[test]
    fn every_program_finds_a_path_and_its_hosts_name() {
        assert_eq!(of(false, &[]), [format!("PATH={}", defaults::PATH), "HOSTNAME=web".to_owned()]);
        assert_eq!(of(true, &[]).last().unwrap(), "TERM=xterm");
    }

    #[test]
    fn the_configuration_overrides_in_place_and_removes() {
        assert_eq!(
            of(true, &["A=1", "PATH=/bin", "TERM", "A=2", "B=", "NOSUCH"]),
            ["PATH=/bin", "HOSTNAME=web", "A=2", "B="]
        );
    }
}
