//! Pictures in rows, each under its name.

use contrail_envs::RgbFrame;

const PAPER: [u8; 3] = [250, 250, 250];
const INK: [u8; 3] = [20, 20, 20];
/// Pixels between two pictures, and around everything.
const GAP_PX: usize = 6;
/// Pixels a dot of a letter.
const DOT_PX: usize = 2;
/// Dots from one letter to the next.
const ADVANCE_DOTS: usize = 4;
/// Dots from the top of a letter to its foot.
const LETTER_DOTS: usize = 5;

/// The pictures of one subspace.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) pictures: Vec<RgbFrame>,
}

/// How large pictures become.
pub(super) struct Sheet {
    /// Longer side of each.
    pub(super) side_px: usize,
}

impl Sheet {
    /// All rows below each other.
    pub(super) fn draw(&self, rows: &[Row]) -> RgbFrame {
        let scaled: Vec<(&str, Vec<RgbFrame>)> = rows
            .iter()
            .map(|row| {
                (row.name.as_str(), row.pictures.iter().map(|p| fitted(p, self.side_px)).collect())
            })
            .collect();
        let width = scaled.iter().map(|(name, pictures)| wide(name, pictures)).max().unwrap_or(0);
        let height: usize = scaled.iter().map(|(_, pictures)| tall(pictures)).sum();
        let mut sheet = RgbFrame::default();
        sheet.fill(width + GAP_PX, height + GAP_PX, PAPER);
        let mut top = GAP_PX;
        for (name, pictures) in &scaled {
            write(&mut sheet, name, (GAP_PX, top));
            let mut left = GAP_PX;
            for picture in pictures {
                paste(&mut sheet, picture, (left, top + LETTER_DOTS * DOT_PX + GAP_PX));
                left += picture.width + GAP_PX;
            }
            top += tall(pictures);
        }
        sheet
    }
}

/// Pixels of a row from left to right, with the gap before each part.
fn wide(name: &str, pictures: &[RgbFrame]) -> usize {
    let pictures: usize = pictures.iter().map(|picture| picture.width + GAP_PX).sum();
    pictures.max(GAP_PX + name.chars().count() * ADVANCE_DOTS * DOT_PX)
}

/// Pixels of a row from top to bottom, with the gap after each part.
fn tall(pictures: &[RgbFrame]) -> usize {
    let pictures = pictures.iter().map(|picture| picture.height).max().unwrap_or(0);
    LETTER_DOTS * DOT_PX + GAP_PX + pictures + GAP_PX
}

/// `picture` with a longer side of at most `side_px`: smaller by averaging, larger by whole factors.
pub(super) fn fitted(picture: &RgbFrame, side_px: usize) -> RgbFrame {
    let longer = picture.width.max(picture.height).max(1);
    let scale = |length: usize| match side_px / longer {
        0 => (length * side_px / longer).max(1),
        factor => length * factor,
    };
    let mut small = RgbFrame::default();
    small.fill(scale(picture.width), scale(picture.height), PAPER);
    // The pixels of the picture that a pixel of `small` covers, at least one.
    let covered =
        |at: usize, (from, to): (usize, usize)| at * from / to..((at + 1) * from).div_ceil(to);
    for y in 0..small.height {
        for x in 0..small.width {
            let (mut sum, mut count) = ([0_usize; 3], 0);
            for row in covered(y, (picture.height, small.height)) {
                for column in covered(x, (picture.width, small.width)) {
                    let pixel = &picture.pixels[3 * (row * picture.width + column)..];
                    sum.iter_mut().zip(pixel).for_each(|(sum, value)| *sum += usize::from(*value));
                    count += 1;
                }
            }
            small.set(x as i64, y as i64, sum.map(|sum| (sum / count) as u8));
        }
    }
    small
}

fn paste(sheet: &mut RgbFrame, picture: &RgbFrame, (left, top): (usize, usize)) {
    for (y, row) in picture.pixels.chunks_exact(3 * picture.width).enumerate() {
        let at = 3 * ((top + y) * sheet.width + left);
        sheet.pixels[at..at + row.len()].copy_from_slice(row);
    }
}

