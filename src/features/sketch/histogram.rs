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

impl Histogram {
    /// Bins without rows between two coordinates, both included.
    pub(super) fn spanning(least: i64, greatest: i64) -> Self {
        let bins =
            |shift: u32| ((greatest >> shift) - (least >> shift)).cast_unsigned() as usize + 1;
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
        let bin = ((coordinate >> self.shift) - self.first).cast_unsigned() as usize;
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

    /// The two histograms as one, in the bins that both fit into.
    pub(super) fn merged(&self, other: &Self) -> Self {
        let shift = self.shift.max(other.shift);
        let ends = |of: &Self| {
            let by = shift - of.shift;
            (
                of.first >> by,
                (of.first + of.counts.len() as i64 - 1) >> by,
            )
        };
        let ((a, b), (c, d)) = (ends(self), ends(other));
        let (mut first, mut last, mut more) = (a.min(c), b.max(d), 0);
        while MAX_BINS < (last - first).cast_unsigned() as usize + 1 {
            (first, last, more) = (first >> 1, last >> 1, more + 1);
        }
        let mut merged = Self {
            shift: shift + more,
            first,
            counts: vec![0; (last - first).cast_unsigned() as usize + 1],
        };
        for part in [self, other] {
            for (bin, &count) in part.counts.iter().enumerate() {
                let place = (part.first + bin as i64) >> (merged.shift - part.shift);
                merged.counts[(place - first).cast_unsigned() as usize] += count;
            }
        }
        merged
    }
}
