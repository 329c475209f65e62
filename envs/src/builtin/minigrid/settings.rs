//! The context values of the families, and how they become whole numbers.

use super::builder::DRAWN;
use super::cell::{Cell, Color, Kind};
use super::grid::MAX_SIZE;
use super::world::TargetObject;
use crate::ContextValue;

pub(super) const YELLOW: i32 = Color::Yellow as i32;
pub(super) const GREEN: i32 = Color::Green as i32;
pub(super) const BLUE: i32 = Color::Blue as i32;

/// The values of a context, checked, in the order of its spec.
pub(super) fn rounded<const N: usize>(values: &[f64]) -> [i32; N] {
    std::array::from_fn(|index| values[index].round() as i32)
}

/// A whole number from `low` to `high`.
pub(super) fn whole(
    (name, unit): (&str, &str),
    default: usize,
    (low, high): (usize, usize),
    doc: &str,
) -> ContextValue {
    ContextValue::new(name, unit, default as f64, (low as f64, high as f64), doc)
}

/// Cells along each side of the grid.
pub(super) fn size(default: usize, low: usize) -> ContextValue {
    let doc = "width and height of the grid with its outer walls, rounded; the step limit follows";
    whole(("size", "cells"), default, (low, MAX_SIZE), doc)
}

/// A color, or -1 for one that is drawn.
pub(super) fn color(name: &str, default: i32, of: &str) -> ContextValue {
    let doc = format!(
        "color of {of}, rounded: 0 red, 1 green, 2 blue, 3 purple, 4 yellow, 5 grey, -1 drawn"
    );
    ContextValue::new(name, "1", f64::from(default), (f64::from(DRAWN), 5.0), &doc)
}

pub(super) fn goal_color() -> ContextValue {
    color("goal_color", GREEN, "the goal square")
}

/// A key, a ball or a box, or -1 for one that is drawn.
pub(super) fn portable(name: &str, default: i32, of: &str) -> ContextValue {
    let doc = format!("what {of} is, rounded: 0 key, 1 ball, 2 box, -1 drawn");
    ContextValue::new(name, "1", f64::from(default), (f64::from(DRAWN), 2.0), &doc)
}

/// What [`portable`] numbers 0, 1 and 2.
pub(super) const PORTABLES: [(Kind, TargetObject); 3] = [
    (Kind::Key, TargetObject::Key),
    (Kind::Ball, TargetObject::Ball),
    (Kind::Box, TargetObject::Box),
];

/// Something that is on from 0.5.
pub(super) fn switch(name: &str, default: bool, doc: &str) -> ContextValue {
    ContextValue::new(name, "1", f64::from(u8::from(default)), (0.0, 1.0), doc)
}

pub(super) fn random_start(default: bool) -> ContextValue {
    let doc = "0: the agent starts in the upper left corner, heading right; 1: anywhere, any way";
    switch("random_start", default, doc)
}

/// What stands in the way: lava ends an episode, a wall does not.
pub(super) fn obstacle_type(is_wall: bool) -> ContextValue {
    switch("obstacle_type", is_wall, "what is in the way: 0 lava, 1 wall (wall from 0.5)")
}

/// The cell of [`obstacle_type`].
pub(super) fn obstacle(setting: i32) -> Cell {
    if setting == 0 { Cell::LAVA } else { Cell::WALL }
}
