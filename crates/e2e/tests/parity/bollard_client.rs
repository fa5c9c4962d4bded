//! The Rust client that most Rust programs use.

use berth_testkit::{Daemon, IMAGE};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    container::{AttachContainerResults, LogOutput},
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        AttachContainerOptionsBuilder, CreateContainerOptionsBuilder, EventsOptionsBuilder,
        InspectContainerOptions, ListContainersOptionsBuilder, LogsOptionsBuilder,
        RemoveContainerOptionsBuilder, StartContainerOptions, StopContainerOptionsBuilder,
        WaitContainerOptionsBuilder,
    },
};
use futures_util::{StreamExt, TryStreamExt};

async fn connect(d: &Daemon) -> Docker {
    let path = d.client.socket().to_str().unwrap().to_owned();
    Docker::connect_with_unix(&path, 60, API_DEFAULT_VERSION).unwrap().negotiate_version().await.unwrap()
}

fn body(command: &[&str]) -> ContainerCreateBody {
    ContainerCreateBody {
        image: Some(IMAGE.to_owned()),
        cmd: Some(command.iter().map(|&word| word.to_owned()).collect()),
        host_config: Some(HostConfig { network_mode: Some("none".to_owned()), ..HostConfig::default() }),
        ..ContainerCreateBody::default()
    }
}

#[tokio::test]
async fn a_container_lives_its_whole_life() {
    let d = tokio::task::spawn_blocking(Daemon::start).await.unwrap();
    let docker = connect(&d).await;
    let name = d.name("bollard");
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let id = docker
        .create_container(Some(options), body(&["sh", "-c", "echo out; echo err >&2; exit 9"]))
        .await
        .unwrap()
        .id;
    let attach = AttachContainerOptionsBuilder::default().stream(true).stdout(true).stderr(true).build();
    let AttachContainerResults { output, .. } = docker.attach_container(&id, Some(attach)).await.unwrap();
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let seen: Vec<LogOutput> = output.try_collect().await.unwrap();
    let mut texts: Vec<String> = seen.iter().map(|piece| format!("{piece}")).collect();
    texts.sort();
    assert_eq!(texts, ["err\n", "out\n"]);
    let wait = WaitContainerOptionsBuilder::default().condition("not-running").build();
    let ended = docker.wait_container(&id, Some(wait)).next().await.unwrap();
    assert!(
        matches!(&ended, Err(bollard::errors::Error::DockerContainerWaitError { code: 9, .. })),
        "{ended:?}"
    );
    let logs = LogsOptionsBuilder::default().stdout(true).build();
    let log: Vec<LogOutput> = docker.logs(&id, Some(logs)).try_collect().await.unwrap();
    assert!(matches!(&log[..], [LogOutput::StdOut { message }] if message.as_ref() == b"out\n"), "{log:?}");
    let state = docker.inspect_container(&id, None::<InspectContainerOptions>).await.unwrap().state.unwrap();
    assert_eq!((state.exit_code, state.running), (Some(9), Some(false)));
    docker
        .remove_container(&id, Some(RemoveContainerOptionsBuilder::default().force(true).build()))
        .await
        .unwrap();
    tokio::task::spawn_blocking(move || drop(d)).await.unwrap();
}

#[tokio::test]
async fn lists_events_and_errors_are_understood() {
    let d = tokio::task::spawn_blocking(Daemon::start).await.unwrap();
    let docker = connect(&d).await;
    let name = d.name("listed");
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let id = docker.create_container(Some(options), body(&["sleep", "1000"])).await.unwrap().id;
    let filters = std::collections::HashMap::from([("container".to_owned(), vec![id.clone()])]);
    let options = EventsOptionsBuilder::default().since("1").filters(&filters).build();
    let mut events = Box::pin(docker.events(Some(options)));
    docker.start_container(&id, None::<StartContainerOptions>).await.unwrap();
    let mut actions = Vec::new();
    while actions.last().map(String::as_str) != Some("start") {
        actions.push(events.next().await.unwrap().unwrap().action.unwrap());
    }
    assert_eq!(actions, ["create", "start"]);
    let filters = std::collections::HashMap::from([("name".to_owned(), vec![name.clone()])]);
    let list = docker
        .list_containers(Some(ListContainersOptionsBuilder::default().filters(&filters).build()))
        .await
        .unwrap();
    assert_eq!(list.len(), 1);
    assert_eq!(list[0].id.as_deref(), Some(id.as_str()));
    docker.stop_container(&id, Some(StopContainerOptionsBuilder::default().t(1).build())).await.unwrap();
    let missing = docker.inspect_container("nosuch", None::<InspectContainerOptions>).await.unwrap_err();
    assert!(
        matches!(&missing, bollard::errors::Error::DockerResponseServerError { status_code: 404, message } if message == "No such container: nosuch"),
        "{missing:?}"
    );
    assert!(
        docker.ping().await.unwrap() == "OK"
            && docker.info().await.unwrap().driver.as_deref() == Some("overlay2")
    );
    drop(events);
    tokio::task::spawn_blocking(move || drop(d)).await.unwrap();
}
