"""Environments for Gymnasium with one fault each, for the tests of `contrail check-env`.

Loaded as `gym:broken_envs:Broken/NAME-v0`, with this folder on PYTHONPATH. `Broken/Sound-v0` has no
fault: a random position, moved by the action and by `wind`; ends when it is far out.
"""

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.envs.registration import WrapperSpec
from gymnasium.utils import EzPickle

LIMIT = 12


class Sound(gymnasium.Env):
    """Observations: steps and position."""

    wind = 0.0

    def __init__(self):
        self.observation_space = spaces.Box(np.float32([0, -1]), np.float32([1000, 1]))
        self.action_space = spaces.Discrete(2)

    def observation(self):
        return np.float32([self.steps, self.position])

    def generator(self):
        return self.np_random

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.steps, self.position = 0, 0.0
        return self.observation(), {}

    def step(self, action):
        self.steps += 1
        drawn = self.generator().uniform(-0.4, 0.4) + (0.1 if action else -0.1) + self.wind
        self.position = float(np.clip(0.8 * self.position + drawn, -1, 1))
        return self.observation(), self.position, abs(self.position) > 0.95, False, {}


class Aliasing(Sound):
    """Every observation is the same array."""

    def observation(self):
        if self.steps == 0 or not hasattr(self, "kept"):
            self.kept = np.zeros(2, np.float32)
        self.kept[:] = self.steps, self.position
        return self.kept


class WrongDtype(Sound):
    def observation(self):
        return super().observation().astype(np.float64 if self.steps == 3 else np.float32)


class WrongShape(Sound):
    def observation(self):
        return super().observation().reshape(1, 2)


class ResetAlone(Sound):
    """Gym before 0.26: `reset` returns no info."""

    def reset(self, *, seed=None, options=None):
        return super().reset(seed=seed)[0]


class OldStep(Sound):
    """Gym before 0.26: `step` returns four values."""

    def step(self, action):
        obs, reward, terminated, truncated, info = super().step(action)
        return obs, reward, terminated or truncated, info


class Nan(Sound):
    def observation(self):
        return np.float32([self.steps, np.nan if self.steps == 3 else self.position])


class OutOfBounds(Sound):
    """Both elements, at one step."""

    def observation(self):
        return np.float32([-1, 1.5]) if self.steps == 3 else super().observation()


class RewardNan(Sound):
    def step(self, action):
        obs, reward, *rest = super().step(action)
        return obs, np.nan if self.steps == 3 else reward, *rest


class Unseeded(Sound):
    """Draws from a generator that no seed reaches."""

    own = np.random.default_rng()

    def generator(self):
        return self.own


class Remembers(Sound):
    """The first step of an episode depends on how the last one ended."""

    last = 0.0

    def step(self, action):
        if self.steps == 0:
            self.position = 0.5 * self.last
        answer = super().step(action)
        self.last = self.position
        return answer


class IgnoresContext(Sound):
    def step(self, action):
        kept, self.wind = self.wind, 0.0
        answer = super().step(action)
        self.wind = kept
        return answer


class Raises(Sound):
    def step(self, action):
        if self.steps == 3:
            raise ValueError("the motor is jammed")
        return super().step(action)


class Unfaithful(Sound):
    """Its pickle holds the position of the beginning."""

    def __getstate__(self):
        return {**self.__dict__, "position": 0.0}


class Unsavable(Sound, EzPickle):
    """No fault, but its pickle would hold the arguments of its constructor alone."""

    def __init__(self):
        EzPickle.__init__(self)
        super().__init__()


class Autoreset(gymnasium.Wrapper):
    """Begins the next episode by itself and keeps the last observation in info."""

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        if terminated or truncated:
            first, _ = self.env.reset()
            return first, reward, terminated, truncated, {**info, "final_observation": obs}
        return obs, reward, terminated, truncated, info


class BeginsAnewAtLimit(gymnasium.Wrapper):
    """Begins the next episode by itself when the time is up, and loses the last observation."""

    def step(self, action):
        obs, reward, terminated, truncated, info = self.env.step(action)
        if truncated:
            obs, _ = self.env.reset()
        return obs, reward, terminated, truncated, info


def register(name, entry_point, wrapper=None, limit=LIMIT):
    wrappers = () if wrapper is None else (WrapperSpec(wrapper.__name__, f"{__name__}:{wrapper.__name__}", {}),)
    gymnasium.register(
        f"Broken/{name}-v0", entry_point=entry_point, max_episode_steps=limit, additional_wrappers=wrappers
    )


def cut_early():
    """Its spec says a longer limit than it keeps."""
    return gymnasium.wrappers.TimeLimit(Sound(), LIMIT - 4)


for each in (
    Sound, Aliasing, WrongDtype, WrongShape, ResetAlone, OldStep, Nan, OutOfBounds, RewardNan, Unseeded,
    Remembers, IgnoresContext, Raises, Unfaithful, Unsavable,
):
    register(each.__name__, each)
register("Autoreset", Sound, Autoreset)
register("BeginsAnewAtLimit", Sound, BeginsAnewAtLimit)
register("CutsEarly", cut_early)
