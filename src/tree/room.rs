//! Room on the disk: of scratch files it is the backing file's, with its holes; a contact's file is a text without any.

use std::fs::File;

use rustix::fs::{FallocateFlags, SeekFrom, fallocate, seek};

use super::{Error, Result, Tree};
use crate::model::Ino;
use crate::store::InodeKind;

/// What `lseek` looks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sought {
    /// `SEEK_DATA`.
    Data,
    /// `SEEK_HOLE`.
    Hole,
}

impl Tree {
    /// Makes room for a part of a scratch file, or a hole of it; `mode` as `fallocate` has it.
    ///
    /// # Errors
    /// [`Error::NotSupported`] for a contact's file, [`Error::NotPermitted`] for a picture beside one, or what the local disk says.
    pub fn allocate(&self, ino: Ino, offset: u64, length: u64, mode: u32) -> Result<()> {
        let _edit = self.edit();
        let file = self.scratch_file(ino)?;
        if self.settings.read_only {
            return Err(Error::ReadOnly);
        }
        self.refuse_sidecar(ino)?;
        let flags = FallocateFlags::from_bits(mode).ok_or(Error::NotSupported)?;
        fallocate(&file, flags, offset, length).map_err(std::io::Error::from)?;
        let size = file.metadata()?.len();
        self.edited(ino, &file, 0, |_| size);
        Ok(())
    }

    /// The next data or hole of a file from an offset on.
    ///
    /// # Errors
    /// [`Error::BeyondEnd`] when there is none.
    pub fn seek(&self, ino: Ino, offset: u64, sought: Sought) -> Result<u64> {
        let size = self.stat(ino)?.size;
        if offset >= size {
            return Err(Error::BeyondEnd);
        }
        match (self.scratch_file(ino), sought) {
            (Ok(file), sought) => {
                let place = match sought {
                    Sought::Data => SeekFrom::Data(offset),
                    Sought::Hole => SeekFrom::Hole(offset),
                };
                Ok(seek(&file, place).map_err(std::io::Error::from)?)
            }
            (Err(Error::NotSupported), Sought::Data) => Ok(offset),
            (Err(Error::NotSupported), Sought::Hole) => Ok(size),
            (Err(error), _) => Err(error),
        }
    }

    fn scratch_file(&self, ino: Ino) -> Result<std::sync::Arc<File>> {
        match self.kind(ino)? {
            InodeKind::File => Ok(self.cache.file(&self.store, ino)?),
            _ => Err(Error::NotSupported),
        }
    }
}
