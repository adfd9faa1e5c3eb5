//! The database's tables, one migration per `user_version`.

use rusqlite::Connection;

use super::Error;

/// Applied in order; `user_version` counts those that have been. Never edit one that was released: append.
const MIGRATIONS: &[&str] = &[V1, V2, V3, V4, V5, V6, V7, V8, V9, V10, V11];

/// Brings a database of any earlier version to the present one.
///
/// # Errors
/// [`Error::Newer`] when a later program wrote the file; otherwise what SQLite says.
pub(super) fn migrate(sql: &mut Connection) -> Result<(), Error> {
    let done: usize = sql.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if done > MIGRATIONS.len() {
        return Err(Error::Newer {
            found: done,
            known: MIGRATIONS.len(),
        });
    }
    for (number, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        let tx = sql.transaction()?;
        tx.execute_batch(migration)?;
        tx.pragma_update(None, "user_version", number + 1)?;
        tx.commit()?;
    }
    Ok(())
}

/// Inodes and names are apart, as on any Unix filesystem, because scratch files have hard links and because
/// a contact's identity follows its name while the inode follows the bytes (behaviour 4.6).
/// Bytes are apart from both, so that reading all names at start touches no card.
const V1: &str = "
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE inode(
    ino INTEGER PRIMARY KEY,
    kind INTEGER NOT NULL,
    folder INTEGER,               -- of a folder's directory
    contact INTEGER,              -- of a card; NULL while it is a draft
    dirty INTEGER NOT NULL,       -- of a card: the newest bytes are in the blob, not yet accepted
    mode INTEGER NOT NULL,
    size INTEGER NOT NULL,
    mtime INTEGER NOT NULL,
    ctime INTEGER NOT NULL,
    target TEXT                   -- of a symbolic link
);
CREATE TABLE entry(
    dir INTEGER NOT NULL,
    name TEXT NOT NULL,
    ino INTEGER NOT NULL,
    PRIMARY KEY(dir, name)
) WITHOUT ROWID;
CREATE INDEX entry_ino ON entry(ino);
-- Of a dirty card: what the contact was when the edit began.
CREATE TABLE edit(ino INTEGER PRIMARY KEY, base_key TEXT);
CREATE TABLE text(ino INTEGER PRIMARY KEY, bytes BLOB NOT NULL);

-- Texts whose inode has no name any more, kept for open descriptors and for deletions that may be taken back.
CREATE TABLE orphan(ino INTEGER PRIMARY KEY);

CREATE TABLE folder(
    id INTEGER PRIMARY KEY,
    graph TEXT UNIQUE,            -- NULL until the service has made it
    parent INTEGER,
    name TEXT NOT NULL,           -- as the service shows it
    is_default INTEGER NOT NULL,
    ino INTEGER NOT NULL,
    loaded INTEGER NOT NULL,      -- whether it can be listed
    delta TEXT,                   -- where the next delta query goes on
    resume TEXT,                  -- where an unfinished full load goes on
    generation INTEGER NOT NULL DEFAULT 0,  -- counts full loads
    pulled INTEGER                -- time of the last complete pull
);
CREATE TABLE contact(
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: a reply may come for one that is gone
    graph TEXT UNIQUE,            -- NULL until the service has made it
    folder INTEGER NOT NULL,
    change_key TEXT,
    old_keys TEXT NOT NULL DEFAULT '',  -- versions our own writes replaced: a replay of one is not news
    created INTEGER NOT NULL,
    modified INTEGER,             -- when it last changed at the service
    wire TEXT,                    -- the contact as the service last said it
    residue TEXT,                 -- NULL until read
    uid TEXT,                     -- as its file shows it
    ino INTEGER,                  -- the file that shows it
    seen INTEGER NOT NULL,        -- the folder's generation in which it was last seen
    state TEXT,                   -- 'rejected' or 'conflict' when the last save was not taken
    problem TEXT,                 -- why, in one sentence
    problem_seq INTEGER           -- which save that was
);
CREATE INDEX contact_folder ON contact(folder);
CREATE INDEX contact_unshown ON contact(folder, created, graph) WHERE ino IS NULL;
CREATE INDEX contact_uid ON contact(uid);
CREATE INDEX contact_ino ON contact(ino);

CREATE TABLE outbox(
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    op TEXT NOT NULL,             -- create update delete move mkdir rmdir rename
    contact INTEGER,
    folder INTEGER,               -- of mkdir, rmdir, rename; of move: where it came from
    sending INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    unsure INTEGER NOT NULL DEFAULT 0,  -- an attempt may have reached the service
    not_before INTEGER NOT NULL,
    base TEXT,                    -- the card the edit started from (JSON)
    base_key TEXT,                -- its version
    ours TEXT,                    -- the card to be (JSON)
    theirs TEXT,                  -- the card found on the server instead, when they clash
    client TEXT,                  -- private id of a create or move
    moved TEXT,                   -- of a move: the new contact's id once it exists
    dir INTEGER, name TEXT, old_ino INTEGER,  -- of a delete: what was unlinked; name also of mkdir and rename
    last_error TEXT
);
CREATE INDEX outbox_contact ON outbox(contact);
CREATE INDEX outbox_unlinked ON outbox(dir, name) WHERE op = 'delete';
";

