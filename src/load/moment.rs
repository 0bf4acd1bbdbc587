//! Moments and midnights.
//!
//! In: `as-of` as it was written, the zone of the data. Out: microseconds to compare with, calendar days to count.
//! Invariant: a column without zone is a wall clock and stays one; a column with zone is a line of instants, of which
//! only midnights and written dates are read in the zone.

use chrono::{
    DateTime, Datelike, Days as ChronoDays, NaiveDate, NaiveDateTime, TimeDelta, TimeZone,
};
use chrono_tz::Tz;

use super::AsOfMoment;
use crate::config::{AsOf, Days, Recency};
use crate::error::{Error, Result};

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// How the times of an input are read: as a wall clock, or as instants seen from a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Clock {
    /// The zone of a zoned column.
    pub(super) zone: Option<Tz>,
}

/// A moment on the clock of the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moment {
    /// Microseconds since 1970: of the wall clock without zone, of UTC with one.
    pub micros: i64,
    wall: NaiveDateTime,
    zone: Option<Tz>,
}

impl Clock {
    /// The moment that was written; `written_zone` is the zone that the config names, for an offset in front of a
    /// column without zone.
    pub(super) fn read(self, as_of: AsOf, written_zone: Option<Tz>) -> Result<Moment> {
        match (as_of, self.zone) {
            (AsOf::Local(wall), _) => self.at(wall),
            (AsOf::Instant(instant), Some(zone)) => Ok(Moment {
                micros: instant.timestamp_micros(),
                wall: instant.with_timezone(&zone).naive_local(),
                zone: Some(zone),
            }),
            (AsOf::Instant(instant), None) => {
                let zone = written_zone.unwrap_or(Tz::UTC);
                self.at(instant.with_timezone(&zone).naive_local())
            }
        }
    }

    /// The moment at which the wall clock shows `wall`; the first one where it shows it twice.
    fn at(self, wall: NaiveDateTime) -> Result<Moment> {
        let micros = match self.zone {
            None => wall.and_utc().timestamp_micros(),
            Some(zone) => {
                // A night in which midnight is skipped begins at the first minute that exists.
                let exists = (0..24 * 4)
                    .map(|quarters| wall + TimeDelta::minutes(15 * quarters))
                    .find_map(|wall| zone.from_local_datetime(&wall).earliest());
                exists
                    .ok_or_else(|| Error::BadValue {
                        key: "as-of".to_owned(),
                        found: wall.to_string(),
                        expected: format!("a time that {zone} has"),
                    })?
                    .timestamp_micros()
            }
        };
        Ok(Moment {
            micros,
            wall,
            zone: self.zone,
        })
    }

    /// The first midnight after the day `day`, in days since 1970.
    pub(super) fn midnight_after(self, day: i32) -> Result<Moment> {
        let date = date_of(day).and_then(|date| date.checked_add_days(ChronoDays::new(1)));
        match date.and_then(|date| date.and_hms_opt(0, 0, 0)) {
            Some(midnight) => self.at(midnight),
            None => Err(Error::BadValue {
                key: "as-of".to_owned(),
                found: format!("day {day} after 1970"),
                expected: "a date that a calendar has".to_owned(),
            }),
        }
    }

    /// How many of these times, from the first on, lie on the same calendar day; and that day, in days since 1970.
    pub(super) fn same_day(self, times: &[i64]) -> (i64, usize) {
        let Some(&first) = times.first() else {
            return (0, 0);
        };
        let day = self.day(first);
        let other = match self.zone {
            None => {
                // Compared with both ends, and not divided, as they mostly share it.
                let begin = day.saturating_mul(MICROS_PER_DAY);
                let end = begin.saturating_add(MICROS_PER_DAY - 1);
                times.iter().position(|time| !(begin..=end).contains(time))
            }
            Some(_) => times.iter().position(|&time| self.day(time) != day),
        };
        (day, other.unwrap_or(times.len()))
    }

    /// The calendar day of a moment, in days since 1970.
    fn day(self, micros: i64) -> i64 {
        match self.zone {
            None => micros.div_euclid(MICROS_PER_DAY),
            Some(zone) => DateTime::from_timestamp_micros(micros).map_or_else(
                || micros.div_euclid(MICROS_PER_DAY),
                |utc| days_of(utc.with_timezone(&zone).date_naive()),
            ),
        }
    }
}

impl Moment {
    /// The moment `days` calendar days earlier, at the same time of day.
    pub(super) fn before(self, days: Days) -> Result<Self> {
        Clock { zone: self.zone }.at(self.wall - TimeDelta::days(i64::from(days.0)))
    }

    /// Days from `micros` to this moment (DESIGN §2), each of the three ways.
    pub(super) fn days_since(self, micros: i64, recency: Recency) -> f64 {
        let elapsed = self.micros - micros;
        match recency {
            Recency::Floor => elapsed.div_euclid(MICROS_PER_DAY) as f64,
            Recency::Exact => elapsed as f64 / MICROS_PER_DAY as f64,
            Recency::Calendar => {
                let clock = Clock { zone: self.zone };
                (self.calendar_day() - clock.day(micros)) as f64
            }
        }
    }

    /// The calendar day of this moment, in days since 1970, from which `recency = "calendar"` counts.
    pub(super) fn calendar_day(self) -> i64 {
        days_of(self.wall.date())
    }

    /// The calendar day of an order, in days since 1970, on the clock of this moment.
    pub(super) fn day_of(self, micros: i64) -> i32 {
        let day = Clock { zone: self.zone }.day(micros);
        i32::try_from(day).unwrap_or(i32::MAX)
    }

    /// How results name this moment.
    pub(super) fn name(self) -> AsOfMoment {
        // From the instant and not from what was written: a clock may skip the time that was written.
        let local = self.zone.and_then(|zone| {
            let utc = DateTime::from_timestamp_micros(self.micros)?;
            Some(utc.with_timezone(&zone))
        });
        match local {
            Some(local) => AsOfMoment {
                date: local.date_naive(),
                text: local.format("%Y-%m-%dT%H:%M:%S%.f%:z").to_string(),
            },
            None => AsOfMoment {
                date: self.wall.date(),
                text: self.wall.format("%Y-%m-%dT%H:%M:%S%.f").to_string(),
            },
        }
    }
}

/// Days from 1970-01-01 to `date`.
pub(super) fn days_of(date: NaiveDate) -> i64 {
    const UNIX_EPOCH_FROM_CE: i64 = 719_163;
    i64::from(date.num_days_from_ce()) - UNIX_EPOCH_FROM_CE
}

/// The date `day` days after 1970-01-01.
pub(super) fn date_of(day: i32) -> Option<NaiveDate> {
    NaiveDate::from_epoch_days(day)
}