fn write(sheet: &mut RgbFrame, text: &str, (left, top): (usize, usize)) {
    for (index, letter) in text.chars().enumerate() {
        let rows = glyph(letter);
        for (y, shift) in [12, 9, 6, 3, 0].into_iter().enumerate() {
            for x in (0..3).filter(|x| rows >> shift >> (2 - x) & 1 == 1) {
                let (x, y) = (left + (index * ADVANCE_DOTS + x) * DOT_PX, top + y * DOT_PX);
                let end = ((x + DOT_PX) as i64, (y + DOT_PX) as i64);
                sheet.rect((x as i64, y as i64), end, INK);
            }
        }
    }
}

/// Three by five dots: one octal digit a row, 4 for the left dot. There are no small letters; what
/// is not here is a block.
fn glyph(letter: char) -> u16 {
    match letter.to_ascii_uppercase() {
        'A' => 0o25755,
        'B' => 0o65656,
        'C' => 0o34443,
        'D' => 0o65556,
        'E' => 0o74647,
        'F' => 0o74644,
        'G' => 0o34553,
        'H' => 0o55755,
        'I' => 0o72227,
        'J' => 0o11152,
        'K' => 0o55655,
        'L' => 0o44447,
        'M' => 0o57755,
        'N' => 0o65555,
        'O' => 0o25552,
        'P' => 0o65644,
        'Q' => 0o25563,
        'R' => 0o65655,
        'S' => 0o34216,
        'T' => 0o72222,
        'U' => 0o55557,
        'V' => 0o55552,
        'W' => 0o55775,
        'X' => 0o55255,
        'Y' => 0o55222,
        'Z' => 0o71247,
        '0' => 0o75557,
        '1' => 0o26227,
        '2' => 0o61247,
        '3' => 0o61216,
        '4' => 0o55711,
        '5' => 0o74616,
        '6' => 0o34652,
        '7' => 0o71222,
        '8' => 0o25252,
        '9' => 0o25316,
        '_' => 0o00007,
        '-' => 0o00700,
        '.' => 0o00002,
        ' ' => 0o00000,
        _ => 0o77777,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(width: usize, height: usize, values: &[u8]) -> RgbFrame {
        let pixels = values.iter().flat_map(|value| [*value; 3]).collect();
        RgbFrame { width, height, pixels }
    }

    #[test]
    fn pictures_are_averaged_or_repeated() {
        let picture = frame(4, 2, &[10, 20, 100, 100, 30, 40, 100, 200]);
        assert_eq!(fitted(&picture, 2), frame(2, 1, &[25, 125]));
        assert_eq!(fitted(&picture, 4), picture);
        let twice = [10, 10, 20, 20, 100, 100, 100, 100];
        let large = fitted(&picture, 11); // 11 / 4 = 2
        assert_eq!((large.width, large.height), (8, 4));
        assert_eq!(large.pixels[..24], frame(8, 1, &twice).pixels[..]);
        // 3 pixels in 2: the middle one counts for both.
        assert_eq!(fitted(&frame(3, 1, &[0, 60, 120]), 2), frame(2, 1, &[30, 90]));
    }

    #[test]
    fn letters_have_their_dots() {
        let mut sheet = RgbFrame::default();
        sheet.fill(20, 12, PAPER);
        write(&mut sheet, "Tl", (0, 0));
        let dot = |x: usize, y: usize| {
            let at = 3 * (2 * y * sheet.width + 2 * x);
            sheet.pixels[at] == INK[0]
        };
        let rows = ["### #", " #  #", " #  #", " #  #", " #  ###"];
        for (y, row) in rows.into_iter().enumerate() {
            for x in 0..7 {
                assert_eq!(dot(x, y), row.as_bytes().get(x) == Some(&b'#'), "({x}, {y})");
            }
        }
    }

    /// Two rows of one and two pictures of 10 pixels: 6 + 2 * 16 wide, and a row is 10 + 6 + 10 + 6.
    #[test]
    fn rows_lie_below_each_other() {
        let dark = frame(10, 10, &[0; 100]);
        let row = |count: usize| Row { name: "a".into(), pictures: vec![dark.clone(); count] };
        let sheet = Sheet { side_px: 10 }.draw(&[row(1), row(2)]);
        assert_eq!((sheet.width, sheet.height), (38, 70));
        let black = |x: usize, y: usize| sheet.pixels[3 * (y * 38 + x)] == 0;
        assert!(black(6, 22) && black(15, 31) && !black(16, 31) && !black(5, 22));
        assert!(black(22, 54) && !black(22, 22) && black(31, 63) && !black(32, 63));
    }
}
