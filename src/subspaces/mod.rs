//! Who plays in which subspace when, how uneven that made the data, and whether anything of the
//! targets was seen on the way. No threads and no clocks.

mod leak;
mod plan;
mod skew;

pub use leak::{Leak, LeakKind, LeakReport, check as leak_check};
pub use plan::{Assigned, Phase, SubspacePlan};
pub use skew::{Skew, jensen_shannon_bits};

#[cfg(test)]
mod tests;
