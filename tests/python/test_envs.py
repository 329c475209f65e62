"""Environments for the tests of the Python bridge.

From the root of the repository: `gym:tests.python.test_envs:Counting-v0`.
"""

import ctypes
import os
import sys
import time

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.utils import EzPickle


class Counting(gymnasium.Env):
    """Observation: process, episode of this instance, step, last action. Episode e of length
    `length` + e terminates if e is even and is cut if it is odd; the reward is 10 e + step."""

    def __init__(self, length=3):
        self.observation_space = spaces.Box(-1.0, 1e9, (4,), np.float32)
        self.action_space = spaces.Discrete(3)
        self.length, self.episode, self.count = length, -1, 0

    def observe(self, action):
        # Process numbers are small enough for float32.
        return np.array([os.getpid(), self.episode, self.count, action], np.float32)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.count = self.episode + 1, 0
        return self.observe(-1), {}

    def step(self, action):
        self.count += 1
        over = self.count == self.length + self.episode % 5
        even = self.episode % 2 == 0
        reward = 10.0 * self.episode + self.count
        return self.observe(action), reward, over and even, over and not even, {}


class Faulty(Counting):
    """Does `fault` at step `at` of its first `times` episodes."""

    def __init__(self, fault, at=2, times=10**9):
        super().__init__(length=10)
        self.fault, self.at, self.times = fault, at, times

    def reset(self, seed=None, options=None):
        if self.fault == "reset":
            raise RuntimeError("the reset broke")
        return super().reset(seed=seed)

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        if self.count != self.at or self.episode >= self.times:
            return obs, reward, terminated, truncated, info
        match self.fault:
            case "raise":
                raise ValueError("the simulator lost its licence")
            case "exit":
                os._exit(7)
            case "segfault":
                ctypes.string_at(0)
            case "hang":
                time.sleep(1000)
            case "hang_in_c":
                ctypes.PyDLL(None).sleep(1000)  # with the interpreter's lock held
            case "nan":
                obs = obs * np.float32("nan")
            case "shape":
                obs = obs[:3]
            case "dtype":
                obs = obs.astype(np.float64)
            case "list":
                obs = obs.tolist()
            case "bounds":
                obs[2] = -7.0
            case "reward":
                reward = "much"
            case "nan_reward":
                reward = float("nan")
            case "four":
                return obs, reward, terminated, info
            case "print":
                print("hello from the environment")
                print("and to stderr", file=sys.stderr)
                os.write(1, b"raw bytes to file descriptor 1\n")
        return obs, reward, terminated, truncated, info


class Contextual(Counting):
    """Shows what it was given: constructor argument, reset option, two attributes."""

    class Physics:
        gravity = 9.8

    def __init__(self, size=1, theme="plain"):
        super().__init__()
        self.size, self.theme, self.wind, self.physics = size, theme, 0.0, self.Physics()

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        goal = (options or {}).get("goal", -1)
        theme = {"plain": 0.0, "dark": 1.0}[self.theme]
        return np.array([10 * self.size + theme, goal, self.wind, self.physics.gravity], np.float32), {}


class Spaces(gymnasium.Env):
    """An environment with the spaces that its name asks for; actions come back as the reward."""

    OBS = {
        "vector64": (spaces.Box(-2.0, 3.0, (2,), np.float64), np.array([-1.5, 2.5])),
        "scalar": (spaces.Box(0.0, 1.0, (), np.float32), np.array(0.25, np.float32)),
        "unbounded": (spaces.Box(-np.inf, np.inf, (2,), np.float32), np.array([1e9, -1e9], np.float32)),
        "whole": (spaces.Box(0, 9, (3,), np.int64), np.array([1, 2, 9])),
        "gray": (spaces.Box(0, 255, (2, 3), np.uint8), np.arange(6, dtype=np.uint8).reshape(2, 3)),
        "rgb": (spaces.Box(0, 255, (4, 5, 3), np.uint8), np.arange(60, dtype=np.uint8).reshape(4, 5, 3)),
        "planes": (spaces.Box(0, 255, (3, 4, 5), np.uint8), np.arange(60, dtype=np.uint8).reshape(3, 4, 5)),
        "index": (spaces.Discrete(3, start=5), 6),
        "bits": (spaces.MultiBinary(3), np.array([1, 0, 1], np.int8)),
        "digits": (spaces.MultiDiscrete([2, 3]), np.array([1, 2])),
        "dict": (
            spaces.Dict({"far": spaces.Box(0.0, 9.0, (2,), np.float32), "kind": spaces.Discrete(2)}),
            {"far": np.array([4.0, 5.0], np.float32), "kind": 1},
        ),
        "words": (
            spaces.Dict({"far": spaces.Box(0.0, 9.0, (2,), np.float32), "word": spaces.Text(3)}),
            {"far": np.array([4.0, 5.0], np.float32), "word": "ab"},
        ),
        "sequence": (spaces.Sequence(spaces.Discrete(2)), (0, 1)),
    }
    ACTIONS = {
        "discrete": spaces.Discrete(3, start=-1),
        "box": spaces.Box(np.array([[-0.1, -2.0]]), np.array([[0.1, 2.0]]), (1, 2), np.float64),
        "bits": spaces.MultiBinary(2),
        "digits": spaces.MultiDiscrete([2, 3]),
        "many": spaces.MultiDiscrete([100, 100]),
        "counts": spaces.Box(0, 3, (1,), np.int32),
        "dict": spaces.Dict({"a": spaces.Discrete(2)}),
    }

    def __init__(self, obs="vector64", action="discrete"):
        self.observation_space, self.obs = self.OBS[obs]
        self.action_space = self.ACTIONS[action]

    def reset(self, seed=None, options=None):
        return self.obs, {}

    def step(self, action):
        assert self.action_space.contains(action), repr(action)
        digits = np.asarray(action).reshape(-1)
        reward = float(sum(d * 10**-i for i, d in enumerate(digits)))
        return self.obs, reward, False, False, {}


class Pickled(EzPickle, Counting):
    """Pickles its arguments alone, as many environments of Gymnasium do."""

    def __init__(self):
        EzPickle.__init__(self)
        Counting.__init__(self)


class Locked(Counting):
    """Holds what cannot be pickled."""

    def __init__(self):
        super().__init__()
        self.file = open(os.devnull)


class AutoReset(Counting):
    """Like Gymnasium 0.29's AutoResetWrapper: the end returns the next episode's first
    observation, and the last one in info."""

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        if terminated or truncated:
            info = {"final_observation": obs, "final_info": info}
            obs, _ = self.reset()
        return obs, reward, terminated, truncated, info


class Ignores(gymnasium.ActionWrapper):
    """Replaces every action."""

    def __init__(self, env, by=0):
        super().__init__(env)
        self.by = by

    def action(self, action):
        return self.by


for env in (Counting, Faulty, Contextual, Spaces, Pickled, Locked, AutoReset):
    gymnasium.register(f"{env.__name__}-v0", entry_point=f"{__name__}:{env.__name__}")
gymnasium.register("Cut-v0", entry_point=f"{__name__}:Counting", max_episode_steps=2)
