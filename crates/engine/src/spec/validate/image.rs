//! What an image brings to a container.

use berth_api_types::container::{ContainerConfig, HealthConfig};

use super::super::signal::Signal;
use super::process;
use super::{ValidateError, ValidatedConfig};

impl ValidatedConfig {
    /// Fills in what the client left to the image. Where an image says something that no client could (an
    /// environment entry without a name), that part of it is left out: the container can be had without.
    ///
    /// The client's entrypoint stands alone: with one, the image's command is not used.
    #[must_use]
    pub fn with_image(mut self, image: &ContainerConfig) -> Self {
        let config = &mut self.config;
        let absent = |list: &Option<Vec<String>>| list.as_ref().is_none_or(Vec::is_empty);
        if config.user.is_empty() {
            config.user.clone_from(&image.user);
        }
        if absent(&config.entrypoint) {
            if absent(&config.cmd) {
                config.cmd.clone_from(&image.cmd);
                config.args_escaped = image.args_escaped;
            }
            if config.entrypoint.is_none() {
                config.entrypoint.clone_from(&image.entrypoint);
            }
        }
        if config.entrypoint.as_ref().is_some_and(|list| matches!(list.as_slice(), [only] if only.is_empty()))
        {
            // `--entrypoint ""`: none at all.
            config.entrypoint = None;
        }
        merge_env(config, image);
        for (mine, theirs) in [(&mut config.labels, &image.labels)] {
            for (key, value) in theirs.iter().flatten() {
                mine.get_or_insert_default().entry(key.clone()).or_insert_with(|| value.clone());
            }
        }
        for (mine, theirs) in
            [(&mut config.exposed_ports, &image.exposed_ports), (&mut config.volumes, &image.volumes)]
        {
            for key in theirs.iter().flat_map(|map| map.keys()) {
                mine.get_or_insert_default().entry(key.clone()).or_default();
            }
        }
        if config.working_dir.is_empty() && !image.working_dir.is_empty() {
            config.working_dir = process::clean(&image.working_dir);
        }
        if config.stop_signal.is_empty()
            && let Ok(signal) = image.stop_signal.parse::<Signal>()
        {
            config.stop_signal.clone_from(&image.stop_signal);
            self.stop_signal = Some(signal);
        }
        if config.shell.is_none() {
            config.shell.clone_from(&image.shell);
        }
        merge_health(config, image.healthcheck.as_ref());
        self
    }

    /// Program and arguments.
    ///
    /// # Errors
    /// Neither client nor image named a program.
    pub fn command_line(&self) -> Result<Vec<String>, ValidateError> {
        let line: Vec<String> = self
            .config
            .entrypoint
            .iter()
            .flatten()
            .chain(self.config.cmd.iter().flatten())
            .cloned()
            .collect();
        if line.is_empty() { Err(ValidateError::NoCommand) } else { Ok(line) }
    }
}

fn key(entry: &str) -> &str {
    entry.split_once('=').map_or(entry, |(key, _)| key)
}

fn merge_env(config: &mut ContainerConfig, image: &ContainerConfig) {
    let usable = |entry: &&String| !key(entry).is_empty() && !entry.contains('\0');
    let mine: Vec<String> = config.env.iter().flatten().map(|entry| key(entry).to_owned()).collect();
    for entry in image.env.iter().flatten().filter(usable) {
        if !mine.iter().any(|known| known == key(entry)) {
            config.env.get_or_insert_default().push(entry.clone());
        }
    }
}

fn merge_health(config: &mut ContainerConfig, image: Option<&HealthConfig>) {
    let Some(theirs) = image.filter(|health| process::healthcheck(health).is_ok()) else { return };
    let Some(mine) = &mut config.healthcheck else {
        config.healthcheck = Some(theirs.clone());
        return;
    };
    if mine.test.as_ref().is_none_or(Vec::is_empty) {
        mine.test.clone_from(&theirs.test);
    }
    for (mine, theirs) in [
        (&mut mine.interval, theirs.interval),
        (&mut mine.timeout, theirs.timeout),
        (&mut mine.start_period, theirs.start_period),
        (&mut mine.start_interval, theirs.start_interval),
        (&mut mine.retries, theirs.retries),
    ] {
        if *mine == 0 {
            *mine = theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use berth_api_types::container::HostConfig;

    use super::super::super::host::tests::facts;
    use super::super::{stored, tests::valid, validate};
    use super::*;

    fn list(words: &[&str]) -> Option<Vec<String>> {
        Some(words.iter().map(|word| (*word).to_owned()).collect())
    }

    fn image() -> ContainerConfig {
        ContainerConfig {
            user: "app".to_owned(),
            entrypoint: list(&["/entry"]),
            cmd: list(&["serve"]),
            env: list(&["PATH=/bin", "A=image", "=broken", "B=image"]),
            working_dir: "srv/app".to_owned(),
            stop_signal: "SIGQUIT".to_owned(),
            ..ContainerConfig::default()
        }
    }

    fn line(change: impl FnOnce(&mut ContainerConfig)) -> Vec<String> {
        let mut config = ContainerConfig::default();
        change(&mut config);
        let it = validate(config, HostConfig::default(), &facts()).unwrap();
        it.with_image(&image()).command_line().unwrap()
    }

    #[test]
    fn entrypoint_and_command_combine_as_in_docker() {
        assert_eq!(line(|_| {}), ["/entry", "serve"]);
        assert_eq!(line(|c| c.cmd = list(&["x"])), ["/entry", "x"]);
        assert_eq!(line(|c| c.entrypoint = list(&["/mine"])), ["/mine"]);
        assert_eq!(line(|c| (c.entrypoint, c.cmd) = (list(&[""]), list(&["x"]))), ["x"]);
        assert_eq!(line(|c| c.entrypoint = list(&[])), ["serve"]);
    }

    #[test]
    fn without_a_program_there_is_no_container() {
        let it = validate(ContainerConfig::default(), HostConfig::default(), &facts()).unwrap();
        let error = it.with_image(&ContainerConfig::default()).command_line().unwrap_err();
        assert_eq!(error.to_string(), "No command specified");
    }

    #[test]
    fn the_client_beats_the_image_entry_by_entry() {
        let it = valid(|config, _| config.env = list(&["A=mine", "B"])).with_image(&image());
        assert_eq!(it.config().env, list(&["A=mine", "B", "PATH=/bin"]));
        assert_eq!((&*it.config().user, &*it.config().working_dir), ("app", "/srv/app"));
        assert_eq!(it.stop_signal().number(), 3);
    }

    #[test]
    fn a_strange_image_makes_a_configuration_that_can_be_read_again() {
        let strange = ContainerConfig { stop_signal: "BOGUS".to_owned(), ..image() };
        let it = valid(|_, _| {}).with_image(&strange);
        assert_eq!(it.stop_signal(), Signal::TERM);
        stored(it.config().clone(), it.host().clone(), &facts()).unwrap();
    }
}
