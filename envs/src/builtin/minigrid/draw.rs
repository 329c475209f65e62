//! The picture: the whole grid from above, lighter where the agent sees.

use super::cell::{Cell, Color, Kind};
use super::grid::{STEPS, spot, walk};
use super::view::{VIEW, seen};
use super::world::World;
use crate::RgbFrame;

/// Pixels along each side of a cell.
const CELL_PX: i64 = 24;
const GRID_LINE: [u8; 3] = [44, 44, 50];
const FLOOR: [u8; 3] = [16, 16, 20];
/// Darker than a grey door.
const WALL: [u8; 3] = [90, 90, 96];
const AGENT: [u8; 3] = [240, 60, 50];
const LAVA: [u8; 3] = [250, 120, 20];
const LAVA_DARK: [u8; 3] = [120, 40, 0];

fn rgb(color: Color) -> [u8; 3] {
    match color {
        Color::Red => [225, 50, 50],
        Color::Green => [60, 190, 80],
        Color::Blue => [60, 100, 235],
        Color::Purple => [150, 80, 210],
        Color::Yellow => [235, 205, 50],
        Color::Grey => [125, 125, 130],
    }
}

/// A third of the way to white.
fn lighter(color: [u8; 3]) -> [u8; 3] {
    color.map(|level| level + (255 - level) / 3)
}

/// One cell of the frame; inside it lengths are in twenty-fourths of a side.
struct Tile<'a> {
    frame: &'a mut RgbFrame,
    left: i64,
    top: i64,
    /// Whether the agent sees it.
    seen: bool,
}

impl Tile<'_> {
    fn shade(&self, color: [u8; 3]) -> [u8; 3] {
        if self.seen { lighter(color) } else { color }
    }

    fn rect(&mut self, (x0, y0): (i64, i64), (x1, y1): (i64, i64), color: [u8; 3]) {
        let color = self.shade(color);
        let (left, top) = (self.left, self.top);
        self.frame.rect((left + x0, top + y0), (left + x1, top + y1), color);
    }

    fn disc(&mut self, (x, y): (f64, f64), radius: f64, color: [u8; 3]) {
        let color = self.shade(color);
        self.frame.disc((self.left as f64 + x, self.top as f64 + y), radius, color);
    }

    fn fill(&mut self, color: [u8; 3]) {
        self.rect((0, 0), (CELL_PX, CELL_PX), color);
    }

    /// A square ring `width` wide, `inset` from the edges.
    fn ring(&mut self, inset: i64, width: i64, (color, inside): ([u8; 3], [u8; 3])) {
        let (near, far) = (inset, CELL_PX - inset);
        self.rect((near, near), (far, far), color);
        self.rect((near + width, near + width), (far - width, far - width), inside);
    }

    fn thing(&mut self, cell: Cell) {
        let color = rgb(cell.color());
        let dark = color.map(|level| level / 3);
        match cell {
            _ if cell.is(Kind::Wall) => self.fill(WALL),
            _ if cell.is(Kind::Goal) => self.rect((1, 1), (CELL_PX, CELL_PX), color),
            _ if cell.is(Kind::Floor) => self.rect((1, 1), (CELL_PX, CELL_PX), dark),
            _ if cell.is(Kind::Lava) => {
                self.rect((1, 1), (CELL_PX, CELL_PX), LAVA);
                for y in [6, 12, 18] {
                    self.rect((4, y), (12, y + 2), LAVA_DARK);
                    self.rect((12, y - 2), (20, y), LAVA_DARK);
                }
            }
            _ if cell.is(Kind::OpenDoor) => self.rect((20, 0), (CELL_PX, CELL_PX), color),
            _ if cell.is(Kind::ClosedDoor) => {
                self.ring(0, 3, (color, FLOOR));
                self.disc((17.0, 12.0), 2.0, color);
            }
            _ if cell.is(Kind::LockedDoor) => {
                self.ring(0, 3, (color, dark));
                self.rect((12, 11), (19, 14), color);
            }
            _ if cell.is(Kind::Key) => self.key(color),
            _ if cell.is(Kind::Ball) => self.disc((12.0, 12.0), 7.0, color),
            _ if cell.is(Kind::Box) => {
                self.ring(4, 2, (color, FLOOR));
                self.rect((4, 11), (20, 13), color);
            }
            _ => {}
        }
    }

    fn key(&mut self, color: [u8; 3]) {
        self.disc((12.0, 7.0), 5.0, color);
        self.disc((12.0, 7.0), 2.0, FLOOR);
        self.rect((11, 11), (13, 21), color);
        self.rect((13, 15), (16, 17), color);
        self.rect((13, 19), (16, 21), color);
    }

    /// A triangle of rows that narrow towards the front.
    fn agent(&mut self, heading: usize) {
        let color = self.shade(AGENT);
        for along in 0..18 {
            let half = (18 - along) / 2;
            for across in -half..=half {
                let (forward, aside) = (along - 8, across);
                let (dx, dy) = match heading {
                    0 => (forward, aside),
                    1 => (-aside, forward),
                    2 => (-forward, -aside),
                    _ => (aside, -forward),
                };
                let middle = CELL_PX / 2;
                self.frame.set(self.left + middle + dx, self.top + middle + dy, color);
            }
        }
    }
}

/// Draws `world`; what is carried is drawn small in the upper left corner of the agent's cell.
pub(super) fn draw(world: &World, frame: &mut RgbFrame) {
    let (width, height) = world.size();
    let side = |cells: usize| cells * CELL_PX as usize;
    frame.fill(side(width), side(height), GRID_LINE);
    let is_seen = seen_cells(world);
    for y in 0..height {
        for x in 0..width {
            let at = spot(x, y);
            let (left, top) = (x as i64 * CELL_PX, y as i64 * CELL_PX);
            let mut tile = Tile { frame, left, top, seen: is_seen(at) };
            tile.rect((1, 1), (CELL_PX, CELL_PX), FLOOR);
            tile.thing(world.grid.at(at));
            if at == world.agent {
                tile.agent(world.heading);
                if !world.carried.is_empty() {
                    tile.rect((1, 1), (9, 9), rgb(world.carried.color()));
                }
            }
        }
    }
}

/// Tells of a cell whether the agent sees it.
fn seen_cells(world: &World) -> impl Fn(usize) -> bool {
    let rows = seen(world);
    let (ahead, aside) = (STEPS[world.heading], STEPS[(world.heading + 1) % 4]);
    let mut spots = [0; VIEW * VIEW];
    for (index, spot) in spots.iter_mut().enumerate() {
        let (row, column) = (index / VIEW, index % VIEW);
        if rows[row] >> column & 1 == 1 {
            let steps_ahead = (VIEW - 1 - row) as isize;
            let steps_aside = column as isize - (VIEW / 2) as isize;
            let seen = walk(walk(world.agent, ahead, steps_ahead), aside, steps_aside);
            *spot = if world.grid.holds(seen) { seen } else { 0 };
        }
    }
    move |spot| spots.contains(&spot)
}
