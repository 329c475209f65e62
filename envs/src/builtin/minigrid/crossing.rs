//! `LavaCrossing` and `SimpleCrossing`: rivers of lava, or walls, with one way through.

use super::Layout;
use super::builder::{Builder, Built};
use super::cell::Cell;
use super::grid::{Area, MAX_SIZE};
use super::settings::{goal_color, obstacle, obstacle_type, rounded, size, whole};
use crate::ContextValue;

/// Rivers one way in the largest grid: at every second column or row from 2 on.
const MAX_RIVERS: usize = (MAX_SIZE - 3) / 2;

pub(super) struct Crossing {
    pub(super) size: usize,
    pub(super) crossings: usize,
    pub(super) is_wall: bool,
}

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Vertical,
    Horizontal,
}

/// Where the rivers of one way run, and the outer walls before and after them, in order.
struct Banks {
    at: [usize; MAX_RIVERS + 2],
    rivers: usize,
}

impl Banks {
    /// The rivers of `way` among `chosen`.
    fn new(chosen: &[(Way, usize)], way: Way, last: usize) -> Self {
        let (mut at, mut rivers) = ([0; MAX_RIVERS + 2], 0);
        for (_, position) in chosen.iter().filter(|river| river.0 == way) {
            rivers += 1;
            at[rivers] = *position;
        }
        at[1..=rivers].sort_unstable();
        at[rivers + 1] = last;
        Self { at, rivers }
    }

    fn rivers(&self) -> &[usize] {
        &self.at[1..=self.rivers]
    }

    /// A cell between river `index` and the next one.
    fn between(&self, index: usize, builder: &mut Builder<'_>) -> usize {
        builder.between(self.at[index] + 1, self.at[index + 1])
    }
}

impl Layout for Crossing {
    fn context(&self) -> Vec<ContextValue> {
        let mut size = size(self.size, 5);
        size.doc = "width and height of the grid with its outer walls, rounded to an odd number; \
                    the step limit follows"
            .into();
        let doc = "number of rivers, rounded; in a grid of size n there is room for n - 3";
        let crossings = whole(("crossings", "1"), self.crossings, (1, 2 * MAX_RIVERS), doc);
        vec![size, crossings, obstacle_type(self.is_wall), goal_color()]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [_, crossings, obstacle_type, goal_color] = rounded(values);
        let size = nearest_odd(values[0]);
        builder.world.restart(4 * (size * size) as u32);
        builder.world.grid.clear_room(size, size);
        builder.put_agent((1, 1));
        let goal = builder.goal(goal_color);
        builder.put(goal, (size - 2, size - 2));

        let one_way = (size - 3) / 2;
        let mut rivers = [(Way::Vertical, 0); 2 * MAX_RIVERS];
        for index in 0..one_way {
            rivers[index] = (Way::Vertical, 2 + 2 * index);
            rivers[one_way + index] = (Way::Horizontal, 2 + 2 * index);
        }
        let rivers = &mut rivers[..2 * one_way];
        builder.shuffle(rivers);
        let chosen = &rivers[..rivers.len().min(crossings as usize)];
        let columns = Banks::new(chosen, Way::Vertical, size - 1);
        let rows = Banks::new(chosen, Way::Horizontal, size - 1);
        let obstacle = obstacle(obstacle_type);
        for y in rows.rivers() {
            builder.world.grid.fill(Area::new((1, *y), (size - 2, 1)), obstacle);
        }
        for x in columns.rivers() {
            builder.world.grid.fill(Area::new((*x, 1), (1, size - 2)), obstacle);
        }
        open_a_way(builder, &columns, &rows);
        Ok(())
    }
}

/// Goes from the upper left room to the lower right one, right over a column or down over a row in
/// any order, and opens each river once where it is crossed.
fn open_a_way(builder: &mut Builder<'_>, columns: &Banks, rows: &Banks) {
    let mut path = [Way::Horizontal; 2 * MAX_RIVERS];
    let path = &mut path[..columns.rivers + rows.rivers];
    path[columns.rivers..].fill(Way::Vertical);
    builder.shuffle(path);
    let (mut column, mut row) = (0, 0);
    for way in &*path {
        let opening = match way {
            Way::Horizontal => {
                column += 1;
                (columns.at[column], rows.between(row, builder))
            }
            Way::Vertical => {
                row += 1;
                (columns.between(column, builder), rows.at[row])
            }
        };
        builder.put(Cell::EMPTY, opening);
    }
}

/// The odd number nearest to `value`, the larger of two.
fn nearest_odd(value: f64) -> usize {
    2 * ((value - 1.0) / 2.0).round() as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_become_odd() {
        let table = [(5.0, 5), (5.9, 5), (6.0, 7), (6.1, 7), (7.9, 7), (24.5, 25), (25.0, 25)];
        for (value, odd) in table {
            assert_eq!(nearest_odd(value), odd, "{value}");
        }
    }
}
