//! Stores that an earlier or a later version of the program left.

#![allow(clippy::unwrap_used, reason = "test helpers")]

use rusqlite::Connection;

use super::{MIGRATIONS, V1};
use crate::model::{ContactId, FolderId, Ino};
use crate::store::{Error, Op, Store};
use crate::vcard::Style;

/// What the first version kept of a folder with two contacts: one with a save that waits, one that was never sent.
const CONTENT: &str = r#"
INSERT INTO meta VALUES('mailbox', 'me'), ('origin', 'http://here'), ('ino', 4), ('folder', 1);
INSERT INTO inode VALUES(1, 5, NULL, NULL, 0, 448, 0, 1000, 1000, NULL);
INSERT INTO inode VALUES(2, 0, 1, NULL, 0, 448, 0, 1000, 1000, NULL);
INSERT INTO inode VALUES(3, 2, NULL, 1, 0, 384, 42, 1000, 1000, NULL);
INSERT INTO inode VALUES(4, 2, NULL, 2, 0, 384, 42, 1000, 1000, NULL);
INSERT INTO entry VALUES(1, 'Contacts', 2), (2, 'Ada.vcf', 3), (2, 'Bo.vcf', 4);
INSERT INTO edit VALUES(3, 'k1');
INSERT INTO text VALUES(3, CAST('the card of Ada' AS BLOB)), (4, CAST('the card of Bo' AS BLOB));
INSERT INTO folder VALUES(1, 'folder-id', NULL, 'Contacts', 1, 2, 1, 'http://here/delta', NULL, 3, 5000);
INSERT INTO contact VALUES(1, 'ada-id', 1, 'k1', '', 1000, 2000, '{"displayName":{"text":"Ada"}}', '', 'uid-a', 3, 3, NULL, NULL, NULL);
INSERT INTO contact VALUES(2, NULL, 1, NULL, '', 1000, NULL, NULL, NULL, 'uid-b', 4, 3, NULL, NULL, NULL);
INSERT INTO outbox(seq, op, contact, attempts, not_before, base, base_key, ours, theirs)
    VALUES(7, 'update', 1, 2, 1000, '{"contact":{"displayName":{"text":"Ada"}},"residue":""}', 'k1',
           '{"contact":{"displayName":{"text":"Ada"},"jobTitle":{"text":"Poet"}},"residue":""}', NULL);
INSERT INTO outbox(seq, op, contact, not_before, ours, client)
    VALUES(8, 'create', 2, 1000, '{"contact":{"displayName":{"text":"Bo"}},"residue":""}', 'private-id');
"#;

fn old_store() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let sql = Connection::open(dir.path().join("store.db")).unwrap();
    sql.execute_batch(V1).unwrap();
    sql.execute_batch(CONTENT).unwrap();
    sql.pragma_update(None, "user_version", 1).unwrap();
    dir
}

fn open(dir: &tempfile::TempDir) -> Result<Store, Error> {
    Store::open(dir.path(), "me", "http://here", Style::default())
}

#[test]
fn a_store_of_the_first_version_is_taken_over_whole() {
    let dir = old_store();
    // Opened twice: what was taken over stays.
    drop(open(&dir).unwrap());
    let store = open(&dir).unwrap();
    let folders = store.folders().unwrap();
    assert_eq!(folders.len(), 1);
    assert_eq!(folders[0].graph, Some(FolderId::new("folder-id")));
    assert_eq!(
        (folders[0].name.as_str(), folders[0].loaded),
        ("Contacts", true)
    );
    assert_eq!(store.text(Ino(3)).unwrap().unwrap(), b"the card of Ada");
    assert_eq!(store.text(Ino(4)).unwrap().unwrap(), b"the card of Bo");
    assert_eq!(store.pending().unwrap().len(), 2);
    let jobs = store
        .write::<_, Error>(|tx| {
            let ada = tx.contact_by_graph(&ContactId::new("ada-id"))?.unwrap();
            let bo = tx.contact(crate::store::RowId(2))?.unwrap();
            assert_eq!((ada.ino, bo.ino), (Some(Ino(3)), Some(Ino(4))));
            assert_eq!(tx.names(Ino(3))?, [(Ino(2), "Ada.vcf".to_owned())]);
            tx.take_ready(9)
        })
        .unwrap();
    let said = |at: usize| {
        let ours = jobs[at].ours.as_ref().unwrap();
        serde_json::to_value(&ours.contact).unwrap()
    };
    assert_eq!((jobs[0].op, jobs[0].attempts), (Op::Update, 2));
    assert_eq!(
        said(0),
        serde_json::json!({"displayName": {"text": "Ada"}, "jobTitle": {"text": "Poet"}})
    );
    assert_eq!(jobs[0].base_key.as_ref().unwrap().as_str(), "k1");
    assert_eq!(jobs[1].op, Op::Create);
    assert_eq!(said(1), serde_json::json!({"displayName": {"text": "Bo"}}));
    assert_eq!(jobs[1].client.as_ref().unwrap().as_str(), "private-id");
}

/// Every step on the way is a store that the next program finds.
#[test]
fn an_upgrade_that_was_cut_short_goes_on() {
    for reached in 1..=MIGRATIONS.len() {
        let dir = old_store();
        let sql = Connection::open(dir.path().join("store.db")).unwrap();
        for migration in &MIGRATIONS[1..reached] {
            sql.execute_batch(migration).unwrap();
        }
        sql.pragma_update(None, "user_version", reached).unwrap();
        drop(sql);
        assert_eq!(
            open(&dir).unwrap().pending().unwrap().len(),
            2,
            "from {reached}"
        );
    }
}

#[test]
fn a_store_of_a_later_version_is_left_alone() {
    let dir = old_store();
    let later = MIGRATIONS.len() + 1;
    let sql = Connection::open(dir.path().join("store.db")).unwrap();
    sql.pragma_update(None, "user_version", later).unwrap();
    let refused = open(&dir).unwrap_err();
    assert!(matches!(refused, Error::Newer { found, .. } if found == later));
    let columns = "SELECT count(*) FROM pragma_table_info('outbox') WHERE name = 'theirs'";
    let kept: usize = sql.query_row(columns, [], |row| row.get(0)).unwrap();
    assert_eq!(kept, 1, "nothing was migrated");
}
