//! What one cell of a grid holds, in a byte.

use serde::{Deserialize, Serialize};

/// The six colors, by the index that an observation shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub enum Color {
    /// 0
    Red,
    /// 1
    Green,
    /// 2
    Blue,
    /// 3
    Purple,
    /// 4
    Yellow,
    /// 5
    Grey,
}

impl Color {
    /// All, by index.
    pub const ALL: [Self; 6] =
        [Self::Red, Self::Green, Self::Blue, Self::Purple, Self::Yellow, Self::Grey];

    /// In alphabetical order of their English names: a color is drawn by its place here.
    pub(super) const BY_NAME: [Self; 6] =
        [Self::Blue, Self::Green, Self::Grey, Self::Purple, Self::Red, Self::Yellow];
}

/// What a cell holds. The numbers up to 9 are those that an observation shows; a door has one
/// number for each of its states, so that a cell fits in a byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[repr(u8)]
pub(super) enum Kind {
    /// Not a thing: an observation has it where the agent cannot see.
    Unseen = 0,
    Empty = 1,
    Wall = 2,
    Floor = 3,
    OpenDoor = 4,
    Key = 5,
    Ball = 6,
    Box = 7,
    Goal = 8,
    Lava = 9,
    // 10 is the agent, which no cell holds.
    ClosedDoor = 11,
    LockedDoor = 12,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Unseen,
        Self::Empty,
        Self::Wall,
        Self::Floor,
        Self::OpenDoor,
        Self::Key,
        Self::Ball,
        Self::Box,
        Self::Goal,
        Self::Lava,
        Self::ClosedDoor,
        Self::LockedDoor,
    ];

    const fn bit(self) -> u16 {
        1 << self as u16
    }
}

/// Sets of kinds, one bit each.
const OPAQUE: u16 = Kind::Wall.bit() | Kind::ClosedDoor.bit() | Kind::LockedDoor.bit();
const WALKABLE: u16 = Kind::Empty.bit()
    | Kind::Floor.bit()
    | Kind::OpenDoor.bit()
    | Kind::Goal.bit()
    | Kind::Lava.bit();
const PORTABLE: u16 = Kind::Key.bit() | Kind::Ball.bit() | Kind::Box.bit();

/// Bits 0 to 3 the kind, 4 to 6 the color, 7 whether it blocks the view.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell(u8);

impl Cell {
    pub(super) const EMPTY: Self = Self::new(Kind::Empty, Color::Red);
    pub(super) const WALL: Self = Self::new(Kind::Wall, Color::Grey);
    pub(super) const LAVA: Self = Self::new(Kind::Lava, Color::Red);

    pub(super) const fn new(kind: Kind, color: Color) -> Self {
        let opaque = (OPAQUE & kind.bit() != 0) as u8;
        Self(kind as u8 | (color as u8) << 4 | opaque << 7)
    }

    /// The cell with this byte; `None` if there is none.
    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        let kind = Kind::ALL.into_iter().find(|kind| *kind as u8 == byte & 15)?;
        let color = Color::ALL.get(usize::from(byte >> 4 & 7))?;
        let cell = Self::new(kind, *color);
        (cell.0 == byte && kind != Kind::Unseen).then_some(cell)
    }

    /// The cell with this byte, which must be one of [`Cell::byte`].
    pub(super) const fn from_valid_byte(byte: u8) -> Self {
        Self(byte)
    }

    pub(super) const fn byte(self) -> u8 {
        self.0
    }

    fn is_one_of(self, kinds: u16) -> bool {
        kinds >> (self.0 & 15) & 1 == 1
    }

    pub(super) fn is(self, kind: Kind) -> bool {
        self.0 & 15 == kind as u8
    }

    pub(super) fn is_empty(self) -> bool {
        self.is(Kind::Empty)
    }

    /// Whether the agent can walk there.
    pub(super) fn is_walkable(self) -> bool {
        self.is_one_of(WALKABLE)
    }

    /// Whether the agent can carry it.
    pub(super) fn is_portable(self) -> bool {
        self.is_one_of(PORTABLE)
    }

    /// The same thing in another state.
    pub(super) fn become_kind(self, kind: Kind) -> Self {
        Self::new(kind, self.color())
    }

    pub(super) fn color(self) -> Color {
        Color::ALL[usize::from(self.0 >> 4 & 7) % Color::ALL.len()]
    }

    /// Object, color and state as an observation shows them.
    pub(super) fn shown(self) -> [u8; 3] {
        [shown_object(self.0), shown_color(self.0), shown_state(self.0)]
    }
}

/// Index of the object in an observation; every door is 4. Byte 0 is unseen.
pub(super) fn shown_object(byte: u8) -> u8 {
    let kind = byte & 15;
    if kind > 10 { Kind::OpenDoor as u8 } else { kind }
}

/// Index of the color in an observation.
pub(super) fn shown_color(byte: u8) -> u8 {
    byte >> 4 & 7
}

/// 0, or for a door 1 closed, 2 locked.
pub(super) fn shown_state(byte: u8) -> u8 {
    (byte & 15).saturating_sub(10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_show_as_published() {
        // cell; object, color, state; walkable, portable, blocks the view
        let table = [
            (Cell::EMPTY, [1, 0, 0], (true, false, false)),
            (Cell::WALL, [2, 5, 0], (false, false, true)),
            (Cell::LAVA, [9, 0, 0], (true, false, false)),
            (Cell::new(Kind::OpenDoor, Color::Blue), [4, 2, 0], (true, false, false)),
            (Cell::new(Kind::ClosedDoor, Color::Purple), [4, 3, 1], (false, false, true)),
            (Cell::new(Kind::LockedDoor, Color::Yellow), [4, 4, 2], (false, false, true)),
            (Cell::new(Kind::Key, Color::Grey), [5, 5, 0], (false, true, false)),
            (Cell::new(Kind::Ball, Color::Blue), [6, 2, 0], (false, true, false)),
            (Cell::new(Kind::Box, Color::Red), [7, 0, 0], (false, true, false)),
            (Cell::new(Kind::Goal, Color::Green), [8, 1, 0], (true, false, false)),
            (Cell::new(Kind::Floor, Color::Blue), [3, 2, 0], (true, false, false)),
        ];
        for (cell, shown, properties) in table {
            assert_eq!(cell.shown(), shown, "{cell:?}");
            let got = (cell.is_walkable(), cell.is_portable(), cell.byte() >> 7 == 1);
            assert_eq!(got, properties, "{cell:?}");
            assert_eq!(Cell::from_byte(cell.byte()), Some(cell));
        }
    }

    #[test]
    fn only_bytes_of_cells_are_read() {
        let known = (0..=255).filter(|byte| Cell::from_byte(*byte).is_some()).count();
        assert_eq!(known, 11 * 6, "11 kinds of 6 colors; unseen is none");
    }
}
