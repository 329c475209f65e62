//! The grid: up to 25 by 25 cells in one array, with walls around it as far as an agent can look.
//!
//! Columns are `x`, 0 at the left; rows are `y`, 0 at the top.

use super::cell::Cell;

/// Largest width and height.
pub const MAX_SIZE: usize = 25;
/// Cells from one row to the next. Right of a row lies the left margin of the next one.
const STRIDE: usize = 32;
/// Rows above and below the grid, and columns left of it: the farthest look.
const MARGIN: usize = 6;
/// One row more than needed, so that eight cells can be read anywhere.
const CELLS: usize = (MAX_SIZE + 2 * MARGIN + 1) * STRIDE;

/// Where a cell lies in the array. Index 0 is in the margin: nowhere.
pub(super) type Spot = usize;
pub(super) const NOWHERE: Spot = 0;

/// A rectangle of cells: first column and row, and those after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: usize,
    pub(super) top: usize,
    pub(super) right: usize,
    pub(super) bottom: usize,
}

impl Area {
    pub(super) fn new((left, top): (usize, usize), (width, height): (usize, usize)) -> Self {
        Self { left, top, right: left + width, bottom: top + height }
    }
}

/// The heading of the agent, as an index into these: right, down, left, up.
pub(super) const STEPS: [isize; 4] = [1, STRIDE as isize, -1, -(STRIDE as isize)];

#[derive(Clone, Hash)]
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    cells: [u8; CELLS],
}

impl Grid {
    /// All walls.
    pub(super) fn solid() -> Self {
        Self { width: 0, height: 0, cells: [Cell::WALL.byte(); CELLS] }
    }

    /// Makes it `width` by `height` empty cells without walls of its own.
    pub(super) fn clear(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.cells.fill(Cell::WALL.byte());
        self.fill(self.all(), Cell::EMPTY);
    }

    /// Makes it one empty room of `width` by `height` cells, walls included.
    pub(super) fn clear_room(&mut self, width: usize, height: usize) {
        (self.width, self.height) = (width, height);
        self.cells.fill(Cell::WALL.byte());
        self.fill(Area::new((1, 1), (width - 2, height - 2)), Cell::EMPTY);
    }

    pub(super) fn all(&self) -> Area {
        Area::new((0, 0), (self.width, self.height))
    }

    pub(super) fn fill(&mut self, area: Area, cell: Cell) {
        for y in area.top..area.bottom {
            self.cells[spot(area.left, y)..spot(area.right, y)].fill(cell.byte());
        }
    }

    /// Walls along the inner edge of `area`.
    pub(super) fn wall_in(&mut self, area: Area) {
        let (width, height) = (area.right - area.left, area.bottom - area.top);
        for y in [area.top, area.bottom - 1] {
            self.fill(Area::new((area.left, y), (width, 1)), Cell::WALL);
        }
        for x in [area.left, area.right - 1] {
            self.fill(Area::new((x, area.top), (1, height)), Cell::WALL);
        }
    }

    pub(super) fn at(&self, spot: Spot) -> Cell {
        // Only cells are ever written.
        Cell::from_valid_byte(self.cells[spot])
    }

    pub(super) fn set(&mut self, spot: Spot, cell: Cell) {
        self.cells[spot] = cell.byte();
    }

    /// Whether `spot` lies in the grid.
    pub(super) fn holds(&self, spot: Spot) -> bool {
        let (column, row) = (spot % STRIDE, spot / STRIDE);
        (MARGIN..MARGIN + self.width).contains(&column)
            && (MARGIN..MARGIN + self.height).contains(&row)
    }

    /// Eight cells from `spot` to the right, the first in the lowest byte.
    pub(super) fn eight(&self, spot: Spot) -> u64 {
        self.cells[spot..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }
}

pub(super) const fn spot(x: usize, y: usize) -> Spot {
    (y + MARGIN) * STRIDE + x + MARGIN
}

/// Column and row.
pub(super) const fn column_and_row(spot: Spot) -> (usize, usize) {
    ((spot % STRIDE).wrapping_sub(MARGIN), (spot / STRIDE).wrapping_sub(MARGIN))
}

/// The cell `steps` steps of `stride` away from `from`.
pub(super) fn walk(from: Spot, stride: isize, steps: isize) -> Spot {
    from.wrapping_add_signed(stride * steps)
}

/// The first of the 7 by 7 cells that the agent may see, at the upper left whatever its heading.
pub(super) fn window(agent: Spot, heading: usize) -> Spot {
    const STRIDE_3: isize = 3 * STRIDE as isize;
    let offset = [-STRIDE_3, -3, -STRIDE_3 - 6, -2 * STRIDE_3 - 3][heading];
    agent.wrapping_add_signed(offset)
}

/// From one row of the window to the next.
pub(super) const ROW: usize = STRIDE;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_margin_is_wall_as_far_as_one_looks() {
        let mut grid = Grid::solid();
        grid.clear(MAX_SIZE, MAX_SIZE);
        for x in 0..MAX_SIZE {
            for y in 0..MAX_SIZE {
                let agent = spot(x, y);
                assert_eq!(column_and_row(agent), (x, y));
                assert!(grid.holds(agent));
                for (heading, stride) in STEPS.into_iter().enumerate() {
                    let ahead = [(1, 0), (0, 1), (-1, 0), (0, -1)][heading];
                    for steps in 1..=6_isize {
                        let inside = |at: usize, change: isize| {
                            at.checked_add_signed(change * steps).is_some_and(|at| at < MAX_SIZE)
                        };
                        let inside = inside(x, ahead.0) && inside(y, ahead.1);
                        let seen = walk(agent, stride, steps);
                        assert_eq!(grid.at(seen).is_empty(), inside, "{x} {y} {heading} {steps}");
                        assert_eq!(grid.holds(seen), inside);
                    }
                }
            }
        }
    }

    #[test]
    fn areas_and_walls() {
        let mut grid = Grid::solid();
        grid.clear(4, 3);
        grid.wall_in(Area::new((1, 0), (3, 3)));
        let row = |y| (0..4).map(|x| grid.at(spot(x, y)).is_empty()).collect::<Vec<_>>();
        assert_eq!(row(0), [true, false, false, false]);
        assert_eq!(row(1), [true, false, true, false]);
        assert_eq!(row(2), [true, false, false, false]);
    }
}
