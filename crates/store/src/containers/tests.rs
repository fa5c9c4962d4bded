use super::*;
use crate::testing::{attempt, container, fresh, id, running, write};
use crate::{id_ranges, id_ranges::IdRangeRow};

async fn read(store: &crate::Store, n: u32) -> ContainerRow {
    get(&mut store.read().await.unwrap(), &id(n)).await.unwrap().unwrap()
}

#[tokio::test]
async fn a_container_reads_back_as_it_was_written() {
    let (_dir, store) = fresh().await;
    let full = ContainerRow {
        status: Status::Paused,
        desired: Desired::Running,
        pid: Some(i32::MAX),
        start_time: Some(i64::MAX),
        boot_id: Some("boot".to_owned()),
        shim_pid: Some(2),
        shim_start_time: Some(3),
        started_ns: 4,
        finished_ns: 5,
        exit_code: -6,
        error: "it's \"bad\"; DROP TABLE containers".to_owned(),
        oom_killed: true,
        restart_count: 8,
        manually_stopped: true,
        auto_remove: true,
        ..container(1)
    };
    let (first, second) = (full.clone(), container(2));
    write(&store, move |tx| {
        Box::pin(async move {
            insert(tx, &first).await?;
            insert(tx, &second).await
        })
    })
    .await;
    let mut reader = store.read().await.unwrap();
    assert_eq!(get(&mut reader, &id(1)).await.unwrap(), Some(full.clone()));
    assert_eq!(by_name(&mut reader, "c2").await.unwrap(), Some(container(2)));
    assert_eq!(all(&mut reader).await.unwrap(), [container(2), full], "newest first");
    assert_eq!(get(&mut reader, &id(3)).await.unwrap(), None);
    assert_eq!(by_name(&mut reader, "c3").await.unwrap(), None);
}

#[tokio::test]
async fn every_status_and_desired_state_reads_back() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            insert(tx, &container(1)).await?;
            set_running(tx, &id(1), &running(10)).await?;
            for status in [
                Status::Created,
                Status::Running,
                Status::Paused,
                Status::Restarting,
                Status::Removing,
                Status::Exited,
                Status::Dead,
            ] {
                set_status(tx, &id(1), status).await?;
                assert_eq!(get(tx, &id(1)).await?.map(|row| row.status), Some(status));
                let stored: String = sqlx::query_scalar("SELECT status FROM containers")
                    .fetch_one(&mut tx.conn)
                    .await
                    .doing("read", "status")?;
                assert_eq!(stored, status.as_str());
            }
            for (desired, manually) in [(Desired::Running, false), (Desired::Stopped, true)] {
                set_desired(tx, &id(1), desired, manually).await?;
                let row = get(tx, &id(1)).await?.unwrap();
                assert_eq!((row.desired, row.manually_stopped), (desired, manually));
            }
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn a_name_belongs_to_one_container_until_that_is_renamed_or_deleted() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| Box::pin(async move { insert(tx, &container(1)).await })).await;

    let usurper = ContainerRow { name: "c1".to_owned(), ..container(2) };
    let again = usurper.clone();
    let refused = attempt(&store, move |tx| Box::pin(async move { insert(tx, &again).await })).await;
    assert!(
        matches!(&refused, Err(Error::NameTaken { name, holder_id }) if name == "c1" && *holder_id == id(1)),
        "{refused:?}"
    );

    write(&store, |tx| Box::pin(async move { insert(tx, &container(3)).await })).await;
    let refused = attempt(&store, |tx| Box::pin(async move { rename(tx, &id(3), "c1").await })).await;
    assert!(
        matches!(&refused, Err(Error::NameTaken { holder_id, .. }) if *holder_id == id(1)),
        "{refused:?}"
    );

    write(&store, |tx| Box::pin(async move { rename(tx, &id(1), "other").await })).await;
    write(&store, move |tx| Box::pin(async move { insert(tx, &usurper).await })).await;
    assert!(write(&store, |tx| Box::pin(async move { delete(tx, &id(2)).await })).await);
    write(&store, |tx| Box::pin(async move { rename(tx, &id(3), "c1").await })).await;
    assert_eq!(read(&store, 3).await.name, "c1");
}

