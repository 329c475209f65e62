"""Steps a batch of Python environments for Contrail.

The parent holds the other end of a socket (our stdin) and a shared memory file (our stdout):
requests and small answers cross the socket, actions, rewards and observations lie in the memory.
Whatever the environment prints goes to stderr, which the parent reads as text.

A request is one letter, a length (u32, little endian) and that many bytes, mostly JSON. An answer
has the same form: D (done), F (the request failed, JSON with the reason).
"""

import ctypes
import faulthandler
import importlib
import json
import math
import mmap
import operator
import os
import pickle
import signal
import socket
import struct
import sys
import threading
import time
import traceback

HEAD = struct.Struct("<cI")
DONE = HEAD.pack(b"D", 0)
# How long the next request is waited for without sleeping.
SPIN_NS = 100_000
# Modules that register ids of these namespaces or prefixes when they are imported, or by a call of
# the function after the colon.
PLUGINS = {
    "ALE": "ale_py",
    "BabyAI": "minigrid",
    "MiniGrid": "minigrid",
    "MinAtar": "minatar.gym:register_envs",
    "Fetch": "gymnasium_robotics",
    "highway": "highway_env",
}
# A product of discrete actions larger than this is no list of actions any more.
MAX_JOINT_ACTIONS = 4096


class Refused(Exception):
    """Something the user asked for that cannot be; the message is for them."""


class BadValue(Exception):
    """The environment returned something that its own spaces do not allow."""


def die_with_parent(parent):
    """No orphans: the kernel kills us when the parent dies, even in the middle of a step."""
    try:
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    except (OSError, AttributeError):
        pass  # not Linux: the thread below has to do

    def watch():
        while os.getppid() == parent:
            time.sleep(1.0)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def number(value):
    """JSON has no infinity."""
    value = float(value)
    if math.isnan(value):
        raise Refused("a bound of a space is NaN")
    return value if math.isfinite(value) else ("inf" if value > 0 else "-inf")


def bounds(array):
    """One number if all are equal, else one an element."""
    flat = array.reshape(-1)
    if flat.size and (flat == flat[0]).all():
        return [number(flat[0])]
    return [number(value) for value in flat]


def described(value):
    import numpy as np

    if isinstance(value, np.ndarray):
        return f"an array of dtype {value.dtype} and shape {value.shape}"
    return f"{value!r:.200} of type {type(value).__name__}"


# ---------------------------------------------------------------------------------- observations


def unreadable(space, path, spaces):
    """Path and type of the first part of `space` that has no form in numbers."""
    if isinstance(space, spaces.Dict):
        parts = [(f"{path}[{key!r}]", part) for key, part in space.spaces.items()]
    elif isinstance(space, spaces.Tuple):
        parts = [(f"{path}[{index}]", part) for index, part in enumerate(space.spaces)]
    elif isinstance(space, (spaces.Box, spaces.Discrete, spaces.MultiBinary, spaces.MultiDiscrete)):
        return None
    else:
        return f"{path} is a {type(space).__name__} space"
    return next(filter(None, (unreadable(part, at, spaces) for at, part in parts)), None)


def selected(space, keys, spaces):
    """The entries `keys` of a Dict space: the space, and what takes them out of an observation."""
    if not keys:
        return space, None
    if not isinstance(space, spaces.Dict):
        raise Refused(f"env.obs_keys is {keys}, but observations are a {type(space).__name__} space, not a Dict")
    known = list(space.spaces)
    for key in keys:
        if key not in known:
            raise Refused(f"env.obs_keys names {key!r}, the observation has {known}")
    if len(keys) == 1:
        return space[keys[0]], operator.itemgetter(keys[0])
    return spaces.Dict({key: space[key] for key in keys}), lambda obs: {key: obs[key] for key in keys}


def channel_axis(shape, layout):
    """Where an image of this shape has its channels: 0, or -1 if they must be moved."""
    if layout == "channels_first":
        return 0
    if layout == "channels_last":
        return -1
    return 0 if shape[0] <= shape[-1] else -1


