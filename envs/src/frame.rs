//! A picture of an environment.

/// An RGB picture, rows from the top, three bytes a pixel.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RgbFrame {
    /// Pixels a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// `3 * width * height` bytes.
    pub pixels: Vec<u8>,
}

impl RgbFrame {
    /// Makes the frame `width` by `height` pixels of one color, reusing its memory.
    pub fn fill(&mut self, width: usize, height: usize, color: [u8; 3]) {
        (self.width, self.height) = (width, height);
        self.pixels.clear();
        self.pixels.extend(color.iter().copied().cycle().take(3 * width * height));
    }

    /// Colors one pixel; outside the frame nothing happens.
    pub fn set(&mut self, x: i64, y: i64, color: [u8; 3]) {
        let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { return };
        if x < self.width && y < self.height {
            let at = 3 * (y * self.width + x);
            self.pixels[at..at + 3].copy_from_slice(&color);
        }
    }

    /// Colors the pixels `x0..x1`, `y0..y1`.
    pub fn rect(&mut self, (x0, y0): (i64, i64), (x1, y1): (i64, i64), color: [u8; 3]) {
        for y in y0..y1 {
            for x in x0..x1 {
                self.set(x, y, color);
            }
        }
    }

    /// Draws a line `thickness` pixels wide between two points.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), thickness: f64, color: [u8; 3]) {
        let length = (to.0 - from.0).hypot(to.1 - from.1).max(1.0);
        let steps = (length * 2.0).ceil();
        let mut at = 0.0;
        while at <= steps {
            let t = at / steps;
            let center = (from.0 + t * (to.0 - from.0), from.1 + t * (to.1 - from.1));
            self.disc(center, thickness / 2.0, color);
            at += 1.0;
        }
    }

    /// Draws a filled circle.
    #[expect(clippy::cast_possible_truncation, reason = "pixel coordinates")]
    pub fn disc(&mut self, (cx, cy): (f64, f64), radius: f64, color: [u8; 3]) {
        let reach = |c: f64, sign: f64| (c + sign * radius).round() as i64;
        for y in reach(cy, -1.0)..=reach(cy, 1.0) {
            for x in reach(cx, -1.0)..=reach(cx, 1.0) {
                if (x as f64 - cx).hypot(y as f64 - cy) <= radius.max(0.5) {
                    self.set(x, y, color);
                }
            }
        }
    }
}
