//! Backing files on the local disk, one per inode that is not (or not yet) an accepted card.
//!
//! A plain file gives random writes, truncation, holes and durability for nothing, and survives the death
//! of the process, which is what a `close` of a half-written card promises (behaviour P1, 3.2).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::model::Ino;

/// The directory of backing files.
#[derive(Debug)]
pub struct Blobs {
    dir: PathBuf,
}

impl Blobs {
    /// Opens the directory, making it with mode 0700.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn open(dir: &Path) -> io::Result<Self> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Opens an inode's file for reading and writing.
    ///
    /// # Errors
    /// When there is none, or what the local disk says.
    pub fn file(&self, ino: Ino) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.path(ino))
    }

    /// An inode's bytes.
    ///
    /// # Errors
    /// When the file is missing or unreadable.
    pub fn read(&self, ino: Ino) -> io::Result<Vec<u8>> {
        fs::read(self.path(ino))
    }

    /// Makes an inode's file, or replaces its bytes.
    ///
    /// # Errors
    /// What the local disk says.
    pub fn write(&self, ino: Ino, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(ino);
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        std::os::unix::fs::FileExt::write_all_at(&file, bytes, 0)
    }

    /// Makes the names of all files survive a power cut.
    ///
    /// # Errors
    /// What the local disk says.
    pub fn sync_names(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }

    /// Whether an inode has a file.
    #[must_use]
    pub fn exists(&self, ino: Ino) -> bool {
        self.path(ino).exists()
    }

    /// The length of an inode's file; zero when there is none.
    #[must_use]
    pub fn len(&self, ino: Ino) -> u64 {
        fs::metadata(self.path(ino)).map_or(0, |meta| meta.len())
    }

    /// The length of an inode's file and the room it takes, in units of 512 bytes; none when there is no file.
    #[must_use]
    pub fn size(&self, ino: Ino) -> (u64, Option<u64>) {
        fs::metadata(self.path(ino)).map_or((0, None), |meta| (meta.len(), Some(meta.blocks())))
    }

    /// Removes an inode's file; one that is not there is no error.
    pub fn remove(&self, ino: Ino) {
        if let Err(error) = fs::remove_file(self.path(ino))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%ino, %error, "a backing file could not be removed");
        }
    }

    /// Removes every file whose inode is not wanted any more.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn retain(&self, wanted: impl Fn(Ino) -> bool) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let name = entry?.file_name();
            if let Some(ino) = name.to_str().and_then(|name| name.parse().ok()).map(Ino)
                && !wanted(ino)
            {
                self.remove(ino);
            }
        }
        Ok(())
    }

    fn path(&self, ino: Ino) -> PathBuf {
        self.dir.join(ino.to_string())
    }
}