class Observations:
    """How observations of `space` are written as numbers: dtype, shape, bounds, `write`."""

    def __init__(self, space, options, notes):
        import numpy as np
        from gymnasium import spaces

        declared = space
        space, pick = selected(space, options["obs_keys"], spaces)
        bad = unreadable(space, "the observation", spaces)
        if bad:
            hint = ""
            if isinstance(declared, spaces.Dict):
                readable = [k for k, part in declared.spaces.items() if not unreadable(part, "", spaces)]
                hint = f"; env.obs_keys can choose of {readable}"
            raise Refused(f"{bad}, which has no form in numbers{hint}")
        self.pick, self.moved, self.source, self.source_shape = pick, None, None, None
        if isinstance(space, spaces.Box):
            self._box(space, options["image_layout"], np)
        else:
            flat = spaces.utils.flatten_space(space)
            notes.append(f"observations are a {type(space).__name__} space, flattened to {flat.shape[0]} numbers")
            self.space = space
            self.dtype, self.shape = np.dtype(np.float32), flat.shape
            self.low, self.high = flat.low, flat.high
            self.flatten = spaces.utils.flatten

    def _box(self, space, layout, np):
        self.source, self.source_shape = space.dtype, space.shape
        self.dtype = space.dtype if space.dtype == np.uint8 else np.dtype(np.float32)
        self.low, self.high, self.shape = space.low, space.high, space.shape
        if space.shape == ():
            self.shape = (1,)
        elif space.dtype == np.uint8 and len(space.shape) == 2:
            self.shape = (1, *space.shape)
        elif len(space.shape) == 3 and channel_axis(space.shape, layout) == -1:
            self.moved = (2, 0, 1)
            self.low, self.high = (bound.transpose(self.moved) for bound in (self.low, self.high))
            self.shape = self.low.shape

    def spec(self):
        return {
            "dtype": "u8" if self.dtype.itemsize == 1 else "f32",
            "shape": list(self.shape),
            "low": bounds(self.low),
            "high": bounds(self.high),
        }

    def attach(self, memory, offset, count):
        import numpy as np

        size = int(np.prod(self.shape)) * count
        self.view = np.frombuffer(memory, self.dtype, size, offset).reshape(count, *self.shape)
        self.write = self.writer()

    def writer(self):
        """A function of row and observation. This is the hot path, hence the separate cases."""
        view, pick, moved, source, shape = self.view, self.pick, self.moved, self.source, self.source_shape
        if source is None:
            flatten, space = self.flatten, self.space

            def write(row, obs):
                view[row] = flatten(space, obs if pick is None else pick(obs))

            return write

        def write(row, obs):
            if pick is not None:
                obs = pick(obs)
            try:
                fits = obs.dtype == source and obs.shape == shape
            except AttributeError:
                fits = False
            if not fits:
                raise BadValue(
                    f"the observation is {described(obs)}, "
                    f"the space declares dtype {source} and shape {shape}"
                )
            view[row] = obs if moved is None else obs.transpose(moved)

        return write


# --------------------------------------------------------------------------------------- actions


class Actions:
    """How numbers become actions of `space`: kind, bounds, `read`."""

    def __init__(self, space, notes):
        import numpy as np
        from gymnasium import spaces

        self.np, self.table, self.low = np, None, None
        if isinstance(space, spaces.Discrete):
            self.n, self.start = int(space.n), int(space.start)
        elif isinstance(space, (spaces.MultiDiscrete, spaces.MultiBinary)):
            self._joint(space, notes)
        elif isinstance(space, spaces.Box) and np.issubdtype(space.dtype, np.floating):
            self.n, self.shape, self.dtype = None, space.shape, space.dtype
            self.low, self.high = space.low, space.high
        else:
            raise Refused(
                f"actions are a {type(space).__name__} space ({space}), allowed: "
                "Discrete, MultiDiscrete, MultiBinary, and Box of floats"
            )

    def _joint(self, space, notes):
        sizes = getattr(space, "nvec", None)
        sizes = [2] * int(self.np.prod(space.shape)) if sizes is None else [int(n) for n in sizes.reshape(-1)]
        starts = getattr(space, "start", None)
        self.n, self.start = math.prod(sizes), 0
        if self.n > MAX_JOINT_ACTIONS:
            raise Refused(
                f"actions are a {type(space).__name__} space with {self.n} combinations, "
                f"allowed: at most {MAX_JOINT_ACTIONS}"
            )
        rows = self.np.indices(sizes).reshape(len(sizes), -1).T.reshape(self.n, *space.shape)
        self.table = (rows if starts is None else rows + starts).astype(space.dtype)
        notes.append(f"actions are a {type(space).__name__} space, flattened to its {self.n} combinations")

    def spec(self):
        if self.n is not None:
            return {"kind": "discrete", "n": self.n}
        low, high = (self.np.broadcast_to(b, self.shape).reshape(-1) for b in (self.low, self.high))
        return {"kind": "box", "low": [number(v) for v in low], "high": [number(v) for v in high]}

    def bytes_a_row(self):
        return 8 if self.n is not None else 4 * int(self.np.prod(self.shape))

    def attach(self, memory, count):
        if self.n is not None:
            self.view = memoryview(memory)[: 8 * count].cast("q")
        else:
            size = int(self.np.prod(self.shape)) * count
            self.view = self.np.frombuffer(memory, self.np.float32, size).reshape(count, *self.shape)

    def read_all(self):
        """The actions of all rows: copies, since an environment may keep its own."""
        if self.low is not None:
            # float64 bounds are not exact in float32.
            return self.np.clip(self.view.astype(self.dtype), self.low, self.high)
        indices = self.view.tolist()
        if self.table is not None:
            return self.table[indices]
        return [index + self.start for index in indices] if self.start else indices


