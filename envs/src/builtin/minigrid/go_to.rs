//! Families whose mission names a thing to go to: `GoToDoor`, `GoToObject`.

use super::Layout;
use super::builder::{Builder, Built, DRAWN};
use super::cell::{Cell, Color, Kind};
use super::grid::{Area, spot};
use super::settings::{PORTABLES, color, portable, rounded, size, whole};
use super::world::{Mission, TargetObject, Task};
use crate::ContextValue;

/// Most objects; in the smallest room there are nine free cells, one for the agent.
const MAX_OBJECTS: usize = 8;

/// A room of any size with a door of another color in each wall.
pub(super) struct GoToDoor {
    pub(super) size: usize,
}

impl Layout for GoToDoor {
    fn context(&self) -> Vec<ContextValue> {
        let mut size = size(self.size, 5);
        size.doc =
            "width and height of the grid, rounded; the room is 5 cells to that, drawn; the \
                    step limit follows"
                .into();
        vec![size, color("target_color", DRAWN, "the door to go to")]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [size, target_color] = rounded(values);
        let size = size as usize;
        builder.world.restart(4 * (size * size) as u32);
        builder.world.see_through_walls = true;
        builder.world.grid.clear(size, size);
        let (width, height) = (builder.between(5, size + 1), builder.between(5, size + 1));
        let room = Area::new((0, 0), (width, height));
        builder.world.grid.wall_in(room);
        let doors = [
            (builder.between(2, width - 2), 0),
            (builder.between(2, width - 2), height - 1),
            (0, builder.between(2, height - 2)),
            (width - 1, builder.between(2, height - 2)),
        ];
        let mut colors = distinct_colors(builder);
        builder.place_agent(room)?;
        let target = builder.below(doors.len());
        if let Ok(index) = usize::try_from(target_color) {
            give(&mut colors, target, Color::ALL[index]);
        }
        for (color, (x, y)) in colors.iter().zip(doors) {
            builder.put(Cell::new(Kind::ClosedDoor, *color), (x, y));
        }
        let (x, y) = doors[target];
        builder.world.task = Task::StandBeside(spot(x, y));
        builder.world.mission = Mission { object: TargetObject::Door, color: Some(colors[target]) };
        Ok(())
    }
}

/// Four colors, no two alike.
fn distinct_colors(builder: &mut Builder<'_>) -> [Color; 4] {
    let (mut colors, mut count) = ([Color::Red; 4], 0);
    while count < colors.len() {
        let color = builder.color(DRAWN);
        if !colors[..count].contains(&color) {
            colors[count] = color;
            count += 1;
        }
    }
    colors
}

/// Makes `items[target]` the `wanted` one. Another one that is just that gets the old one in
/// exchange, so all stay distinct, and the others are as likely as if `wanted` had been drawn.
fn give<T: Copy + PartialEq>(items: &mut [T], target: usize, wanted: T) {
    let old = items[target];
    if let Some(other) = items.iter().position(|item| *item == wanted) {
        items[other] = old;
    }
    items[target] = wanted;
}

/// Different objects in a room: no two of the same type and color.
pub(super) struct GoToObject {
    pub(super) size: usize,
    pub(super) objects: usize,
}

impl Layout for GoToObject {
    fn context(&self) -> Vec<ContextValue> {
        let objects =
            whole(("objects", "1"), self.objects, (1, MAX_OBJECTS), "number of objects, rounded");
        vec![
            size(self.size, 5),
            objects,
            portable("target_type", DRAWN, "the object to go to"),
            color("target_color", DRAWN, "the object to go to"),
        ]
    }

    fn build(&self, values: &[f64], builder: &mut Builder<'_>) -> Built<()> {
        let [size, objects, target_type, target_color] = rounded(values);
        let size = size as usize;
        builder.world.restart(5 * (size * size) as u32);
        builder.world.see_through_walls = true;
        builder.world.grid.clear_room(size, size);
        let everywhere = builder.world.grid.all();
        // Types are indices into `PORTABLES`.
        let (mut objects_buffer, mut spots) = ([(0, Color::Red); MAX_OBJECTS], [0; MAX_OBJECTS]);
        let drawn = &mut objects_buffer[..objects as usize];
        let mut count = 0;
        while count < drawn.len() {
            let object = (builder.below(PORTABLES.len()), builder.color(DRAWN));
            if !drawn[..count].contains(&object) {
                drawn[count] = object;
                spots[count] = builder.place(portable_cell(object), everywhere)?;
                count += 1;
            }
        }
        builder.place_agent(everywhere)?;
        let target = builder.below(drawn.len());
        let (old_type, old_color) = drawn[target];
        let wanted_type = usize::try_from(target_type).unwrap_or(old_type);
        let wanted_color = usize::try_from(target_color).map_or(old_color, |i| Color::ALL[i]);
        give(drawn, target, (wanted_type, wanted_color));
        for (object, spot) in drawn.iter().zip(spots) {
            builder.world.grid.set(spot, portable_cell(*object));
        }
        builder.world.task = Task::StandBeside(spots[target]);
        let object = PORTABLES[wanted_type].1;
        builder.world.mission = Mission { object, color: Some(wanted_color) };
        Ok(())
    }
}

fn portable_cell((portable, color): (usize, Color)) -> Cell {
    Cell::new(PORTABLES[portable].0, color)
}

#[cfg(test)]
mod tests {
    use super::give;

    #[test]
    fn a_target_gets_what_is_wanted_and_all_stay_distinct() {
        // before; target, wanted; after
        let table = [
            ([1, 2, 3], (0, 4), [4, 2, 3]),
            ([1, 2, 3], (0, 1), [1, 2, 3]),
            ([1, 2, 3], (2, 1), [3, 2, 1]),
        ];
        for (mut items, (target, wanted), after) in table {
            give(&mut items, target, wanted);
            assert_eq!(items, after);
        }
    }
}
