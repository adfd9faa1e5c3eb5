//! Saving a contact's file as an editor does: through the mount, so that it is checked, merged and sent like any save.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use super::error::{CliError, Exit};

/// Puts a text in the place of a file, and waits for the service's verdict. The text is asked for once the file that will
/// replace it exists: what changes elsewhere after that is merged with it.
pub(super) fn put(
    path: &Path,
    text: impl FnOnce() -> Result<Vec<u8>, CliError>,
) -> Result<(), CliError> {
    let failed = |error: io::Error| {
        CliError::failed(
            Exit::Attention,
            format!("cannot save {}: {error}", path.display()),
        )
    };
    let scratch = path.with_file_name(format!(".contactfs-{}.tmp", std::process::id()));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&scratch);
    let done = file.map_err(failed).and_then(|mut file| {
        file.write_all(&text()?).map_err(failed)?;
        fs::rename(&scratch, path).map_err(failed)
    });
    if done.is_err() {
        drop(fs::remove_file(&scratch));
    }
    done?;
    File::open(path)
        .and_then(|file| file.sync_all())
        .map_err(|error| failed(error).hint("The .error file beside it says why"))
}
