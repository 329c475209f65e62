"""Plays environments of the Python package minigrid and writes what happens to stdout.

    minigrid_trace.py SEED ID:STEPS:RESETS:KWARGS...

Each environment, made with KWARGS (a JSON table, or nothing), is played for at least STEPS steps, in whole episodes; then RESETS more episodes
are begun and not played. All numbers are little endian. `draws` is a u32 count and then for each random number two u16, n and one of 0..n; numbers
with n = 1 are left out. `cells` is 3 bytes a cell (object, color, state), row by row. `image` is
the 147 bytes of the observation, (plane, row, column).

    "R" u16 index of ID, draws, u8 width, u8 height, cells, u8 x, u8 y, u8 heading, u32 max_steps,
        u8 target object (0 door, 1 key, 2 ball, 3 box, 4 goal), u8 target color (255 none), image
    "S" u8 action, f32 reward, u8 terminated + 2 truncated, draws, image
    "E" cells, u8 x, u8 y, u8 heading, 3 bytes what is carried (1 0 0 nothing)    after an episode
    "."                                                                           at the end
"""

import json
import random
import struct
import sys
from collections import deque

import gymnasium
import minigrid  # noqa: F401 (registers its environments)
import numpy as np
from minigrid.core.constants import COLOR_TO_IDX, DIR_TO_VEC
from minigrid.core.world_object import Lava, Wall

LEFT, RIGHT, FORWARD, PICKUP, DROP, TOGGLE, DONE = range(7)
TARGETS = {"door": 0, "key": 1, "ball": 2, "box": 3, "goal": 4}
HEADINGS = [tuple(int(i) for i in vector) for vector in DIR_TO_VEC]


class Recorder:
    """Stands in for numpy's generator and remembers every number it gives."""

    def __init__(self, seed):
        self.generator = random.Random(seed)
        self.draws = []

    def integers(self, low, high):
        n = int(high) - int(low)
        value = self.generator.randrange(n)
        if n > 1:
            self.draws.append((n, value))
        return int(low) + value

    def shuffle(self, items):
        for last in range(len(items) - 1, 0, -1):
            other = self.integers(0, last + 1)
            items[last], items[other] = items[other], items[last]

    def choice(self, items):
        return items[self.integers(0, len(items))]

    def take(self):
        draws, self.draws = self.draws, []
        flat = [number for draw in draws for number in draw]
        return struct.pack(f"<I{len(flat)}H", len(draws), *flat)


def cells(env):
    return env.grid.encode().transpose(1, 0, 2).tobytes()


def place(env):
    return bytes([int(env.agent_pos[0]), int(env.agent_pos[1]), int(env.agent_dir)])


def image(obs):
    return np.ascontiguousarray(obs["image"].transpose(2, 1, 0)).tobytes()


def target(env):
    words = env.mission.split()
    kind = next((word for word in reversed(words) if word in TARGETS), "goal")
    if kind == "goal":
        color = "green"
    else:
        color = next((word for word in words if word in COLOR_TO_IDX), None)
    return bytes([TARGETS[kind], 255 if color is None else COLOR_TO_IDX[color]])


