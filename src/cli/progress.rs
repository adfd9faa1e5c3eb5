//! What a person sees while a mount comes up.

use std::path::Path;

use indicatif::ProgressBar;

use super::output;
use crate::daemon::Progress;

/// Tells a person at the terminal; the moving line appears only on one.
pub(super) struct Terminal {
    spinner: ProgressBar,
    sandbox: bool,
}

impl Terminal {
    /// With `sandbox`, a newcomer is told what to try: it is mounted whole.
    pub(super) fn new(sandbox: bool) -> Self {
        let spinner = if output::is_interactive() {
            ProgressBar::new_spinner()
        } else {
            ProgressBar::hidden()
        };
        Self { spinner, sandbox }
    }
}

impl Progress for Terminal {
    fn folder(&self, name: &str, contacts: usize) {
        self.spinner.set_message(output::plain(&format!(
            "reading {name}: {contacts} contacts"
        )));
        self.spinner.tick();
    }

    fn mounted(&self, dir: &Path) {
        self.spinner.finish_and_clear();
        output::note(&format!("mounted {}", dir.display()));
        if self.sandbox {
            suggest(dir);
        }
    }

    fn unmounted(&self, pending: usize) {
        self.spinner.finish_and_clear();
        output::note_left(pending);
    }
}

fn suggest(dir: &Path) {
    let dir = dir.display();
    output::note("This is a sample mailbox. Try in another terminal:");
    output::note(&format!("  ls {dir}/Contacts"));
    output::note(&format!("  vim {dir}/Contacts"));
    output::note(&format!("  contactfs status {dir}"));
    output::note(&format!(
        "To unmount, press Ctrl-C here or run: contactfs umount {dir}"
    ));
}
