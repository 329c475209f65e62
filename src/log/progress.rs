//! The live progress line of a run.

use super::Counters;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::time::{Duration, Instant};

/// The line is drawn anew at most this often.
const DRAW_PERIOD: Duration = Duration::from_millis(200);

/// Rates are averaged over about this long, so that they follow a change and do not flicker.
const RATE_TIME_S: f64 = 10.0;

/// One line on standard error: share done, last mean return, rates, time left. It fits 80 columns.
/// Where standard error is not a terminal nothing is drawn, and no escape code is written.
pub struct Progress {
    bar: ProgressBar,
    total_env_steps: u64,
    rates: Rates,
    mean_return: Option<f64>,
    began: Instant,
    drawn_at: Option<Instant>,
}

impl Progress {
    /// A line for a run of `total_env_steps` that starts, or resumes, at `counters`.
    #[must_use]
    pub fn new(total_env_steps: u64, counters: Counters) -> Self {
        let bar = ProgressBar::new(total_env_steps);
        bar.set_style(ProgressStyle::default_bar());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let rates = Rates::new(counters);
        Self {
            bar,
            total_env_steps,
            rates,
            mean_return: None,
            began: Instant::now(),
            drawn_at: None,
        }
    }

    /// Shows how far the run is. `mean_return` is of the last episodes, `None` if none ended since
    /// the last call. Cheap enough to call at every turn of a loop.
    pub fn update(&mut self, counters: Counters, mean_return: Option<f64>) {
        self.mean_return = mean_return.or(self.mean_return);
        let done = counters.env_steps >= self.total_env_steps;
        if self.drawn_at.is_some_and(|at| at.elapsed() < DRAW_PERIOD) && !done {
            return;
        }
        self.drawn_at = Some(Instant::now());
        self.rates.update(self.began.elapsed().as_secs_f64(), counters);
        if !self.bar.is_hidden() {
            self.bar.set_message(line(self.total_env_steps, &self.rates, self.mean_return));
        }
    }

    /// Prints a warning above the line, or on standard error if there is no line.
    pub fn warn(&self, message: &str) {
        if self.bar.is_hidden() {
            // Nowhere to report that standard error is closed.
            let _ = writeln!(std::io::stderr(), "warning: {message}");
        } else {
            self.bar.println(format!("warning: {message}"));
        }
    }
}

impl Drop for Progress {
    /// Clears the line, also when an error ends the run, so that what follows starts in column 1.
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Rates of the counters. What is older counts less, by a factor e every [`RATE_TIME_S`].
struct Rates {
    at_s: f64,
    counters: Counters,
    /// Faded sums.
    env_steps: f64,
    updates: f64,
    seconds: f64,
}

impl Rates {
    fn new(counters: Counters) -> Self {
        Self { at_s: 0.0, counters, env_steps: 0.0, updates: 0.0, seconds: 0.0 }
    }

    fn update(&mut self, now_s: f64, counters: Counters) {
        let passed_s = now_s - self.at_s;
        let keep = (-passed_s / RATE_TIME_S).exp();
        let gained = |now: u64, before: u64| now.saturating_sub(before) as f64;
        self.env_steps =
            keep * self.env_steps + gained(counters.env_steps, self.counters.env_steps);
        self.updates = keep * self.updates + gained(counters.updates, self.counters.updates);
        self.seconds = keep * self.seconds + passed_s;
        (self.at_s, self.counters) = (now_s, counters);
    }

    fn env_steps_per_s(&self) -> f64 {
        if self.seconds > 0.0 { self.env_steps / self.seconds } else { 0.0 }
    }

