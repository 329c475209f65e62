//! What moves through Seaquest's water: torpedoes, divers, fish, enemy submarines, their bullets.

use super::Draws;
use super::grid::{Board, Cell, Heading, Planes, on_grid};
use super::roster::Roster;
use serde::{Deserialize, Serialize};

/// Rows in which things swim: 1 to 8.
const ROWS: u32 = 8;
const DIVER_WAIT_FRAMES: u8 = 5;
const RELOAD_FRAMES: u8 = 10;

/// One enemy a frame at most, gone after ten cells of three frames at the fastest pace; before
/// that, one in 14 frames for 60 frames.
const MOST_ENEMIES: usize = 40;
/// One every 30 frames, gone after 60.
const MOST_DIVERS: usize = 4;
/// One every five frames, gone after ten.
const MOST_TORPEDOES: usize = 4;

const FRIENDLY_BULLET: usize = 2;
const TRAIL: usize = 3;
const ENEMY_BULLET: usize = 4;
const ENEMY_FISH: usize = 5;
const ENEMY_SUB: usize = 6;
const DIVER: usize = 9;

/// A fish, a diver, or the hull of an enemy submarine.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Swimmer {
    cell: Cell,
    heading: Heading,
    /// Frames before it moves on.
    wait: u8,
}

impl Swimmer {
    /// Moves on if it is time, then waits `wait` frames; returns whether it moved.
    fn swim(&mut self, wait: u8) -> bool {
        if self.wait > 0 {
            self.wait -= 1;
            return false;
        }
        self.wait = wait;
        self.cell.0 += self.heading.dx();
        true
    }
}

/// An enemy submarine.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Hunter {
    hull: Swimmer,
    /// Frames before it shoots.
    reload: u8,
}

/// A bullet of the player.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Torpedo {
    cell: Cell,
    heading: Heading,
}

/// One step as it unfolds: what it is about, and what it has brought so far. A lost submarine
/// still plays the step to its end.
pub(super) struct Turn {
    pub(super) player: Cell,
    /// Frames that an enemy waits after a move.
    pub(super) enemy_wait: u8,
    /// Divers that still fit aboard.
    pub(super) room: i32,
    pub(super) boarded: i32,
    pub(super) points: i32,
    pub(super) lost: bool,
}

/// Everything but the player.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Water {
    torpedoes: Roster<Torpedo, MOST_TORPEDOES>,
    divers: Roster<Swimmer, MOST_DIVERS>,
    fish: Roster<Swimmer, MOST_ENEMIES>,
    hunters: Roster<Hunter, MOST_ENEMIES>,
    /// Bullets by direction. Two in one cell are one here, and nothing can tell.
    shots_left: Board,
    shots_right: Board,
}

fn draw_heading(draws: &mut impl Draws) -> Heading {
    if draws.chance(1.0 / 2.0) { Heading::Right } else { Heading::Left }
}

fn draw_entry(heading: Heading, draws: &mut impl Draws) -> Cell {
    (heading.entry(), 1 + draws.below(ROWS) as i8)
}

impl Water {
    pub(super) fn spawn_diver(&mut self, draws: &mut impl Draws) {
        let heading = draw_heading(draws);
        let cell = draw_entry(heading, draws);
        self.divers.push(Swimmer { cell, heading, wait: DIVER_WAIT_FRAMES });
    }

    /// Nothing comes in where it would meet another enemy head-on.
    pub(super) fn spawn_enemy(&mut self, wait: u8, draws: &mut impl Draws) {
        let heading = draw_heading(draws);
        let is_hunter = draws.chance(1.0 / 3.0);
        let cell = draw_entry(heading, draws);
        let hulls = self.hunters.as_slice().iter().map(|hunter| &hunter.hull);
        let mut others = self.fish.as_slice().iter().chain(hulls);
        if others.any(|other| other.cell.1 == cell.1 && other.heading != heading) {
            return;
        }
        let swimmer = Swimmer { cell, heading, wait };
        if is_hunter {
            self.hunters.push(Hunter { hull: swimmer, reload: RELOAD_FRAMES });
        } else {
            self.fish.push(swimmer);
        }
    }

    pub(super) fn fire(&mut self, cell: Cell, heading: Heading) {
        self.torpedoes.push(Torpedo { cell, heading });
    }

    /// Moves everything by one frame. Each list goes from the newest to the oldest, because two
    /// torpedoes may claim one enemy, and the newer one gets it.
    pub(super) fn advance(&mut self, turn: &mut Turn) {
        self.advance_torpedoes(turn);
        self.advance_divers(turn);
        self.advance_hunters(turn);
        self.advance_shots(turn);
        self.advance_fish(turn);
    }

    fn advance_torpedoes(&mut self, turn: &mut Turn) {
        for i in (0..self.torpedoes.as_slice().len()).rev() {
            let torpedo = &mut self.torpedoes.as_mut_slice()[i];
            torpedo.cell.0 += torpedo.heading.dx();
            let cell = torpedo.cell;
            let hit = self.fish.remove_first(|fish| fish.cell == cell)
                || self.hunters.remove_first(|hunter| hunter.hull.cell == cell);
            turn.points += i32::from(hit);
            if hit || !on_grid(cell.0) {
                self.torpedoes.remove(i);
            }
        }
    }

