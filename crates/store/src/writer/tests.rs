use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::*;
use crate::error::{Doing, Result};
use crate::store::Durability::{CrashSafe, Durable};
use crate::testing::{attempt, container, event, fresh, id, write};
use crate::{Store, containers, events, meta};

async fn names(store: &Store) -> Vec<String> {
    let mut rows = containers::all(&mut store.read().await.unwrap()).await.unwrap();
    rows.sort_by_key(|row| row.created_ns);
    rows.into_iter().map(|row| row.name).collect()
}

/// Queues the creation of container `n` at once.
fn create(store: &Store, class: Durability, n: u32) -> impl Future<Output = Result<()>> + use<> {
    store.write(class, move |tx| Box::pin(async move { containers::insert(tx, &container(n)).await }))
}

async fn raw(tx: &mut Tx, sql: &'static str) -> Result<()> {
    sqlx::raw_sql(sql).execute(&mut tx.conn).await.doing("run", sql).map(drop)
}

#[tokio::test]
async fn durable_jobs_that_wait_together_share_a_commit() {
    let (_dir, store) = fresh().await;
    let jobs: Vec<_> = (0..200).map(|n| create(&store, Durable, n)).collect();
    for outcome in join_all(jobs).await {
        outcome.unwrap();
    }
    let stats = store.stats();
    assert_eq!(stats.jobs, 200);
    assert!(stats.commits <= 2, "{stats:?}");
    assert_eq!(stats.durable_commits, stats.commits);
    assert_eq!(names(&store).await.len(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_clients_cost_far_fewer_commits_than_writes() {
    let (_dir, store) = fresh().await;
    let clients = (0..32).map(|client| {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..8 {
                create(&store, Durable, client * 100 + n).await.unwrap();
            }
        })
    });
    for client in join_all(clients).await {
        client.unwrap();
    }
    assert_eq!(names(&store).await.len(), 256);
    assert!(store.stats().commits < 128, "{:?}", store.stats());
}

#[tokio::test]
async fn a_failing_job_is_undone_alone_wherever_it_stands_in_the_batch() {
    let (_dir, store) = fresh().await;
    let failing = [0, 2, 3, 5];
    let jobs: Vec<_> = (0..6)
        .map(|n| {
            store.write(CrashSafe, move |tx| {
                Box::pin(async move {
                    containers::insert(tx, &container(n)).await?;
                    if failing.contains(&n) { Err(Error::missing("container", "x")) } else { Ok(n) }
                })
            })
        })
        .collect();
    for (n, outcome) in (0..).zip(join_all(jobs).await) {
        match outcome {
            Ok(told) => assert!(told == n && !failing.contains(&n)),
            Err(error) => assert!(failing.contains(&n) && matches!(error, Error::Missing { .. }), "{error}"),
        }
    }
    assert_eq!(store.stats().commits, 1);
    assert_eq!(names(&store).await, ["c1", "c4"]);
}

#[tokio::test]
async fn a_batch_in_which_everything_fails_commits_nothing() {
    let (_dir, store) = fresh().await;
    let fail = || {
        store.write(CrashSafe, |tx| {
            Box::pin(async move {
                containers::insert(tx, &container(1)).await?;
                Err::<(), _>(Error::missing("container", "x"))
            })
        })
    };
    assert!(fail().await.is_err(), "alone, without a savepoint");
    assert!(join_all([fail(), fail()]).await.iter().all(Result::is_err));
    assert_eq!(store.stats().commits, 0);
    assert!(names(&store).await.is_empty());
}

#[tokio::test]
async fn a_panicking_job_is_undone_and_the_writer_goes_on() {
    let (_dir, store) = fresh().await;
    let panics = store.write(CrashSafe, |tx| {
        Box::pin(async move {
            containers::insert(tx, &container(1)).await?;
            if true {
                panic!("a job of this test panics");
            }
            Ok(())
        })
    });
    let neighbour = create(&store, CrashSafe, 2);
    assert!(matches!(panics.await, Err(Error::JobPanicked)));
    neighbour.await.unwrap();
    create(&store, CrashSafe, 3).await.unwrap();
    assert_eq!(names(&store).await, ["c2", "c3"]);
}

#[tokio::test]
async fn a_job_may_fail_with_an_error_of_its_own() {
    #[derive(Debug)]
    enum Refusal {
        TooMany,
        Store(Error),
    }
    impl From<Error> for Refusal {
        fn from(error: Error) -> Self {
            Refusal::Store(error)
        }
    }
    let (_dir, store) = fresh().await;
    let refused = store
        .try_write(CrashSafe, |tx| {
            Box::pin(async move {
                containers::insert(tx, &container(1)).await?;
                Err::<(), _>(Refusal::TooMany)
            })
        })
        .await;
    assert!(matches!(refused, Err(Refusal::TooMany)));
    assert!(names(&store).await.is_empty());
    store.close().await;
    let closed = store.try_write(CrashSafe, |_| Box::pin(async { Ok::<(), Refusal>(()) })).await;
    assert!(matches!(closed, Err(Refusal::Store(Error::Closed))));
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_cancel_its_job() {
    let (_dir, store) = fresh().await;
    let (started, wait) = oneshot::channel();
    let (resume, paused) = oneshot::channel::<()>();
    drop(create(&store, CrashSafe, 1));
    let caller = tokio::spawn(store.write(CrashSafe, move |tx| {
        Box::pin(async move {
            containers::insert(tx, &container(2)).await?;
            let _ = started.send(());
            let _ = paused.await;
            containers::insert(tx, &container(3)).await
        })
    }));
    wait.await.unwrap();
    caller.abort();
    assert!(caller.await.unwrap_err().is_cancelled());
    resume.send(()).unwrap();
    create(&store, CrashSafe, 4).await.unwrap();
    assert_eq!(names(&store).await, ["c1", "c2", "c3", "c4"]);
}

#[tokio::test]
async fn readers_see_the_last_commit_while_a_job_is_under_way() {
    let (_dir, store) = fresh().await;
    create(&store, CrashSafe, 1).await.unwrap();
    let (started, wait) = oneshot::channel();
    let (resume, paused) = oneshot::channel::<()>();
    let slow = store.write(CrashSafe, move |tx| {
        Box::pin(async move {
            containers::insert(tx, &container(2)).await?;
            let _ = started.send(());
            let _ = paused.await;
            Ok(containers::all(tx).await?.len())
        })
    });
    wait.await.unwrap();
    let seen = tokio::time::timeout(Duration::from_secs(5), names(&store)).await.unwrap();
    assert_eq!(seen, ["c1"]);
    resume.send(()).unwrap();
    assert_eq!(slow.await.unwrap(), 2, "a job sees its own writes");
    assert_eq!(names(&store).await.len(), 2, "whoever has the reply sees the change");
}

#[tokio::test]
async fn the_strictest_class_in_a_batch_decides_for_all() {
    let (_dir, store) = fresh().await;
    let level = |class| {
        store.write(class, |tx| {
            Box::pin(async move {
                sqlx::query_scalar::<_, i64>("PRAGMA synchronous")
                    .fetch_one(&mut tx.conn)
                    .await
                    .doing("read", "synchronous")
            })
        })
    };
    const NORMAL: i64 = 1;
    const FULL: i64 = 2;
    assert_eq!(level(CrashSafe).await.unwrap(), NORMAL);
    assert_eq!(level(Durable).await.unwrap(), FULL);
    assert_eq!(level(CrashSafe).await.unwrap(), NORMAL);
    for told in join_all([level(CrashSafe), level(Durable), level(CrashSafe)]).await {
        assert_eq!(told.unwrap(), FULL);
    }
    assert_eq!(store.stats().durable_commits, 2);
}

#[tokio::test]
async fn a_commit_that_fails_fails_every_job_and_the_writer_stays_usable() {
    let (_dir, store) = fresh().await;
    let mut heard = store.subscribe();
    let first = create(&store, CrashSafe, 1);
    // A foreign key that is checked at COMMIT is not satisfied.
    let second = store.write(CrashSafe, |tx| {
        Box::pin(async move {
            events::append(tx, event(1, "create")).await?;
            raw(tx, "PRAGMA defer_foreign_keys = ON").await?;
            raw(tx, "INSERT INTO tags VALUES ('a', 'sha256:none')").await
        })
    });
    let third = store.write(CrashSafe, |_| {
        Box::pin(async { Err::<(), _>(Error::missing("container", "the job's own error")) })
    });
    assert!(matches!(first.await, Err(Error::Commit(_))));
    assert!(matches!(second.await, Err(Error::Commit(_))));
    assert!(matches!(third.await, Err(Error::Missing { .. })));
    assert!(names(&store).await.is_empty());
    create(&store, Durable, 2).await.unwrap();
    assert_eq!(names(&store).await, ["c2"]);
    assert!(heard.try_recv().is_err(), "an event of a lost transaction was told");
}

#[tokio::test]
async fn a_transaction_that_sqlite_ended_by_itself_loses_the_whole_batch() {
    let (_dir, store) = fresh().await;
    let before = create(&store, CrashSafe, 1);
    let ends_it = store.write(CrashSafe, |tx| Box::pin(async move { raw(tx, "ROLLBACK").await }));
    let after = create(&store, CrashSafe, 3);
    for outcome in [before.await, ends_it.await, after.await] {
        assert!(matches!(outcome, Err(Error::Commit(_))), "{outcome:?}");
    }
    assert!(names(&store).await.is_empty());
    create(&store, CrashSafe, 4).await.unwrap();
    let alone = attempt(&store, |tx| Box::pin(async move { raw(tx, "ROLLBACK").await })).await;
    assert!(matches!(alone, Err(Error::Commit(_))), "{alone:?}");
    create(&store, CrashSafe, 5).await.unwrap();
    assert_eq!(names(&store).await, ["c4", "c5"]);
}

#[tokio::test]
async fn a_full_database_is_reported_as_such_and_can_be_used_again_when_there_is_room() {
    let (_dir, store) = fresh().await;
    create(&store, CrashSafe, 1).await.unwrap();
    // Fewer pages than there are means "no more than there are".
    write(&store, |tx| Box::pin(async move { raw(tx, "PRAGMA max_page_count = 1").await })).await;
    let fill = |key: &'static str| {
        store.write(Durable, move |tx| {
            Box::pin(async move { meta::set(tx, key, &"x".repeat(1_000_000)).await })
        })
    };
    let full = fill("alone").await.unwrap_err();
    assert!(full.is_disk_full(), "{full:?}");
    let (small, big) = (create(&store, Durable, 2), fill("in company"));
    let full = big.await.unwrap_err();
    assert!(full.is_disk_full(), "{full:?}");
    let kept = small.await.is_ok();

    write(&store, |tx| Box::pin(async move { raw(tx, "PRAGMA max_page_count = 1000000").await })).await;
    create(&store, Durable, 3).await.unwrap();
    let expected: &[&str] = if kept { &["c1", "c2", "c3"] } else { &["c1", "c3"] };
    assert_eq!(names(&store).await, expected, "what was told is what is there");
}

#[tokio::test]
async fn hooks_run_in_commit_order_before_the_reply_and_only_after_a_commit() {
    let (_dir, store) = fresh().await;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let jobs: Vec<_> = (0..4)
        .map(|n| {
            let seen = Arc::clone(&seen);
            store.write(CrashSafe, move |tx| {
                Box::pin(async move {
                    tx.on_commit(move || {
                        seen.lock().unwrap().push(n);
                        assert_ne!(n, 2, "a hook of this test panics");
                    });
                    if n == 1 { Err(Error::missing("container", "x")) } else { Ok(()) }
                })
            })
        })
        .collect();
    let mut jobs = jobs.into_iter();
    jobs.next().unwrap().await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 2, 3]);
    assert!(jobs.next().unwrap().await.is_err());
    drop(jobs);
    create(&store, CrashSafe, 1).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), [0, 2, 3], "a hook ran twice");
}

