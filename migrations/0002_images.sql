-- Images, their layers and their names. The configuration blob of an image and the files of a layer are on disk;
-- here is what lists need, and who uses what.

CREATE TABLE layers (
    diff_id    TEXT    NOT NULL PRIMARY KEY,   -- digest of the uncompressed tar
    key        TEXT    NOT NULL UNIQUE,        -- directory in the layer store
    size       INTEGER NOT NULL CHECK (size >= 0),
    max_uid    INTEGER NOT NULL CHECK (max_uid >= 0),
    max_gid    INTEGER NOT NULL CHECK (max_gid >= 0),
    created_ns INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE images (
    id           TEXT    NOT NULL PRIMARY KEY CHECK (id LIKE 'sha256:%'),
    created_ns   INTEGER NOT NULL,
    size         INTEGER NOT NULL CHECK (size >= 0),
    architecture TEXT    NOT NULL,
    variant      TEXT    NOT NULL DEFAULT '',
    os           TEXT    NOT NULL,
    author       TEXT    NOT NULL DEFAULT '',
    comment      TEXT    NOT NULL DEFAULT '',
    labels       TEXT    NOT NULL DEFAULT '{}', -- JSON object of strings
    parent       TEXT,                          -- image ID it was built from, which may be gone
    loaded_ns    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- An image may hold the same layer twice (two empty ones), hence the position in the key.
CREATE TABLE image_layers (
    image_id TEXT    NOT NULL REFERENCES images (id) ON DELETE CASCADE,
    position INTEGER NOT NULL,
    diff_id  TEXT    NOT NULL REFERENCES layers (diff_id),
    PRIMARY KEY (image_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX image_layers_by_layer ON image_layers (diff_id);

-- A reference is normalised before it gets here: docker.io/library/busybox:latest.
CREATE TABLE tags (
    reference TEXT NOT NULL PRIMARY KEY,
    image_id  TEXT NOT NULL REFERENCES images (id) ON DELETE CASCADE
) STRICT, WITHOUT ROWID;

CREATE INDEX tags_by_image ON tags (image_id);
