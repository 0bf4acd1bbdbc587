//! How one feature is distributed, finely.
//!
//! In: fixed-point coordinates. Out: counts of bins of equal width.
//! Invariant: bins lie on a grid of powers of two, as fine as [`MAX_BINS`] between the least and the greatest coordinate
//! allow: a function of the rows, whatever their order.

/// Bins of a histogram at most.
pub const MAX_BINS: usize = 4_096;

/// Counts of the bins of one feature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Histogram {
    /// Bits of a coordinate within a bin.
    pub(super) shift: u32,
    /// Number of the first bin: the one that starts at first × width.
    pub(super) first: i64,
    /// Rows in each bin, weighted; the first and the last hold some.
    pub(super) counts: Vec<u64>,
}

/// Bins from one number to another, both included. The spans of coordinates are below 2⁴⁸, so none is cut off.
#[expect(
    clippy::cast_possible_truncation,
    reason = "usize has 64 bits where 2³² customers fit into memory"
)]
fn bins(first: i64, last: i64) -> usize {
    (last - first).cast_unsigned() as usize + 1
}

impl Histogram {
    /// Bins without rows between two coordinates, both included.
    pub(super) fn spanning(least: i64, greatest: i64) -> Self {
        let bins = |shift: u32| bins(least >> shift, greatest >> shift);
        let mut shift = 0;
        while MAX_BINS < bins(shift) {
            shift += 1;
        }
        Self {
            shift,
            first: least >> shift,
            counts: vec![0; bins(shift)],
        }
    }

    /// Counts a coordinate between the two of [`Self::spanning`].
    pub(super) fn count(&mut self, coordinate: i64, weight: u64) {
        let bin = bins(self.first, coordinate >> self.shift) - 1;
        self.counts[bin] += weight;
    }

    /// Adds the counts of the same bins.
    pub(super) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
    }

    /// Rows in each bin.
    pub fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// Number of a bin, from the first.
    fn bin(&self, bin: usize) -> i64 {
        self.first.saturating_add_unsigned(bin as u64)
    }

    /// The two histograms as one, in the bins that both fit into.
    pub(super) fn merged(&self, other: &Self) -> Self {
        let shift = self.shift.max(other.shift);
        let ends = |of: &Self| {
            let by = shift - of.shift;
            (of.first >> by, of.bin(of.counts.len() - 1) >> by)
        };
        let ((a, b), (c, d)) = (ends(self), ends(other));
        let (mut first, mut last, mut more) = (a.min(c), b.max(d), 0);
        while MAX_BINS < bins(first, last) {
            (first, last, more) = (first >> 1, last >> 1, more + 1);
        }
        let mut merged = Self {
            shift: shift + more,
            first,
            counts: vec![0; bins(first, last)],
        };
        for part in [self, other] {
            for (bin, &count) in part.counts.iter().enumerate() {
                let place = part.bin(bin) >> (merged.shift - part.shift);
                merged.counts[bins(first, place) - 1] += count;
            }
        }
        merged
    }
}
