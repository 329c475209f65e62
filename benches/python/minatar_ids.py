"""Registers the ids of the package MinAtar: it leaves that to a hook that Gymnasium 1.0 dropped.

`gym:minatar_ids:MinAtar/Breakout-v1` has Gymnasium import this module first.
"""

from minatar.gym import register_envs

register_envs()
