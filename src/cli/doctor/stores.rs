//! The stores below the state directory.

use std::fs;
use std::path::Path;

use super::Finding;
use crate::config::{Environment, state_base};
use crate::store;

/// One finding for each account's store; none when nothing was mounted yet.
pub(super) fn stores(environment: &Environment) -> Vec<Finding> {
    let Ok(base) = state_base(environment, None) else {
        return Vec::new();
    };
    let entries = fs::read_dir(base).into_iter().flatten().flatten();
    let dirs = entries
        .map(|entry| entry.path())
        .filter(|dir| dir.join("store.db").exists());
    dirs.map(|dir| look(&dir)).collect()
}

fn look(dir: &Path) -> Finding {
    match store::check(dir) {
        Ok(()) => Finding::ok("store", dir.display().to_string()),
        Err(error) => Finding::problem(
            "store",
            format!("{}: {error}", dir.display()),
            "Unmount, keep a copy of this directory, remove it, and mount again: contacts are read anew, unsent saves are in the copy.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::stores;
    use crate::config::Environment;

    #[test]
    fn a_damaged_store_is_found() {
        let home = tempfile::tempdir().unwrap();
        let account = home.path().join("default");
        std::fs::create_dir(&account).unwrap();
        std::fs::write(account.join("store.db"), [0xA5; 8192]).unwrap();
        let state = (
            "CONTACTFS_STATE_DIR".to_owned(),
            home.path().to_str().unwrap().to_owned(),
        );
        let findings = stores(&Environment::from_iter([state]));
        assert_eq!(findings.len(), 1);
        assert!(!findings[0].ok, "{findings:?}");
    }
}
