//! What of a preparer goes on over a resume.

use super::{Books, Preparer};
use crate::contrast::Contrasts;
use anyhow::{Context as _, Result, ensure};
use contrail_agents::loss_policy::LossPolicy;
use serde::{Deserialize, Serialize};
use std::io::{Read, Write};

/// Everything of a saved preparer but its stores.
#[derive(Serialize, Deserialize)]
struct Header {
    policy: LossPolicy,
    books: Books,
    held_out: bool,
}

impl Preparer {
    /// Writes everything that determines later jobs. Between two segments of a run nothing is
    /// under way. Give it a buffered writer.
    ///
    /// # Errors
    /// If `out` fails, or jobs are under way.
    pub fn save(&self, out: &mut dyn Write) -> Result<()> {
        ensure!(self.under_way.is_empty(), "{} contrasts are under way", self.under_way.len());
        let header = Header {
            policy: self.policy.clone(),
            books: self.books.clone(),
            held_out: self.held_out.is_some(),
        };
        let header = postcard::to_stdvec(&header)?;
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        self.contrasts.save(out)?;
        if let Some(held_out) = &self.held_out {
            held_out.save(out)?;
        }
        Ok(())
    }

    /// Continues from what [`Preparer::save`] wrote with the same config. Whether the loss policy
    /// goes on: under other settings than it was saved with it begins anew.
    ///
    /// # Errors
    /// If the state is damaged, or of another config.
    pub fn restore(&mut self, input: &mut dyn Read) -> Result<bool> {
        let mut len = [0; 8];
        input.read_exact(&mut len)?;
        let mut bytes = Vec::new();
        (&mut *input).take(u64::from_le_bytes(len)).read_to_end(&mut bytes)?;
        let header: Header =
            postcard::from_bytes(&bytes).context("the state of the loss policy is damaged")?;
        self.contrasts.restore(input)?;
        self.held_out = None;
        if header.held_out {
            let mut held_out = Contrasts::new(&self.held_out_stores())?;
            held_out.restore(input)?;
            self.held_out = Some(held_out);
        }
        self.books = header.books;
        self.under_way.clear();
        let same = header.policy.config() == self.policy.config();
        if same {
            self.policy = header.policy;
        } else {
            self.books.previous = None;
        }
        Ok(same)
    }
}
