use super::*;
use crate::testing::{attempt, container, digest, fresh, id, image, layer, write};
use crate::{Store, Tx, containers, layers, tags};

const BUSYBOX: &str = "docker.io/library/busybox:latest";

/// Image 1 of layers 3, 2, 3.
async fn make_image(tx: &mut Tx) -> Result<()> {
    for n in [2, 3] {
        assert!(layers::insert(tx, &layer(n)).await?);
    }
    assert!(insert(tx, &image(1), &[digest(3), digest(2), digest(3)]).await?);
    Ok(())
}

async fn unreferenced(store: &Store) -> Vec<String> {
    let rows = layers::unreferenced(&mut store.read().await.unwrap()).await.unwrap();
    rows.into_iter().map(|row| row.diff_id).collect()
}

#[tokio::test]
async fn an_image_reads_back_with_its_layers_in_order_and_its_tags() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            make_image(tx).await?;
            let bare = ImageRow { parent: None, ..image(2) };
            insert(tx, &bare, &[]).await?;
            tags::set(tx, "docker.io/library/z:1", &digest(1)).await?;
            tags::set(tx, BUSYBOX, &digest(1)).await
        })
    })
    .await;
    let mut reader = store.read().await.unwrap();
    let first = Image {
        row: image(1),
        layers: vec![digest(3), digest(2), digest(3)],
        tags: vec![BUSYBOX.to_owned(), "docker.io/library/z:1".to_owned()],
    };
    let second = Image { row: ImageRow { parent: None, ..image(2) }, layers: vec![], tags: vec![] };
    assert_eq!(get(&mut reader, &digest(1)).await.unwrap().as_ref(), Some(&first));
    assert_eq!(all(&mut reader).await.unwrap(), [second, first], "newest first");
    assert_eq!(get(&mut reader, &digest(9)).await.unwrap(), None);
    assert_eq!(layers::get(&mut reader, &digest(2)).await.unwrap(), Some(layer(2)));
    assert_eq!(layers::all(&mut reader).await.unwrap(), [layer(2), layer(3)]);
}

#[tokio::test]
async fn an_image_or_layer_that_is_here_already_stays_as_it_is() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            make_image(tx).await?;
            assert!(!insert(tx, &ImageRow { loaded_ns: 99, ..image(1) }, &[digest(2)]).await?);
            assert_eq!(get(tx, &digest(1)).await?.map(|i| (i.row.loaded_ns, i.layers.len())), Some((20, 3)));
            let other_size = layers::LayerRow { size: 1, ..layer(2) };
            assert!(!layers::insert(tx, &other_size).await?);
            assert_eq!(layers::get(tx, &digest(2)).await?, Some(layer(2)));
            Ok(())
        })
    })
    .await;
}

#[tokio::test]
async fn an_image_of_an_unknown_layer_is_refused_as_a_whole() {
    let (_dir, store) = fresh().await;
    let refused = attempt(&store, |tx| {
        Box::pin(async move {
            layers::insert(tx, &layer(2)).await?;
            insert(tx, &image(1), &[digest(2), digest(7)]).await
        })
    })
    .await;
    assert!(matches!(&refused, Err(Error::Missing { kind: "layer", id }) if *id == digest(7)), "{refused:?}");
    let mut reader = store.read().await.unwrap();
    assert!(all(&mut reader).await.unwrap().is_empty());
    assert!(layers::all(&mut reader).await.unwrap().is_empty(), "the job was rolled back");
}

#[tokio::test]
async fn a_tag_moves_and_tells_who_had_it() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            insert(tx, &image(1), &[]).await?;
            insert(tx, &image(2), &[]).await?;
            assert_eq!(tags::set(tx, BUSYBOX, &digest(1)).await?, None);
            assert_eq!(tags::set(tx, BUSYBOX, &digest(1)).await?, Some(digest(1)));
            assert_eq!(tags::set(tx, BUSYBOX, &digest(2)).await?, Some(digest(1)));
            assert_eq!(tags::resolve(tx, BUSYBOX).await?, Some(digest(2)));
            assert_eq!(get(tx, &digest(1)).await?.map(|i| i.tags), Some(vec![]));
            assert_eq!(tags::remove(tx, BUSYBOX).await?, Some(digest(2)));
            assert_eq!(tags::remove(tx, BUSYBOX).await?, None);
            assert_eq!(tags::resolve(tx, BUSYBOX).await?, None);
            Ok(())
        })
    })
    .await;
    let refused =
        attempt(&store, |tx| Box::pin(async move { tags::set(tx, BUSYBOX, &digest(8)).await })).await;
    assert!(matches!(&refused, Err(Error::Missing { kind: "image", id }) if *id == digest(8)), "{refused:?}");
}

#[tokio::test]
async fn a_deleted_image_takes_its_tags_and_leaves_its_layers() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            make_image(tx).await?;
            tags::set(tx, BUSYBOX, &digest(1)).await?;
            assert!(delete(tx, &digest(1)).await?);
            assert!(!delete(tx, &digest(1)).await?);
            assert_eq!(tags::resolve(tx, BUSYBOX).await?, None);
            Ok(())
        })
    })
    .await;
    assert_eq!(unreferenced(&store).await, [digest(2), digest(3)]);
}

#[tokio::test]
async fn a_layer_stays_while_an_image_or_a_container_stands_on_it() {
    let (_dir, store) = fresh().await;
    write(&store, |tx| {
        Box::pin(async move {
            make_image(tx).await?;
            layers::insert(tx, &layer(4)).await?;
            containers::insert(tx, &container(1)).await?;
            assert_eq!(containers::layers(tx, &id(1)).await?, [digest(3), digest(2), digest(3)]);
            Ok(())
        })
    })
    .await;
    assert_eq!(unreferenced(&store).await, [digest(4)]);

    // The image goes by force; its container keeps the layers.
    write(&store, |tx| Box::pin(async move { delete(tx, &digest(1)).await })).await;
    assert_eq!(unreferenced(&store).await, [digest(4)]);
    let refused = attempt(&store, |tx| Box::pin(async move { layers::delete(tx, &digest(2)).await })).await;
    assert!(matches!(&refused, Err(Error::LayerInUse { diff_id }) if *diff_id == digest(2)), "{refused:?}");

    write(&store, |tx| Box::pin(async move { containers::delete(tx, &id(1)).await })).await;
    assert_eq!(unreferenced(&store).await, [digest(2), digest(3), digest(4)]);
    assert!(write(&store, |tx| Box::pin(async move { layers::delete(tx, &digest(2)).await })).await);
    assert!(!write(&store, |tx| Box::pin(async move { layers::delete(tx, &digest(2)).await })).await);
}
