-- What the daemon itself needs: its identity, the operations under way, the events told to clients.
-- A migration that has been released is never edited; a change is a new file.

-- 'BRTH': lets a start with a wrong path refuse another program's database instead of filling it.
PRAGMA application_id = 1112691784;

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- One row per operation with side effects outside the database, written before the first of them and deleted after
-- the last. Whatever is here at boot was interrupted. AUTOINCREMENT: an id is never used twice.
CREATE TABLE operations (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    kind       TEXT    NOT NULL,
    subject    TEXT    NOT NULL,
    caller     TEXT    NOT NULL,              -- JSON: who asked
    step       TEXT    NOT NULL DEFAULT '',   -- last completed step; '' = none yet
    detail     TEXT    NOT NULL DEFAULT '{}', -- JSON: what finishing or undoing needs
    started_ns INTEGER NOT NULL,
    updated_ns INTEGER NOT NULL
) STRICT;

-- AUTOINCREMENT: sequence numbers stay unique and rising after the newest rows were pruned.
CREATE TABLE events (
    seq        INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    time_ns    INTEGER NOT NULL,
    kind       TEXT    NOT NULL,              -- the API's event type: container, image, network …
    action     TEXT    NOT NULL,
    actor_id   TEXT    NOT NULL,
    attributes TEXT    NOT NULL DEFAULT '{}', -- JSON object of strings
    scope      TEXT    NOT NULL DEFAULT 'local'
) STRICT;