# ---------------------------------------------------------------------------------- environments


def import_plugin(env_id):
    """Imports the module that is known to register ids like this one; whether there is one."""
    for prefix, plugin in PLUGINS.items():
        if env_id.startswith(prefix):
            module, _, register = plugin.partition(":")
            try:
                imported = importlib.import_module(module)
                if register:
                    getattr(imported, register)()
            except ModuleNotFoundError as error:
                raise Refused(f"{env_id} needs the Python package {module}: {error}") from error
            return True
    return False


def make_gym(env_id, kwargs):
    import gymnasium

    # The passive checker only repeats what `contrail check-env` tests, with a call a step.
    arguments = {"disable_env_checker": True, **kwargs}
    try:
        return gymnasium.make(env_id, **arguments)
    except (gymnasium.error.NameNotFound, gymnasium.error.NamespaceNotFound) as error:
        if not import_plugin(env_id):
            raise Refused(f"Gymnasium has no such environment: {error}") from error
        return gymnasium.make(env_id, **arguments)
    except gymnasium.error.UnregisteredEnv as error:
        raise Refused(f"Gymnasium has no such environment: {error}") from error
    except ModuleNotFoundError as error:
        raise Refused(f"it cannot be imported: {error}") from error


def wrapped(env, wrappers):
    for wrapper in wrappers:
        module, _, name = wrapper["name"].partition(":")
        try:
            cls = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise Refused(f"env.wrappers names {wrapper['name']!r}, which cannot be imported: {error}") from error
        env = cls(env, **wrapper.get("kwargs", {}))
    return env


def set_attribute(env, path, value):
    target = env.unwrapped
    *parents, name = path.split(".")
    for parent in parents:
        target = getattr(target, parent)
    if not hasattr(target, name):
        raise Refused(f"context value {path!r}: the unwrapped environment has no such attribute")
    setattr(target, name, value)