    fn updates_per_s(&self) -> f64 {
        if self.seconds > 0.0 { self.updates / self.seconds } else { 0.0 }
    }
}

/// At most 79 characters: a terminal may wrap the 80th.
fn line(total_env_steps: u64, rates: &Rates, mean_return: Option<f64>) -> String {
    let done = rates.counters.env_steps.min(total_env_steps);
    let share = if total_env_steps == 0 { 1.0 } else { done as f64 / total_env_steps as f64 };
    let filled: String =
        (1..=8).map(|i| if share * 8.0 >= f64::from(i) { '#' } else { '-' }).collect();
    let mean_return = mean_return.map_or_else(|| "-".to_owned(), return_text);
    let env_steps_per_s = rates.env_steps_per_s();
    let left = if env_steps_per_s > 0.0 {
        duration_text((total_env_steps - done) as f64 / env_steps_per_s)
    } else {
        "-".to_owned()
    };
    format!(
        "{:>3}% {filled}  return {mean_return:>7}  {:>5} env steps/s  {:>5} updates/s  {left:>6} left",
        (share * 100.0).floor(),
        rate_text(env_steps_per_s),
        rate_text(rates.updates_per_s()),
    )
}

/// At most 7 characters.
fn return_text(value: f64) -> String {
    let (plain, short) = (format!("{value:.1}"), format!("{value:.0e}"));
    if plain.len() <= 7 { plain } else { short }
}

/// At most 5 characters.
fn rate_text(per_s: f64) -> String {
    let (value, unit) = match per_s {
        v if v < 999.5 => (v, ""),
        v if v < 999_500.0 => (v / 1e3, "k"),
        v if v < 999_500_000.0 => (v / 1e6, "M"),
        v => (v / 1e9, "G"),
    };
    let decimals = match value {
        v if v < 9.995 => 2,
        v if v < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.decimals$}{unit}")
}

/// At most 6 characters: the two largest units.
fn duration_text(seconds: f64) -> String {
    let minutes = (seconds / 60.0).floor();
    let hours = (seconds / 3600.0).floor();
    if seconds < 60.0 {
        format!("{:.0}s", seconds.floor())
    } else if minutes < 60.0 {
        format!("{minutes:.0}m{:02.0}s", (seconds - minutes * 60.0).floor())
    } else if hours < 48.0 {
        format!("{hours:.0}h{:02.0}m", minutes - hours * 60.0)
    } else if hours < 9999.0 * 24.0 {
        format!("{:.0}d", (hours / 24.0).floor())
    } else {
        "years".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(env_steps: u64, updates: u64) -> Counters {
        Counters { env_steps, frames: env_steps, updates }
    }

    #[test]
    fn numbers_keep_to_their_columns() {
        for (value, text) in [
            (0.0, "0.00"),
            (9.994, "9.99"),
            (9.996, "10.0"),
            (99.96, "100"),
            (999.4, "999"),
            (999.6, "1.00k"),
            (12_345.0, "12.3k"),
            (999_600.0, "1.00M"),
            (5e9, "5.00G"),
        ] {
            assert_eq!(rate_text(value), text, "{value}");
        }
        for (value, text) in [
            (-123.44, "-123.4"),
            (99_999.9, "99999.9"),
            (-12_345.6, "-1e4"),
            (1e12, "1e12"),
            (f64::NAN, "NaN"),
            (f64::INFINITY, "inf"),
        ] {
            assert_eq!(return_text(value), text, "{value}");
        }
        for (value, text) in [
            (0.0, "0s"),
            (59.4, "59s"),
            (59.9, "59s"),
            (60.0, "1m00s"),
            (3_599.9, "59m59s"),
            (3_600.0, "1h00m"),
            (172_799.0, "47h59m"),
            (172_800.0, "2d"),
            (1e12, "years"),
        ] {
            assert_eq!(duration_text(value), text, "{value}");
        }
    }

    #[test]
    fn the_line_says_what_a_reader_can_compute() {
        // 25,000 of 100,000 env steps in 5 s: 5,000 a second, 15 s left; 500 updates: 100 a second.
        let mut rates = Rates::new(at(0, 0));
        rates.update(5.0, at(25_000, 500));
        assert_eq!(
            line(100_000, &rates, Some(21.75)),
            " 25% ##------  return    21.8  5.00k env steps/s    100 updates/s     15s left"
        );
    }

    #[test]
    fn the_line_fits_80_columns_whatever_comes() {
        for total in [0, 1, 1_000, u64::MAX] {
            for mean_return in [None, Some(-1e300), Some(-99_999.9), Some(f64::NAN)] {
                for (seconds, counters) in [
                    (1e-9, at(u64::MAX, u64::MAX)),
                    (1e9, at(1, 1)),
                    (1.0, at(0, 0)),
                    (3.0, at(999, 7)),
                ] {
                    let mut rates = Rates::new(at(0, 0));
                    rates.update(seconds, counters);
                    let line = line(total, &rates, mean_return);
                    // Rates beyond 999 G a second are the only thing that may grow.
                    assert!(line.chars().count() <= 79 || seconds < 1e-6, "{line}");
                }
            }
        }
    }

    #[test]
    fn rates_follow_a_change_and_ignore_a_resumed_start() {
        let mut rates = Rates::new(at(1_000_000, 0));
        assert_eq!(rates.env_steps_per_s(), 0.0);
        rates.update(1.0, at(1_000_100, 20));
        assert_eq!((rates.env_steps_per_s(), rates.updates_per_s()), (100.0, 20.0));
        // ln 2 time constants later, at 50 env steps a second: half of the first second is left.
        let later_s = RATE_TIME_S * std::f64::consts::LN_2;
        rates.update(1.0 + later_s, at(1_000_447, 20));
        let expected = (0.5 * 100.0 + 347.0) / (0.5 * 1.0 + later_s);
        assert!((rates.env_steps_per_s() - expected).abs() < 1e-9, "{}", rates.env_steps_per_s());
    }

    #[test]
    fn the_longest_line_has_its_full_width() {
        let mut rates = Rates::new(at(0, 0));
        rates.update(3600.0, at(44_400_000, 44_400_000));
        let line = line(444_000_000, &rates, Some(-12_345.0));
        let expected =
            " 10% --------  return    -1e4  12.3k env steps/s  12.3k updates/s   9h00m left";
        assert_eq!((line.as_str(), line.len()), (expected, 78));
    }
}
