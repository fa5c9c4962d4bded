-- Containers and what they hold while they exist: a name, the layers below them, a range of host IDs.

CREATE TABLE containers (
    id               TEXT    NOT NULL PRIMARY KEY CHECK (length(id) = 64),
    name             TEXT    NOT NULL UNIQUE,       -- the lease of the name
    image_id         TEXT    NOT NULL,              -- no foreign key: the image may be removed by force
    image_ref        TEXT    NOT NULL,              -- as the client wrote it
    created_ns       INTEGER NOT NULL,
    spec             TEXT    NOT NULL,              -- JSON, the engine's
    status           TEXT    NOT NULL DEFAULT 'created' CHECK (status IN
                     ('created', 'running', 'paused', 'restarting', 'removing', 'exited', 'dead')),
    desired          TEXT    NOT NULL DEFAULT 'stopped' CHECK (desired IN ('running', 'stopped')),
    pid              INTEGER,                       -- identity of the main process: pid, start time, boot
    start_time       INTEGER,                       -- clock ticks since boot, /proc/PID/stat field 22
    boot_id          TEXT,
    shim_pid         INTEGER,
    shim_start_time  INTEGER,
    started_ns       INTEGER NOT NULL DEFAULT 0,    -- 0 = never
    finished_ns      INTEGER NOT NULL DEFAULT 0,    -- 0 = never
    exit_code        INTEGER NOT NULL DEFAULT 0,
    error            TEXT    NOT NULL DEFAULT '',
    oom_killed       INTEGER NOT NULL DEFAULT 0 CHECK (oom_killed IN (0, 1)),
    restart_count    INTEGER NOT NULL DEFAULT 0,
    manually_stopped INTEGER NOT NULL DEFAULT 0 CHECK (manually_stopped IN (0, 1)),
    auto_remove      INTEGER NOT NULL DEFAULT 0 CHECK (auto_remove IN (0, 1)),

    CHECK ((pid IS NULL) = (start_time IS NULL) AND (pid IS NULL) = (boot_id IS NULL)),
    CHECK ((shim_pid IS NULL) = (shim_start_time IS NULL)),
    CHECK (status NOT IN ('running', 'paused') OR pid IS NOT NULL)
) STRICT, WITHOUT ROWID;

-- The layers a container stands on outlive their image's row when that is removed by force. Copied by a trigger, so
-- that no way of making a container can forget it.
CREATE TABLE container_layers (
    container_id TEXT    NOT NULL REFERENCES containers (id) ON DELETE CASCADE,
    position     INTEGER NOT NULL,
    diff_id      TEXT    NOT NULL REFERENCES layers (diff_id),
    PRIMARY KEY (container_id, position)
) STRICT, WITHOUT ROWID;

CREATE INDEX container_layers_by_layer ON container_layers (diff_id);

CREATE TRIGGER containers_hold_layers AFTER INSERT ON containers
BEGIN
    INSERT INTO container_layers (container_id, position, diff_id)
    SELECT new.id, position, diff_id FROM image_layers WHERE image_id = new.image_id;
END;

-- Host IDs [first, first + size) leased to one container. That ranges of different sizes do not overlap is checked
-- by the statement that inserts them.
CREATE TABLE id_ranges (
    first        INTEGER NOT NULL PRIMARY KEY CHECK (first >= 65536),
    size         INTEGER NOT NULL CHECK (size > 0),
    container_id TEXT    NOT NULL UNIQUE REFERENCES containers (id) ON DELETE CASCADE
) STRICT;