class Gymnasium:
    """Environments of Gymnasium, stepped one after the other.

    Gymnasium's vector environments are not used: their autoreset would begin episodes with seeds
    of their own. Single environments of every version answer `reset` and `step` alike.
    """

    def __init__(self, options, notes):
        self.options = options
        self.kwargs = [dict(options["kwargs"]) for _ in range(options["count"])]
        self.envs = [self._make(kwargs) for kwargs in self.kwargs]
        first = self.envs[0]
        self.time_limit = getattr(first.spec, "max_episode_steps", None) if first.spec else None
        if options["unlimited"]:
            self.time_limit = None
        self.observations = Observations(first.observation_space, options, notes)
        self.actions = Actions(first.action_space, notes)

    def _make(self, kwargs):
        kwargs = dict(kwargs)
        if self.options["render"]:
            kwargs.setdefault("render_mode", "rgb_array")
        if self.options["unlimited"]:
            kwargs["max_episode_steps"] = 2**31 - 1  # what removes the limit differs by version
        return wrapped(make_gym(self.options["id"], kwargs), self.options["wrappers"])

    def step(self, rows, memory, faults):
        envs, actions, write = self.envs, self.actions.read_all(), self.observations.write
        rewards, outcomes, cursor = memory.rewards, memory.outcomes, memory.cursor
        for row in rows:
            cursor[0] = row
            try:
                answer = envs[row].step(actions[row])
                try:
                    obs, reward, terminated, truncated, info = answer
                except (TypeError, ValueError):
                    raise BadValue(
                        f"step returned {described(answer)}, "
                        "expected observation, reward, terminated, truncated, info"
                    ) from None
                if terminated or truncated:
                    obs = true_final(obs, info)
                    outcomes[row] = 1 if terminated else 2
                else:
                    outcomes[row] = 0
                write(row, obs)
                rewards[row] = float(reward)
            except Exception as error:
                faults.append({"row": row, "reason": explain(error)})

    def reset(self, row, seed, context):
        options = self._apply(row, context) if context else None
        env = self.envs[row]
        answer = env.reset(seed=seed, options=options) if options else env.reset(seed=seed)
        if not isinstance(answer, tuple) or len(answer) != 2:
            raise BadValue(f"reset returned {described(answer)}, expected a pair of observation and info")
        self.observations.write(row, answer[0])

    def _apply(self, row, context):
        """Gives row `row` its context; what belongs into the options of its reset."""
        options, changed = {}, dict(self.kwargs[row])
        for entry in context:
            if entry["via"] == "kwarg":
                changed[entry["name"]] = entry["value"]
            elif entry["via"] == "reset_option":
                options[entry["name"]] = entry["value"]
        if changed != self.kwargs[row]:
            self.envs[row].close()
            self.envs[row], self.kwargs[row] = self._make(changed), changed
        for entry in context:
            if entry["via"] == "attribute":
                set_attribute(self.envs[row], entry["name"], entry["value"])
        return options

    def save(self, row):
        layer = self.envs[row]
        while layer is not None:
            # Such a class pickles its arguments alone: an environment at its beginning.
            if any(base.__name__ == "EzPickle" for base in type(layer).__mro__):
                raise Refused(f"{type(layer).__name__} is pickled without its state (it is an EzPickle)")
            layer = getattr(layer, "env", None)
        return pickle.dumps((self.kwargs[row], self.envs[row]), protocol=5)

    def load(self, row, data):
        self.kwargs[row], self.envs[row] = pickle.loads(data)

    def render(self, row):
        return self.envs[row].render()

    def bare_loop(self, seconds):
        """Steps a second of a plain loop: random actions drawn before, resets without a seed."""
        actions = [self.envs[0].action_space.sample() for _ in range(4096)]
        for env in self.envs:
            env.reset()
        steps, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            for _ in range(64):
                for env in self.envs:
                    _, _, terminated, truncated, _ = env.step(actions[steps % 4096])
                    steps += 1
                    if terminated or truncated:
                        env.reset()
        return {"steps": steps, "seconds": time.perf_counter() - begin}

    def inspect(self, seed, max_steps):
        """What only Python can see: arrays that change after they were returned."""
        env, findings = self.envs[0], []
        env.action_space.seed(seed)
        last, _ = env.reset(seed=seed)
        for step in range(1, max_steps + 1):
            kept = pickle.dumps(last)
            obs, _, terminated, truncated, info = env.step(env.action_space.sample())
            if pickle.dumps(last) != kept:
                findings.append({
                    "rule": "aliasing",
                    "detail": f"the observation returned before step {step} was changed by that step; return a copy",
                })
                break
            if terminated or truncated:
                if true_final(obs, info) is not obs:
                    findings.append({
                        "rule": "autoreset",
                        "detail": f"at the end (step {step}) the observation is the first of the next episode; "
                        "the bridge takes the final one from info",
                    })
                last, _ = env.reset(seed=seed + step)
            else:
                last = obs
        return findings

    def close(self):
        for env in self.envs:
            env.close()


def true_final(obs, info):
    """The last observation of the episode.

    Gymnasium 0.29's AutoResetWrapper returns the first observation of the next episode and puts
    the last one into info; so do vector environments in same-step mode.
    """
    for key in ("final_observation", "final_obs"):
        if isinstance(info, dict) and info.get(key) is not None:
            return info[key]
    return obs


