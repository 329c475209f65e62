//! The 10 by 10 grid: boards of bits, observation planes, directions.
//!
//! Columns are `x`, 0 at the left; rows are `y`, 0 at the top.

use crate::Outcome;
use serde::{Deserialize, Serialize};

/// Cells along each side.
pub const SIZE: usize = 10;
/// Cells in one plane.
pub const CELLS: usize = SIZE * SIZE;
/// Last column or row.
pub(super) const LAST: i8 = 9;

const ROW_0: u128 = (1 << SIZE) - 1;
const COLUMN_0: u128 = {
    let (mut column, mut y) = (0, 0);
    while y < SIZE {
        column |= 1 << (y * SIZE);
        y += 1;
    }
    column
};
const COLUMN_9: u128 = COLUMN_0 << (SIZE - 1);
const ALL: u128 = (1 << CELLS) - 1;

/// A cell as `(x, y)`. A coordinate may be one off the grid for as long as it takes to notice.
pub(super) type Cell = (i8, i8);

/// Whether column `x` is on the grid.
pub(super) fn on_grid(x: i8) -> bool {
    (0..=LAST).contains(&x)
}

/// Terminated if `lost`, else the episode goes on.
pub(super) fn outcome(lost: bool) -> Outcome {
    if lost { Outcome::Terminated } else { Outcome::Continue }
}

/// A set of cells; bit `10 y + x` stands for `(x, y)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Board(u128);

impl Board {
    /// The cells with `columns` and `rows`, both half open.
    pub(super) const fn block(columns: (usize, usize), rows: (usize, usize)) -> Self {
        let line = ((1 << columns.1) - 1) & !((1 << columns.0) - 1);
        let (mut bits, mut y) = (0, rows.0);
        while y < rows.1 {
            bits |= line << (y * SIZE);
            y += 1;
        }
        Self(bits)
    }

    fn bit((x, y): Cell) -> u128 {
        debug_assert!(on_grid(x) && on_grid(y), "cell ({x}, {y}) is off the grid");
        1 << (y as usize * SIZE + x as usize)
    }

    pub(super) fn contains(self, cell: Cell) -> bool {
        self.0 & Self::bit(cell) != 0
    }

    pub(super) fn insert(&mut self, cell: Cell) {
        self.0 |= Self::bit(cell);
    }

    pub(super) fn remove(&mut self, cell: Cell) {
        self.0 &= !Self::bit(cell);
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub(super) fn len(self) -> u32 {
        self.0.count_ones()
    }

    pub(super) fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(super) fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Everything one column on; what leaves the grid is gone.
    pub(super) fn sideways(self, heading: Heading) -> Self {
        match heading {
            Heading::Left => Self((self.0 & !COLUMN_0) >> 1),
            Heading::Right => Self((self.0 & !COLUMN_9) << 1),
        }
    }

    /// Everything one row up; the top row is gone.
    pub(super) fn up(self) -> Self {
        Self(self.0 >> SIZE)
    }

    /// Everything one row down; the bottom row is gone.
    pub(super) fn down(self) -> Self {
        Self((self.0 << SIZE) & ALL)
    }

    /// Everything one row down; the bottom row comes back at the top.
    pub(super) fn down_around(self) -> Self {
        Self(self.down().0 | (self.0 >> (CELLS - SIZE)))
    }

    /// Whether the outermost column towards `heading` holds anything.
    pub(super) fn touches(self, heading: Heading) -> bool {
        let edge = match heading {
            Heading::Left => COLUMN_0,
            Heading::Right => COLUMN_9,
        };
        self.0 & edge != 0
    }

    /// Whether the bottom row holds anything.
    pub(super) fn touches_bottom(self) -> bool {
        self.0 & (ROW_0 << (CELLS - SIZE)) != 0
    }

    /// The lowest cell held in column `x`.
    pub(super) fn lowest_in_column(self, x: i8) -> Option<Cell> {
        let column = self.0 & (COLUMN_0 << x as usize);
        let bit = column.checked_ilog2()?;
        Some((x, (bit as usize / SIZE) as i8))
    }
}

/// The planes of one observation, `[C, 10, 10]`.
pub(super) struct Planes<'a>(&'a mut [u8]);

impl<'a> Planes<'a> {
    /// All zeros.
    pub(super) fn cleared(obs: &'a mut [u8]) -> Self {
        obs.fill(0);
        Self(obs)
    }

    /// Marks `cell`; off the grid to the left or right nothing happens.
    pub(super) fn mark(&mut self, channel: usize, (x, y): Cell) {
        if on_grid(x) {
            self.0[channel * CELLS + y as usize * SIZE + x as usize] = 1;
        }
    }

    /// Marks every cell of `board`.
    pub(super) fn mark_board(&mut self, channel: usize, board: Board) {
        let plane = &mut self.0[channel * CELLS..(channel + 1) * CELLS];
        let mut rest = board.0;
        while rest != 0 {
            plane[rest.trailing_zeros() as usize] = 1;
            rest &= rest - 1;
        }
    }

    /// Marks the columns `from..to` of row `y`.
    pub(super) fn mark_row(&mut self, channel: usize, y: usize, (from, to): (usize, usize)) {
        let start = channel * CELLS + y * SIZE;
        self.0[start + from..start + to].fill(1);
    }
}

/// A horizontal direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Heading {
    #[default]
    Left,
    Right,
}

impl Heading {
    /// Change of column a move.
    pub(super) fn dx(self) -> i8 {
        match self {
            Self::Left => -1,
            Self::Right => 1,
        }
    }

    pub(super) fn reversed(self) -> Self {
        match self {
            Self::Left => Self::Right,
            Self::Right => Self::Left,
        }
    }

    /// The column where something with this heading comes in.
    pub(super) fn entry(self) -> i8 {
        match self {
            Self::Left => LAST,
            Self::Right => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn board(cells: &[Cell]) -> Board {
        let mut board = Board::default();
        cells.iter().for_each(|&cell| board.insert(cell));
        board
    }

    #[test]
    fn boards_move_as_drawn() {
        let corners = board(&[(0, 0), (9, 0), (0, 9), (9, 9)]);
        let table = [
            (corners.sideways(Heading::Left), board(&[(8, 0), (8, 9)])),
            (corners.sideways(Heading::Right), board(&[(1, 0), (1, 9)])),
            (corners.up(), board(&[(0, 8), (9, 8)])),
            (corners.down(), board(&[(0, 1), (9, 1)])),
            (corners.down_around(), board(&[(0, 1), (9, 1), (0, 0), (9, 0)])),
        ];
        for (row, (got, expected)) in table.into_iter().enumerate() {
            assert_eq!(got, expected, "row {row}");
        }
    }

    #[test]
    fn a_block_holds_its_cells_only() {
        let block = Board::block((2, 8), (0, 4));
        assert_eq!(block.len(), 24);
        assert!(block.contains((2, 0)) && block.contains((7, 3)));
        assert!(!block.contains((1, 0)) && !block.contains((8, 0)) && !block.contains((2, 4)));
        assert_eq!(block.lowest_in_column(5), Some((5, 3)));
        assert_eq!(block.lowest_in_column(1), None);
    }
}
