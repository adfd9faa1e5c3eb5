//! Delta queries, one folder each (graph-facts 3.2).

use super::endpoint::segment;
use super::request::{About, Call, Reply};
use super::{Client, DeltaFrom, DeltaNext, DeltaPage, Error, wire};
use crate::model::{DeltaLink, FolderId};

/// The largest page the service is known to make.
const PAGE: usize = 200;

impl Client {
    /// Reads one page.
    ///
    /// # Errors
    /// [`Error::SyncStateLost`] when the folder must be read from the start, [`Error::FolderGone`], [`Error::ForeignOrigin`] for a link
    /// that leads elsewhere.
    pub async fn delta_page(&self, from: &DeltaFrom) -> Result<DeltaPage, Error> {
        let call = match from {
            DeltaFrom::Start(folder) => self.start(folder)?,
            DeltaFrom::Link(link) => self.follow(link)?,
        };
        self.page(self.transport().send(call).await?)
    }

    /// Reads one page of each; results are in the order of `links`.
    ///
    /// # Errors
    /// As a whole only for what concerns every request; else per link as [`delta_page`](Self::delta_page).
    pub async fn delta_round(
        &self,
        links: &[DeltaLink],
    ) -> Result<Vec<Result<DeltaPage, Error>>, Error> {
        let calls = links.iter().map(|link| self.follow(link)).collect();
        let mut pages = self.run_each(calls, |_, reply| self.page(reply)).await?;
        for (link, page) in links.iter().zip(&mut pages) {
            // Too large together may not be too large alone.
            if matches!(page, Err(Error::TooLarge { .. })) && links.len() > 1 {
                *page = self.delta_page(&DeltaFrom::Link(link.clone())).await;
            }
        }
        Ok(pages)
    }

    /// Neither `$top` nor `$select` nor `$expand`: all were seen refused (traps 13 and 14).
    fn start(&self, folder: &FolderId) -> Result<Call, Error> {
        let target = self.path(&format!(
            "/contactFolders/{}/contacts/delta",
            segment(folder.as_str())?
        ));
        Ok(Call::get(About::Folder, target).page_size(PAGE))
    }

    /// Reads a page. A link to the rest that leads elsewhere is refused here, before it is kept for another time.
    fn page(&self, reply: Reply) -> Result<DeltaPage, Error> {
        let page = wire::delta_page(&reply.into_json()?)?;
        if let DeltaNext::More(link) = &page.next {
            self.check_link(link)?;
        }
        Ok(page)
    }

    /// Whether a link leads to the service at all.
    ///
    /// # Errors
    /// [`Error::ForeignOrigin`] if not.
    pub fn check_link(&self, link: &DeltaLink) -> Result<(), Error> {
        self.transport().endpoint().relative(link.as_str())?;
        Ok(())
    }

    fn follow(&self, link: &DeltaLink) -> Result<Call, Error> {
        let target = self.transport().endpoint().relative(link.as_str())?;
        Ok(Call::get(About::DeltaLink, target).page_size(PAGE))
    }
}