    fn advance_divers(&mut self, turn: &mut Turn) {
        for i in (0..self.divers.as_slice().len()).rev() {
            let meets = |diver: &Swimmer| turn.boarded < turn.room && diver.cell == turn.player;
            let diver = &mut self.divers.as_mut_slice()[i];
            let boards = meets(diver) || (diver.swim(DIVER_WAIT_FRAMES) && meets(diver));
            if boards || !on_grid(diver.cell.0) {
                self.divers.remove(i);
            }
            turn.boarded += i32::from(boards);
        }
    }

    /// An enemy arrived in `cell`: returns whether it is gone, by leaving or by a torpedo there.
    fn arrive(&mut self, cell: Cell, turn: &mut Turn) -> bool {
        if !on_grid(cell.0) {
            return true;
        }
        if cell == turn.player {
            turn.lost = true;
            return false;
        }
        let shot = self.torpedoes.remove_first(|torpedo| torpedo.cell == cell);
        turn.points += i32::from(shot);
        shot
    }

    fn advance_hunters(&mut self, turn: &mut Turn) {
        for i in (0..self.hunters.as_slice().len()).rev() {
            let mut hunter = self.hunters.as_slice()[i];
            turn.lost |= hunter.hull.cell == turn.player;
            let gone = hunter.hull.swim(turn.enemy_wait) && self.arrive(hunter.hull.cell, turn);
            // One that was hit in this very move still shoots.
            if hunter.reload == 0 {
                hunter.reload = RELOAD_FRAMES;
                self.shoot(hunter.hull);
            } else {
                hunter.reload -= 1;
            }
            if gone {
                self.hunters.remove(i);
            } else {
                self.hunters.as_mut_slice()[i] = hunter;
            }
        }
    }

    fn shoot(&mut self, hull: Swimmer) {
        if on_grid(hull.cell.0) {
            match hull.heading {
                Heading::Left => self.shots_left.insert(hull.cell),
                Heading::Right => self.shots_right.insert(hull.cell),
            }
        }
    }

    fn advance_shots(&mut self, turn: &mut Turn) {
        let hits = |water: &Self| {
            water.shots_left.contains(turn.player) || water.shots_right.contains(turn.player)
        };
        let before = hits(self);
        self.shots_left = self.shots_left.sideways(Heading::Left);
        self.shots_right = self.shots_right.sideways(Heading::Right);
        turn.lost |= before || hits(self);
    }

    fn advance_fish(&mut self, turn: &mut Turn) {
        for i in (0..self.fish.as_slice().len()).rev() {
            let mut fish = self.fish.as_slice()[i];
            turn.lost |= fish.cell == turn.player;
            if fish.swim(turn.enemy_wait) && self.arrive(fish.cell, turn) {
                self.fish.remove(i);
            } else {
                self.fish.as_mut_slice()[i] = fish;
            }
        }
    }

    pub(super) fn draw(&self, planes: &mut Planes<'_>) {
        for torpedo in self.torpedoes.as_slice() {
            planes.mark(FRIENDLY_BULLET, torpedo.cell);
        }
        planes.mark_board(ENEMY_BULLET, self.shots_left);
        planes.mark_board(ENEMY_BULLET, self.shots_right);
        let mut mark = |channel, swimmer: &Swimmer| {
            let (x, y) = swimmer.cell;
            planes.mark(channel, swimmer.cell);
            planes.mark(TRAIL, (x - swimmer.heading.dx(), y));
        };
        self.fish.as_slice().iter().for_each(|fish| mark(ENEMY_FISH, fish));
        self.hunters.as_slice().iter().for_each(|hunter| mark(ENEMY_SUB, &hunter.hull));
        self.divers.as_slice().iter().for_each(|diver| mark(DIVER, diver));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diver_boards_only_where_there_is_room() {
        // divers that still fit, boarded, where the others are after one frame
        let table: [(i32, i32, &[Cell]); 3] =
            [(2, 2, &[]), (1, 1, &[(4, 3)]), (0, 0, &[(4, 3), (6, 3)])];
        for (room, boarded, left) in table {
            let mut water = Water::default();
            // Both are at the player and about to move on; the newer one is asked first.
            for heading in [Heading::Left, Heading::Right] {
                water.divers.push(Swimmer { cell: (5, 3), heading, wait: 0 });
            }
            let (player, enemy_wait) = ((5, 3), 5);
            let mut turn = Turn { player, enemy_wait, room, boarded: 0, points: 0, lost: false };
            water.advance(&mut turn);
            assert_eq!((turn.boarded, turn.points, turn.lost), (boarded, 0, false), "room {room}");
            let cells: Vec<Cell> = water.divers.as_slice().iter().map(|diver| diver.cell).collect();
            assert_eq!(cells, left, "room {room}");
        }
    }
}