/// A text is merged with what its inode showed before, which is there anyway; so an edit has nothing to remember.
const V2: &str = "
DROP TABLE edit;
ALTER TABLE outbox DROP COLUMN theirs;

-- Texts that are not shown any more.
CREATE TABLE history(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    contact INTEGER NOT NULL,     -- whose row may be gone
    dir INTEGER NOT NULL, name TEXT NOT NULL,  -- the file
    at INTEGER NOT NULL,          -- when it ceased to be shown
    fate TEXT NOT NULL,           -- how: saved changed answered deleted vanished rejected conflict
    bytes BLOB NOT NULL
);
CREATE INDEX history_at ON history(at);
CREATE INDEX history_contact ON history(contact);
CREATE INDEX history_name ON history(dir, name);

-- Contacts in state 'conflict': the card as either side would have it.
CREATE TABLE clash(
    contact INTEGER PRIMARY KEY,
    ours TEXT,                    -- (JSON) NULL when this side deleted it
    theirs TEXT NOT NULL,         -- (JSON)
    names TEXT NOT NULL           -- the properties, one a line
);
";

/// Pictures. Folders are read once more, for the store does not know yet which contacts have one.
const V3: &str = "
CREATE TABLE photo(id TEXT PRIMARY KEY, bytes BLOB NOT NULL);  -- by the hash of the bytes
-- Which picture the accepted text of a file shows.
CREATE TABLE shown(ino INTEGER PRIMARY KEY, photo TEXT NOT NULL);
CREATE TRIGGER text_gone AFTER DELETE ON text BEGIN DELETE FROM shown WHERE ino = old.ino; END;

ALTER TABLE contact ADD COLUMN picture INTEGER;  -- 1: may have one, if photo_key is not its version
ALTER TABLE contact ADD COLUMN photo TEXT;       -- the picture last read or sent
ALTER TABLE contact ADD COLUMN photo_key TEXT;   -- the version in which it was last looked for
CREATE INDEX contact_picture ON contact(id) WHERE picture = 1;
CREATE INDEX contact_looked ON contact(id) WHERE photo_key IS NOT NULL;
CREATE INDEX contact_photo ON contact(photo) WHERE photo IS NOT NULL;

ALTER TABLE outbox ADD COLUMN photo TEXT;        -- of photo: the picture to be, NULL for none
ALTER TABLE outbox ADD COLUMN photo_base TEXT;   -- of photo: the picture the file showed before
ALTER TABLE outbox ADD COLUMN photo_sent INTEGER NOT NULL DEFAULT 0;  -- of photo: it may have been sent
UPDATE folder SET delta = NULL, resume = NULL;
";

/// Deletions that look like an accident wait for a person.
const V4: &str = "
ALTER TABLE outbox ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX outbox_held ON outbox(contact) WHERE held = 1;

-- Contacts deleted on this machine within the last minute.
CREATE TABLE deletion(
    contact INTEGER PRIMARY KEY,
    folder INTEGER NOT NULL,
    at INTEGER NOT NULL
);
CREATE INDEX deletion_folder ON deletion(folder);
CREATE INDEX deletion_at ON deletion(at);
";

/// Pictures beside their cards.
const V5: &str = "
CREATE TABLE sidecar(
    ino INTEGER PRIMARY KEY,
    contact INTEGER NOT NULL,
    photo TEXT NOT NULL,          -- the picture it shows
    ending TEXT NOT NULL          -- of its name
);
CREATE INDEX sidecar_contact ON sidecar(contact);
";

/// Only a picture that a program has read is taken away by a text without it.
const V6: &str = "
ALTER TABLE shown ADD COLUMN known INTEGER NOT NULL DEFAULT 0;
";

/// Whoever waits for a save waits for the row that carries its text, whatever that has become.
const V7: &str = "
ALTER TABLE outbox ADD COLUMN first INTEGER;     -- the number under which the oldest text it carries was queued, if another
";

/// An answer that was asked for before we deleted a contact, or moved it away, may come after: it is no news.
const V8: &str = "
CREATE TABLE gone(
    graph TEXT PRIMARY KEY,
    change_key TEXT NOT NULL,     -- the version we deleted: another one was restored from the deleted items
    at INTEGER NOT NULL
) WITHOUT ROWID;
";

/// Contacts that the service fails to show are asked for again.
const V9: &str = "
ALTER TABLE contact ADD COLUMN unread INTEGER;  -- when to ask again
CREATE INDEX contact_unread ON contact(unread) WHERE unread IS NOT NULL;
";

/// A contact and the copy that a move has made of it may both be edited elsewhere.
const V10: &str = "
ALTER TABLE outbox ADD COLUMN copied TEXT;      -- of a move: the card of the contact as it was copied (JSON)
";

/// Conflicts about pictures.
const V11: &str = "
CREATE TABLE photo_clash(
    contact INTEGER PRIMARY KEY,
    ours TEXT,                    -- the picture as either side would have it, NULL for none
    theirs TEXT
);
";

#[cfg(test)]
mod tests;
