//! What the agent sees: the 7 by 7 cells in front of it, less those that walls and doors hide.
//!
//! A view is 7 rows of 7 bytes, the farthest row first and the leftmost cell in the lowest byte;
//! the agent is in the middle of the last row, looking at the first. Byte 0 is unseen.

use super::cell::{shown_color, shown_object, shown_state};
use super::grid::{Grid, ROW, Spot, window};
use super::world::{Mission, World};

/// Cells along each side of the view.
pub const VIEW: usize = 7;
/// Cells of the view.
pub(super) const VIEW_CELLS: usize = VIEW * VIEW;
/// Planes of the encoding "symbolic".
pub const SYMBOLIC_PLANES: usize = 3;
/// Planes of the encoding "one_hot": 11 objects, 6 colors, 3 states, 5 target objects, 6 target
/// colors.
pub const ONE_HOT_PLANES: usize = TARGET_COLORS + 6;
const COLORS: usize = 11;
const STATES: usize = COLORS + 6;
const TARGET_OBJECTS: usize = STATES + 3;
const TARGET_COLORS: usize = TARGET_OBJECTS + 5;

const ROW_BITS: u8 = 0x7f;

pub(super) type View = [u64; VIEW];

/// The 7 by 7 cells in front of the agent, turned so that it looks to the first row. Nothing is
/// hidden yet.
fn ahead(grid: &Grid, agent: Spot, heading: usize) -> View {
    let first = window(agent, heading);
    let mut rows = std::array::from_fn(|row| grid.eight(first + row * ROW));
    if heading.is_multiple_of(2) {
        transpose(&mut rows);
    }
    let [a, b, c, d, e, f, g, _] = rows;
    match heading {
        0 => [g, f, e, d, c, b, a], // right: the far columns are to the right
        1 => [g, f, e, d, c, b, a].map(reversed), // down: upside down
        2 => [a, b, c, d, e, f, g].map(reversed), // left: the upper rows are to the right
        _ => [a, b, c, d, e, f, g],
    }
}

/// Mirrors the lowest 7 bytes.
fn reversed(row: u64) -> u64 {
    row.swap_bytes() >> 8
}

/// Exchanges rows and columns of 8 by 8 bytes: of quarters, of their quarters, and of theirs.
fn transpose(rows: &mut [u64; 8]) {
    let blocks = [(4, 0xffff_ffff), (2, 0xffff_0000_ffff), (1, 0xff_00ff_00ff_00ff)];
    for (size, mask) in blocks {
        let bits = 8 * size;
        for row in (0..8).filter(|row| row & size == 0) {
            let changed = (rows[row] >> bits ^ rows[row + size]) & mask;
            rows[row + size] ^= changed;
            rows[row] ^= changed << bits;
        }
    }
}

/// One bit a cell, the leftmost lowest: whether its top bit is 0, so that one sees through it.
fn transparent(row: u64) -> u8 {
    // The product brings bit 0 of byte i to bit 56 + i; byte 7 is not part of the row.
    let opaque = (row >> 7 & 0x0001_0101_0101_0101).wrapping_mul(0x0102_0408_1020_4080) >> 56;
    !(opaque as u8) & ROW_BITS
}

/// A cell and those beside it.
fn widened(row: u8) -> u8 {
    (row | row << 1 | row >> 1) & ROW_BITS
}

/// The transparent cells that are joined to one of `lit` through transparent cells of the row.
fn flooded(lit: u8, transparent: u8) -> u8 {
    let (mut flood, mut left, mut right) = (lit & transparent, transparent, transparent);
    for distance in [1, 2, 4] {
        flood |= left & flood << distance | right & flood >> distance;
        left &= left << distance;
        right &= right >> distance;
    }
    flood
}

/// Which cells are seen, a bit each. Light starts at the agent. In a row it spreads sideways
/// through transparent cells; from each of these it falls on the three cells next in front.
fn lit(view: &View) -> [u8; VIEW] {
    let mut seen = [0; VIEW];
    let mut light = 1 << (VIEW / 2);
    for (seen, row) in seen.iter_mut().zip(view).rev() {
        let onward = widened(flooded(light, transparent(*row)));
        *seen = light | onward;
        light = onward;
    }
    seen
}

/// A byte of ones for each bit.
const fn spread(bits: u8) -> u64 {
    let (mut mask, mut cell) = (0, 0);
    while cell < VIEW {
        mask |= ((bits >> cell & 1) as u64 * 0xff) << (8 * cell);
        cell += 1;
    }
    mask
}

const SPREAD: [u64; 1 << VIEW] = {
    let (mut table, mut bits) = ([0; 1 << VIEW], 0);
    while bits < table.len() {
        table[bits] = spread(bits as u8);
        bits += 1;
    }
    table
};

/// Which cells of the view the agent sees, a bit each, row by row.
pub(super) fn seen(world: &World) -> [u8; VIEW] {
    if world.see_through_walls {
        return [ROW_BITS; VIEW];
    }
    lit(&ahead(&world.grid, world.agent, world.heading))
}

/// What the agent sees. At its own place it sees what it carries.
pub(super) fn view(world: &World) -> View {
    let mut view = ahead(&world.grid, world.agent, world.heading);
    if !world.see_through_walls {
        let seen = lit(&view);
        for (row, seen) in view.iter_mut().zip(seen) {
            *row &= SPREAD[usize::from(seen)];
        }
    }
    let own_place = 8 * (VIEW / 2);
    let last = &mut view[VIEW - 1];
    *last = *last & !(0xff << own_place) | u64::from(world.carried.byte()) << own_place;
    view
}

/// The cells of `view` one after the other.
fn bytes(view: &View) -> [u8; VIEW_CELLS] {
    let mut cells = [0; VIEW_CELLS];
    for (cells, row) in cells.chunks_exact_mut(VIEW).zip(view) {
        cells.copy_from_slice(&row.to_le_bytes()[..VIEW]);
    }
    cells
}

/// Writes `[3, 7, 7]`: object, color and state.
pub(super) fn write_symbolic(view: &View, obs: &mut [u8]) {
    let cells = bytes(view);
    let planes = obs.chunks_exact_mut(VIEW_CELLS);
    for (plane, shown) in planes.zip([shown_object, shown_color, shown_state]) {
        for (value, cell) in plane.iter_mut().zip(cells) {
            *value = shown(cell);
        }
    }
}

/// Writes `[31, 7, 7]`, values 0 and 1.
pub(super) fn write_one_hot(view: &View, mission: &Mission, obs: &mut [u8]) {
    obs.fill(0);
    for (index, cell) in bytes(view).into_iter().enumerate() {
        let mut mark = |plane: usize| obs[plane * VIEW_CELLS + index] = 1;
        mark(usize::from(shown_object(cell)));
        mark(COLORS + usize::from(shown_color(cell)));
        mark(STATES + usize::from(shown_state(cell)));
    }
    let mut mark = |plane: usize| obs[plane * VIEW_CELLS..(plane + 1) * VIEW_CELLS].fill(1);
    mark(TARGET_OBJECTS + mission.object as usize);
    if let Some(color) = mission.color {
        mark(TARGET_COLORS + color as usize);
    }
}

#[cfg(test)]
#[path = "view_tests.rs"]
mod tests;
