//! Where log events go, in which form, and from which level on.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::writer::BoxMakeWriter;

/// How to log.
#[derive(Clone, Debug, Default)]
pub struct LogSettings {
    /// Appends to this file; standard error when absent.
    pub file: Option<PathBuf>,
    /// The form of a line.
    pub format: LogFormat,
    /// Steps above (or below) the default of warnings from everywhere and notes from contactfs.
    pub verbosity: i8,
    /// Every kernel request, too.
    pub fuse: bool,
    /// A tracing filter that replaces all of the above levels (`CONTACTFS_LOG`).
    pub filter: Option<String>,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The log file of this process, which has one log.
static FILE: OnceLock<LogFile> = OnceLock::new();

/// A file that can be opened anew under its name.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    /// Held for one line.
    file: Mutex<File>,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log file cannot be opened.
    #[error("cannot open the log file {path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The filter does not parse.
    #[error("not a log filter: {0}")]
    Filter(String),
    /// Another subscriber is already there.
    #[error("logging is already set up")]
    Twice,
}

/// Installs the process-wide subscriber.
///
/// # Errors
/// [`LogError`]; nothing is installed then.
pub fn init(settings: &LogSettings) -> Result<(), LogError> {
    let colour = settings.file.is_none() && io::stderr().is_terminal();
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter(settings)?)
        .with_writer(writer(settings)?)
        .with_ansi(colour);
    match settings.format {
        LogFormat::Text => subscriber.try_init(),
        LogFormat::Json => subscriber.json().try_init(),
    }
    .map_err(|_| LogError::Twice)
}

fn filter(settings: &LogSettings) -> Result<EnvFilter, LogError> {
    let text = settings
        .filter
        .clone()
        .unwrap_or_else(|| directives(settings));
    EnvFilter::try_new(&text).map_err(|_| LogError::Filter(text))
}

fn directives(settings: &LogSettings) -> String {
    let levels = match settings.verbosity {
        ..0 => "error",
        // The protocol crate warns of every request that has no answer here, which programs ask as a matter of course.
        0 => "warn,fuser=error,contactfs=info",
        1 => "warn,fuser=error,contactfs=debug",
        2.. => "info,fuser=error,contactfs=trace",
    };
    if settings.fuse {
        format!("{levels},contactfs::fs=trace,fuser=debug")
    } else {
        levels.to_owned()
    }
}

/// Goes on in a new file of the same name if the old one was moved away; does nothing without a log file.
///
/// # Errors
/// When it cannot be opened; the log goes on in the old one then.
pub fn reopen() -> io::Result<()> {
    FILE.get().map_or(Ok(()), LogFile::reopen)
}

fn writer(settings: &LogSettings) -> Result<BoxMakeWriter, LogError> {
    let Some(path) = &settings.file else {
        return Ok(BoxMakeWriter::new(io::stderr));
    };
    let file = LogFile::open(path).map_err(|source| LogError::File {
        path: path.clone(),
        source,
    })?;
    let file: &'static LogFile = FILE.get_or_init(|| file);
    Ok(BoxMakeWriter::new(move || file))
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: Mutex::new(append(path)?),
            path: path.to_owned(),
        })
    }

    fn reopen(&self) -> io::Result<()> {
        *self.file() = append(&self.path)?;
        Ok(())
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &LogFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.file().write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file().flush()
    }
}

/// The file is 0600: a log names contacts at debug level (behaviour 8.2).
fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(verbosity: i8) -> String {
        directives(&LogSettings {
            verbosity,
            ..LogSettings::default()
        })
    }

    #[test]
    fn each_step_of_verbosity_says_more() {
        assert_eq!(level(-1), "error");
        assert_eq!(level(0), "warn,fuser=error,contactfs=info");
        assert_eq!(level(1), "warn,fuser=error,contactfs=debug");
        assert_eq!(level(5), "info,fuser=error,contactfs=trace");
    }

    #[test]
    fn a_filter_replaces_the_levels_and_must_parse() {
        let with = |text: &str| {
            filter(&LogSettings {
                filter: Some(text.to_owned()),
                ..LogSettings::default()
            })
        };
        assert_eq!(
            with("contactfs::sync=debug").unwrap().to_string(),
            "contactfs::sync=debug"
        );
        assert!(matches!(with("a=b=c"), Err(LogError::Filter(_))));
    }

    #[test]
    fn a_log_file_is_closed_to_others_and_made_anew_when_it_was_moved_away() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let (path, old) = (dir.path().join("log"), dir.path().join("log.1"));
        let log = LogFile::open(&path).unwrap();
        (&log).write_all(b"one\n").unwrap();
        std::fs::rename(&path, &old).unwrap();
        (&log).write_all(b"two\n").unwrap();
        log.reopen().unwrap();
        (&log).write_all(b"three\n").unwrap();
        assert_eq!(std::fs::read_to_string(old).unwrap(), "one\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }
}