class Player:
    """Half of the episodes random, half after one thing or another that lies about."""

    def __init__(self, env, rng):
        self.env, self.rng = env, rng
        self.count = env.action_space.n

    def start(self):
        self.is_purposeful = self.rng.random() < 0.6
        self.plan = []

    def action(self):
        if not self.is_purposeful or self.rng.random() < 0.05:
            weights = [2, 2, 6, 2, 1, 2, 0.05][: self.count]
            return self.rng.choices(range(self.count), weights)[0]
        if not self.plan:
            self.plan = self.make_plan()
        return self.plan.pop(0)

    def things(self):
        """What to stand in front of, and what to do there."""
        env = self.env
        found = []
        for index, cell in enumerate(env.grid.grid):
            spot = (index % env.width, index // env.width)
            if cell is None:
                if env.carrying is not None:
                    found.append((0.1, spot, DROP))
            elif cell.type in ("goal", "lava"):
                found.append((3 if cell.type == "goal" else 0.1, spot, FORWARD))
            elif cell.type == "door":
                can_open = not cell.is_locked or getattr(env.carrying, "color", None) == cell.color
                found.append((2 if can_open else 0.2, spot, TOGGLE))
            elif cell.type in ("key", "ball", "box"):
                found.append((3, spot, PICKUP))
                found.append((0.2, spot, TOGGLE))
                found.append((0.2, spot, FORWARD))
        if hasattr(env, "target_pos"):
            found = [(weight * 0.1, spot, action) for weight, spot, action in found]
            found.append((1, tuple(int(i) for i in env.target_pos), DONE))
        return [thing for thing in found if thing[2] < self.count]

    def make_plan(self):
        before = self.reach()
        near = []
        for weight, (x, y), action in self.things():
            for heading, (dx, dy) in enumerate(HEADINGS):
                if (x - dx, y - dy) in before:
                    near.append((weight, (x - dx, y - dy), heading, action))
        if not near:
            return [self.rng.choice([LEFT, RIGHT])]
        weights = [option[0] for option in near]
        _, spot, heading, action = self.rng.choices(near, weights)[0]
        headings = [heading]
        while before[spot] is not None:
            spot, walked = before[spot]
            headings.append(walked)
        plan, facing = [], int(self.env.agent_dir)
        for index, wanted in enumerate(reversed(headings)):
            turns = (wanted - facing) % 4
            plan += [LEFT] if turns == 3 else [RIGHT] * turns
            facing = wanted
            if index < len(headings) - 1:
                plan.append(FORWARD)
        return plan + [action]

    def reach(self):
        """Cells that the agent can walk to: the cell before and the heading from there."""
        env = self.env
        start = tuple(int(i) for i in env.agent_pos)
        before, queue = {start: None}, deque([start])
        while queue:
            spot = queue.popleft()
            for heading, (dx, dy) in enumerate(HEADINGS):
                to = (spot[0] + dx, spot[1] + dy)
                if to in before or not (0 <= to[0] < env.width and 0 <= to[1] < env.height):
                    continue
                cell = env.grid.get(*to)
                if cell is None or (cell.type == "door" and cell.is_open):
                    before[to] = (spot, heading)
                    queue.append(to)
        return before


def make(name, kwargs):
    if "obstacle_type" in kwargs:
        kwargs["obstacle_type"] = {"lava": Lava, "wall": Wall}[kwargs["obstacle_type"]]
    return gymnasium.make(name, disable_env_checker=True, **kwargs).unwrapped


def play(index, env, least_steps, resets, seed, out):
    """Writes the records of one environment."""
    recorder = env.np_random = Recorder(f"package {seed}")
    player = Player(env, random.Random(f"player {seed}"))
    steps = 0

    def start():
        obs, _ = env.reset()
        size = bytes([env.width, env.height])
        parts = [b"R", struct.pack("<H", index), recorder.take(), size, cells(env), place(env)]
        parts += [struct.pack("<I", env.max_steps), target(env), image(obs)]
        out.write(b"".join(parts))
        player.start()

    while steps < least_steps:
        start()
        ended = False
        while not ended:
            action = player.action()
            obs, reward, terminated, truncated, _ = env.step(action)
            flags = int(terminated) + 2 * int(truncated)
            step = struct.pack("<cBfB", b"S", action, reward, flags)
            out.write(b"".join([step, recorder.take(), image(obs)]))
            ended = terminated or truncated
            steps += 1
        carried = bytes(env.carrying.encode() if env.carrying else (1, 0, 0))
        out.write(b"".join([b"E", cells(env), place(env), carried]))
    for _ in range(resets):
        start()


def main():
    seed = sys.argv[1]
    for index, argument in enumerate(sys.argv[2:]):
        name, steps, resets, kwargs = argument.split(":", 3)
        env = make(name, json.loads(kwargs or "{}"))
        play(index, env, int(steps), int(resets), f"{seed} {argument}", sys.stdout.buffer)
    sys.stdout.buffer.write(b".")


if __name__ == "__main__":
    main()
