//! Whether a store on disk is whole, for `contactfs doctor`; also beside a live mount.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

use super::{Error, Result};

/// Looks through the database in a state directory.
///
/// # Errors
/// [`Error::Corrupt`] with what SQLite found, or a failure to open or read it.
pub fn check(dir: &Path) -> Result<()> {
    let sql = Connection::open_with_flags(dir.join("store.db"), OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let found: String = sql.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    if found == "ok" {
        Ok(())
    } else {
        Err(Error::Corrupt(found))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Store;
    use super::check;
    use crate::vcard::Style;

    #[test]
    fn a_whole_store_passes_and_a_damaged_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        drop(Store::open(dir.path(), "me", "http://here", Style::default()).unwrap());
        check(dir.path()).unwrap();
        let path = dir.path().join("store.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let page = bytes.len() / 2 / 4096 * 4096;
        bytes[page..page + 4096].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        assert!(check(dir.path()).is_err());
    }
}