#[tokio::test]
async fn closing_finishes_what_is_queued_and_refuses_the_rest() {
    let (dir, store) = fresh().await;
    let queued: Vec<_> = (0..600).map(|n| create(&store, CrashSafe, n)).collect();
    let other = store.clone();
    tokio::join!(store.close(), other.close());
    for outcome in join_all(queued).await {
        outcome.unwrap();
    }
    assert!(matches!(create(&store, CrashSafe, 1000).await, Err(Error::Closed)));
    assert!(matches!(store.read().await, Err(Error::Closed)));
    store.close().await;
    assert!(!dir.path().join("berth.db-wal").exists(), "the log was folded into the database");
    let store = Store::open(dir.path().join("berth.db")).await.unwrap();
    assert_eq!(names(&store).await.len(), 600);
    assert_eq!(containers::get(&mut store.read().await.unwrap(), &id(1)).await.unwrap(), Some(container(1)));
}

#[tokio::test]
async fn the_log_is_folded_into_the_database_in_a_pause() {
    let (dir, store) = fresh().await;
    let size = || std::fs::metadata(dir.path().join("berth.db")).unwrap().len();
    for n in 0..100 {
        create(&store, CrashSafe, n).await.unwrap();
    }
    let before = size();
    let deadline = Instant::now() + Duration::from_secs(10);
    while size() == before {
        assert!(Instant::now() < deadline, "no checkpoint");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    create(&store, CrashSafe, 100).await.unwrap();
    assert_eq!(names(&store).await.len(), 101);
}