class EnvPool:
    """Environments of EnvPool, stepped together by its own threads.

    Its seed is given once, so the first reset decides all episodes; later seeds are ignored.
    """

    def __init__(self, options, notes):
        import envpool
        import numpy as np

        for key in ("wrappers", "contexts", "unlimited", "render"):
            if options[key]:
                raise Refused(f"envpool takes no {key}")
        self.np, self.options, self.pool = np, options, None
        kwargs = {k: v for k, v in options["kwargs"].items() if k != "num_threads"}
        spec = envpool.make_spec(options["id"], **kwargs)
        self.time_limit = getattr(spec.config, "max_episode_steps", None)
        self.observations = Observations(spec.gymnasium_observation_space, options, notes)
        self.actions = Actions(spec.gymnasium_action_space, notes)

    def _open(self, seed):
        import envpool

        count = self.options["count"]
        return envpool.make(
            self.options["id"], env_type="gymnasium", num_envs=count, batch_size=count, seed=seed,
            **self.options["kwargs"],
        )

    def step(self, rows, memory, faults):
        np = self.np
        ids = np.array(rows, dtype=np.int32)
        actions = np.asarray(self.actions.read_all(), dtype=self.pool.action_space.dtype)[ids]
        memory.cursor[0] = rows[0]
        obs, rewards, terminated, truncated, info = self.pool.step(actions, ids)
        for at, row in enumerate(info["env_id"]):
            try:
                memory.outcomes[row] = 1 if terminated[at] else 2 if truncated[at] else 0
                memory.rewards[row] = float(rewards[at])
                self.observations.write(row, obs[at])
            except Exception as error:
                faults.append({"row": int(row), "reason": explain(error)})

    def reset(self, row, seed, context):
        if self.pool is None:
            self.pool = self._open(seed)
        obs, _ = self.pool.reset(self.np.array([row], dtype=self.np.int32))
        self.observations.write(row, obs[0])

    def save(self, row):
        raise Refused("EnvPool has no way to save an environment")

    load = save

    def render(self, row):
        raise Refused("EnvPool environments are not drawn")

    def bare_loop(self, seconds):
        np = self.np
        pool = self._open(0)
        count = self.options["count"]
        actions = np.array([pool.action_space.sample() for _ in range(1024 * count)]).reshape(1024, count, -1)
        actions = actions.astype(pool.action_space.dtype).reshape(1024, count, *pool.action_space.shape)
        pool.reset()
        steps, begin = 0, time.perf_counter()
        while time.perf_counter() - begin < seconds:
            for turn in range(64):
                pool.step(actions[(steps // count) % 1024])
                steps += count
        return {"steps": steps, "seconds": time.perf_counter() - begin}

    def inspect(self, seed, max_steps):
        return []

    def close(self):
        if self.pool is not None:
            self.pool.close()


# ------------------------------------------------------------------------------------- the worker


def explain(error):
    """The traceback without the worker's own frames."""
    if isinstance(error, (BadValue, Refused)):
        return str(error)
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if frame.filename != __file__]
    lines = traceback.format_list(own) + traceback.format_exception_only(type(error), error)
    return "".join(["Traceback (most recent call last):\n", *lines]).rstrip()


def aligned(offset):
    return (offset + 7) // 8 * 8


class Memory:
    """The shared file: actions and commands from the parent, rewards, outcomes, observations back."""

    def __init__(self, fd, envs, count):
        import numpy as np

        actions = envs.actions.bytes_a_row() * count
        commands = actions + count
        self.offsets = {"actions": 0, "commands": actions, "cursor": aligned(commands)}
        self.offsets["rewards"] = self.offsets["cursor"] + 8
        self.offsets["outcomes"] = self.offsets["rewards"] + 8 * count
        self.offsets["obs"] = aligned(self.offsets["outcomes"] + count)
        obs = envs.observations
        size = self.offsets["obs"] + obs.dtype.itemsize * int(np.prod(obs.shape)) * count
        self.offsets["size"] = size
        os.ftruncate(fd, size)
        self.map = mmap.mmap(fd, size)
        view = memoryview(self.map)
        part = lambda name, length: view[self.offsets[name] : self.offsets[name] + length]
        self.commands = part("commands", count)
        self.cursor = part("cursor", 8).cast("q")
        self.rewards = part("rewards", 8 * count).cast("d")
        self.outcomes = part("outcomes", count)
        envs.actions.attach(self.map, count)
        obs.attach(self.map, self.offsets["obs"], count)


class Worker:
    def __init__(self, channel, memory_fd):
        self.channel, self.memory_fd = channel, memory_fd
        self.envs = self.memory = None

    def receive(self):
        """The next request, or None when the parent is gone."""
        head = self._exactly(HEAD.size, self._soon(HEAD.size))
        if not head:
            return None
        letter, length = HEAD.unpack(head)
        payload = self._exactly(length) if length else b""
        return None if payload is None else (letter, payload)

    def _soon(self, length):
        """What arrives within SPIN_NS, without sleeping: waking up takes as long as some steps."""
        receive, now = self.channel.recv, time.perf_counter_ns
        deadline = now() + SPIN_NS
        while True:
            try:
                return receive(length, socket.MSG_DONTWAIT)
            except BlockingIOError:
                if now() > deadline:
                    return receive(length)
                os.sched_yield()

    def _exactly(self, length, data=b""):
        while len(data) < length:
            more = self.channel.recv(length - len(data))
            if not more:
                return None
            data += more
        return data

    def answer(self, letter, payload):
        self.channel.sendall(HEAD.pack(letter, len(payload)) + payload)

    def run(self):
        requests = {
            b"I": self.init, b"Z": self.reset, b"P": self.save, b"L": self.load,
            b"V": self.render, b"M": self.measure, b"C": self.inspect,
        }
        while (request := self.receive()) is not None:
            letter, payload = request
            if letter == b"S":
                self.step()
                continue
            try:
                self.answer(b"D", requests[letter](payload) or b"")
            except Exception as error:
                refused = isinstance(error, Refused)
                self.answer(b"F", json.dumps({"refused": refused, "reason": explain(error)}).encode())
        if self.envs is not None:
            self.envs.close()

    def step(self):
        rows = [row for row, command in enumerate(self.memory.commands) if command]
        faults = []
        try:
            self.envs.step(rows, self.memory, faults)
        except Exception as error:
            faults = [{"row": row, "reason": explain(error)} for row in rows]
        if faults:
            self.answer(b"D", json.dumps(faults).encode())
        else:
            self.channel.send(DONE)

    def init(self, payload):
        options = json.loads(payload)
        notes = []
        try:
            importlib.import_module("gymnasium")
            self.envs = {"gym": Gymnasium, "envpool": EnvPool}[options["family"]](options, notes)
        except ModuleNotFoundError as error:
            raise Refused(f"{sys.executable} has no module {error.name!r}; install it there, or set env.python") from error
        self.memory = Memory(self.memory_fd, self.envs, options["count"])
        spec = {
            "obs": self.envs.observations.spec(),
            "action": self.envs.actions.spec(),
            "time_limit": self.envs.time_limit,
            "offsets": self.memory.offsets,
            "notes": notes,
        }
        return json.dumps(spec).encode()

    def reset(self, payload):
        row, seed = struct.unpack_from("<II", payload)
        self.memory.cursor[0] = row
        self.envs.reset(row, seed, json.loads(payload[8:]) if len(payload) > 8 else [])

    def save(self, payload):
        try:
            return self.envs.save(json.loads(payload)["row"])
        except Refused:
            raise
        except Exception as error:  # whatever keeps an object from being pickled
            raise Refused(f"it cannot be pickled: {error}") from error

    def load(self, payload):
        row = struct.unpack_from("<I", payload)[0]
        self.envs.load(row, payload[4:])

    def render(self, payload):
        frame = self.envs.render(json.loads(payload)["row"])
        if getattr(frame, "ndim", 0) != 3 or frame.shape[2] != 3:
            raise BadValue(f"render returned {described(frame)}, expected an array of shape (height, width, 3)")
        return struct.pack("<II", frame.shape[1], frame.shape[0]) + frame.astype("uint8").tobytes()

    def measure(self, payload):
        return json.dumps(self.envs.bare_loop(json.loads(payload)["seconds"])).encode()

    def inspect(self, payload):
        request = json.loads(payload)
        return json.dumps(self.envs.inspect(request["seed"], request["max_steps"])).encode()


def main(channel, parent):
    memory_fd = os.dup(1)
    os.dup2(2, 1)  # what the environment prints must not reach the shared memory
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1)  # the parent asks where a worker hangs
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    die_with_parent(parent)
    try:
        Worker(channel, memory_fd).run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the parent is gone


main(CHANNEL, PARENT)