#[tokio::test]
async fn renaming_a_container_to_its_own_name_is_no_conflict() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            insert(tx, &container(1)).await?;
            rename(tx, &id(1), "c1").await
        })
    })
    .await;
}

#[tokio::test]
async fn an_id_used_twice_is_an_error_and_not_a_name_conflict() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| Box::pin(async move { insert(tx, &container(1)).await })).await;
    let twin = ContainerRow { name: "twin".to_owned(), ..container(1) };
    let refused = attempt(&store, move |tx| Box::pin(async move { insert(tx, &twin).await })).await;
    assert!(matches!(refused, Err(Error::Query { .. })), "{refused:?}");
}

#[tokio::test]
async fn a_start_clears_the_last_result_and_an_exit_forgets_the_process() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            let failed = ContainerRow { finished_ns: 9, exit_code: 3, oom_killed: true, ..container(1) };
            insert(tx, &failed).await?;
            set_error(tx, &id(1), 127, "no such file").await
        })
    })
    .await;
    let row = read(&store, 1).await;
    assert_eq!((row.status, row.exit_code, row.error.as_str()), (Status::Created, 127, "no such file"));

    write(&store, |tx| Box::pin(async move { set_running(tx, &id(1), &running(40)).await })).await;
    let row = read(&store, 1).await;
    let expected = ContainerRow {
        status: Status::Running,
        desired: Desired::Running,
        pid: Some(40),
        start_time: Some(77),
        boot_id: Some("b00t".to_owned()),
        shim_pid: Some(39),
        shim_start_time: Some(76),
        started_ns: 5_000,
        finished_ns: 9,
        ..container(1)
    };
    assert_eq!(row, expected);

    write(&store, |tx| {
        Box::pin(async move {
            set_restart_count(tx, &id(1), 4).await?;
            set_spec(tx, &id(1), "{}").await?;
            let exit = Exit {
                status: Status::Restarting,
                finished_ns: 6_000,
                exit_code: 137,
                error: String::new(),
                oom_killed: true,
            };
            set_exited(tx, &id(1), &exit).await
        })
    })
    .await;
    let expected = ContainerRow {
        status: Status::Restarting,
        desired: Desired::Running,
        started_ns: 5_000,
        finished_ns: 6_000,
        exit_code: 137,
        oom_killed: true,
        restart_count: 4,
        spec: "{}".to_owned(),
        ..container(1)
    };
    assert_eq!(read(&store, 1).await, expected);
}

#[tokio::test]
async fn a_container_cannot_run_without_a_process() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| Box::pin(async move { insert(tx, &container(1)).await })).await;
    for status in [Status::Running, Status::Paused] {
        let refused =
            attempt(&store, move |tx| Box::pin(async move { set_status(tx, &id(1), status).await })).await;
        assert!(matches!(refused, Err(Error::Query { .. })), "{refused:?}");
    }
    assert_eq!(read(&store, 1).await.status, Status::Created);
}

#[tokio::test]
async fn changing_what_is_not_there_says_so() {
    let (_dir, store) = fresh().await;
    let missing = attempt(&store, |tx| Box::pin(async move { rename(tx, &id(5), "x").await })).await;
    assert!(matches!(&missing, Err(Error::Missing { kind: "container", id: what }) if *what == id(5)));
    let missing =
        attempt(&store, |tx| Box::pin(async move { set_running(tx, &id(5), &running(5)).await })).await;
    assert!(matches!(missing, Err(Error::Missing { .. })), "{missing:?}");
    assert!(!write(&store, |tx| Box::pin(async move { delete(tx, &id(5)).await })).await);
}

#[tokio::test]
async fn a_deleted_container_gives_its_host_ids_back() {
    let (_dir, store) = fresh().await;
    let range = |n| IdRangeRow { first: 1 << 20, size: 65_536, container_id: id(n) };
    write(&store, move |tx| {
        Box::pin(async move {
            insert(tx, &container(1)).await?;
            insert(tx, &container(2)).await?;
            id_ranges::insert(tx, &range(1)).await?;
            delete(tx, &id(1)).await?;
            id_ranges::insert(tx, &range(2)).await
        })
    })
    .await;
    assert_eq!(id_ranges::all(&mut store.read().await.unwrap()).await.unwrap(), [range(2)]);
}
