"""Makes the golden values of agents/tests/parity with PyTorch and numpy.

    python3 -m venv venv && venv/bin/pip install torch==2.11.0 numpy==2.4.6
    venv/bin/python agents/tests/golden/make_golden.py

Written with Python 3.11, torch 2.11.0 on the CPU and numpy 2.4.6. Running it again gives the
same files but for the last digits of an f32, should the processor's kernels differ.

Nothing here is a translation of the Rust code: losses are torch.nn.functional, torch.distributions
or the papers' loops; networks are torch.nn modules; updates are autograd and torch.optim.Adam.

Inputs and weights are not stored. Both sides compute them with `numbers`, an integer hash whose
results are exact in f32. The one stored input is normals.json: the normal draws of the Rust
generator, which the Rust side writes (see write_normals in parity/main.rs).
"""

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.distributions import Normal, TransformedDistribution
from torch.distributions.transforms import TanhTransform

HERE = Path(__file__).parent
GAIN = np.float32(1.5)


def bits(seed, count):
    """32 pseudo-random bits for each index: a fixed integer hash of seed and index."""
    mask = np.uint64(0xFFFFFFFF)
    x = (np.arange(count, dtype=np.uint64) + np.uint64(seed) * np.uint64(0x9E3779B9)) & mask
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        x ^= x >> np.uint64(shift)
        x = (x * np.uint64(factor)) & mask
    return x ^ (x >> np.uint64(16))


def numbers(seed, shape, scale=1.0):
    """Uniform numbers in [-scale, scale), f32."""
    unit = (bits(seed, math.prod(shape)) >> np.uint64(8)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return torch.from_numpy((unit * np.float32(scale)).reshape(shape))


def image(seed, shape, levels):
    """Bytes 0 .. levels - 1."""
    return torch.from_numpy((bits(seed, math.prod(shape)) % np.uint64(levels)).astype(np.float32).reshape(shape))


def fill(module, seed):
    """Weights of a module: parameter i of its layers, in order, comes from seed + i."""
    index = 0
    for layer in module.modules():
        for name, param in layer.named_parameters(recurse=False):
            shape = tuple(param.shape)
            if isinstance(layer, nn.LayerNorm) and name == "weight":
                value = numbers(seed + index, shape, 0.5) + 1.0
            elif len(shape) > 1:
                value = numbers(seed + index, shape, GAIN / np.sqrt(np.float32(math.prod(shape[1:]))))
            else:
                value = numbers(seed + index, shape, 0.1)
            param.data.copy_(value)
            index += 1
    return module


class Golden:
    """Named arrays of one file."""

    def __init__(self):
        self.arrays = {}

    def add(self, name, tensor):
        array = torch.as_tensor(tensor).detach().numpy()
        assert np.isfinite(array).all(), name
        values = [float(str(v)) for v in array.reshape(-1)]
        self.arrays[name] = {"shape": list(array.shape), "values": values}

    def write(self, file):
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in self.arrays.items()]
        (HERE / file).write_text("{\n" + ",\n".join(lines) + "\n}\n")


# ---------------------------------------------------------------- losses


def value_losses(out):
    """huber, td_target. f32."""
    q = torch.cat([numbers(1, [12], 3.0), torch.zeros(3)]).requires_grad_()
    y = torch.cat([numbers(2, [12], 3.0), torch.tensor([0.0, 1.0, -1.0])])
    loss = F.smooth_l1_loss(q, y, reduction="none")
    assert torch.allclose(loss, F.huber_loss(q, y, reduction="none", delta=1.0))
    out.add("huber", loss)
    out.add("huber_gradient", torch.autograd.grad((loss * numbers(3, [15])).sum(), q)[0])
    out.add("td_target", torch.addcmul(numbers(4, [8]), numbers(5, [8]), numbers(6, [8])))


def project_loop(probs, moved, low, high):
    """Bellemare et al. 2017, Algorithm 1, atom by atom in f64."""
    batch, atoms = probs.shape
    gap = (high - low) / (atoms - 1)
    m = np.zeros((batch, atoms))
    for row in range(batch):
        for j in range(atoms):
            b = (min(max(float(moved[row, j]), low), high) - low) / gap
            if abs(b - round(b)) < 1e-5:  # f32 atoms are not exactly low + i gap
                b = round(b)
            lower, upper = math.floor(b), math.ceil(b)
            if lower == upper:
                m[row, lower] += float(probs[row, j])
            else:
                m[row, lower] += float(probs[row, j]) * (upper - b)
                m[row, upper] += float(probs[row, j]) * (b - lower)
    return torch.from_numpy(m)


def support(low, high, atoms):
    return torch.from_numpy(np.linspace(low, high, atoms).astype(np.float32))


def quantile_loop(theta, y):
    """Dabney et al. 2018, Algorithm 1, pair by pair; kappa = 1."""
    losses = []
    for row in range(theta.shape[0]):
        total = 0.0
        count = theta.shape[1]
        for i in range(count):
            tau = (2 * i + 1) / (2 * count)
            mean = 0.0
            for j in range(count):
                u = y[row, j] - theta[row, i]
                huber = 0.5 * u * u if abs(u.item()) <= 1 else abs(u) - 0.5
                mean = mean + abs(tau - (1.0 if u.item() < 0 else 0.0)) * huber / count
            total = total + mean
        losses.append(total)
    return torch.stack(losses)


def distributional_losses(out):
    """project_categorical, categorical_cross_entropy, quantile_huber. f64 of f32 inputs."""
    atoms = 11
    z = support(-2.0, 2.0, atoms)
    probs = torch.softmax(numbers(10, [40, atoms], 2.0), -1)
    n_step_return, discount = numbers(11, [40], 3.0), numbers(12, [40]).abs()
    discount[30:] = 0.0  # terminated
    special = [(z[3].item(), 0.0), (100.0, 1.0), (-100.0, 1.0), (0.0, 1.0), (z[6].item() - z[5].item(), 1.0)]
    for row, (r, d) in enumerate(special):
        n_step_return[row], discount[row] = r, d
    moved = n_step_return.unsqueeze(1) + discount.unsqueeze(1) * z
    out.add("projection_probs", probs)
    out.add("projection_moved", moved)
    out.add("projection", project_loop(probs, moved, -2.0, 2.0))

    logits = numbers(13, [6, atoms], 4.0).double().requires_grad_()
    loss = F.cross_entropy(logits, probs[:6].double(), reduction="none")
    out.add("cross_entropy", loss)
    out.add("cross_entropy_gradient", torch.autograd.grad((loss * numbers(14, [6])).sum(), logits)[0])

    theta = numbers(15, [5, 7], 2.0).double().requires_grad_()
    loss = quantile_loop(theta, numbers(16, [5, 7], 2.0).double())
    out.add("quantile", loss)
    out.add("quantile_gradient", torch.autograd.grad((loss * numbers(17, [5])).sum(), theta)[0])


def sac_losses(out):
    """gaussian_tanh_log_prob, soft_td_target, entropy_coefficient_gradient. f64 of f32 inputs."""
    mean = numbers(20, [6, 3], 2.0).double().requires_grad_()
    log_std = (numbers(21, [6, 3], 2.0) - 1.0).double().requires_grad_()
    u = numbers(22, [6, 3], 3.0).double().requires_grad_()
    tanh = TanhTransform(cache_size=1)  # the cache keeps u, which tanh(u) in f64 would lose
    log_prob = TransformedDistribution(Normal(mean, log_std.exp()), [tanh]).log_prob(tanh(u)).sum(-1)
    out.add("log_prob", log_prob)
    gradients = torch.autograd.grad((log_prob * numbers(23, [6])).sum(), [mean, log_std, u])
    for name, gradient in zip(["mean", "log_std", "pre_tanh"], gradients):
        out.add(f"log_prob_gradient_{name}", gradient)
    r, d, q1, q2, lp = (numbers(24 + i, [8], 2.0).double() for i in range(5))
    out.add("soft_td_target", r + d * (torch.min(torch.stack([q1, q2]), 0).values - 0.2 * lp))
    log_alpha = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    (-(log_alpha * (lp + -3.0)).mean()).backward()
    out.add("entropy_gradient", log_alpha.grad)


def make_losses():
    out = Golden()
    value_losses(out)
    distributional_losses(out)
    sac_losses(out)
    out.write("losses.json")


# ---------------------------------------------------------------- Adam


def make_adam():
    """50 steps of torch.optim.Adam on given gradients, every second one large. f32."""
    out = Golden()
    for name, eps, clip in [("plain", 1e-8, 0), ("clip", 1e-8, 1), ("plain_eps", 1.5e-4, 0), ("clip_eps", 1.5e-4, 1)]:
        params = [nn.Parameter(numbers(200, [4, 5])), nn.Parameter(numbers(201, [3]))]
        optimizer = torch.optim.Adam(params, lr=1e-2, eps=eps)
        norms = []
        for step in range(50):
            gradient = numbers(300 + step, [23], 0.05 if step % 2 == 0 else 1.0)
            params[0].grad, params[1].grad = gradient[:20].reshape(4, 5).clone(), gradient[20:].clone()
            norms.append(nn.utils.clip_grad_norm_(params, clip if clip else math.inf))
            optimizer.step()
            if step + 1 in (1, 10, 50):
                out.add(f"{name}/values{step + 1}", torch.cat([p.reshape(-1) for p in params]))
        out.add(f"{name}/norms", torch.stack(norms))
        for moment, key in (("m", "exp_avg"), ("v", "exp_avg_sq")):
            out.add(f"{name}/{moment}", torch.cat([optimizer.state[p][key].reshape(-1) for p in params]))
    out.write("adam.json")


# ---------------------------------------------------------------- networks


class NoisyLinear(nn.Module):
    """Fortunato et al. 2018, equations 9 to 11, with the noisy matrix written out."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(outputs, inputs))
        self.bias = nn.Parameter(torch.empty(outputs))
        self.sigma_weight = nn.Parameter(torch.empty(outputs, inputs))
        self.sigma_bias = nn.Parameter(torch.empty(outputs))
        self.draws = None  # an iterator over normal numbers, or None for the mean weights

    def forward(self, x):
        if self.draws is None:
            return F.linear(x, self.weight, self.bias)

        def f(count):
            e = torch.tensor([next(self.draws) for _ in range(count)])
            return torch.sign(e) * torch.sqrt(torch.abs(e))

        e_in, e_out = f(self.weight.shape[1]), f(self.weight.shape[0])
        return F.linear(x, self.weight + self.sigma_weight * torch.outer(e_out, e_in), self.bias + self.sigma_bias * e_out)


def mlp(units, activate_last=False, layer_norm=False, noisy=False):
    layers = []
    for i, (inputs, outputs) in enumerate(zip(units, units[1:])):
        layers.append(NoisyLinear(inputs, outputs) if noisy else nn.Linear(inputs, outputs))
        if activate_last or i + 2 < len(units):
            layers += ([nn.LayerNorm(outputs)] if layer_norm else []) + [nn.ReLU()]
    return nn.Sequential(*layers)


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x):
        return x + self.second(F.relu(self.first(F.relu(x))))


def impala(channels):
    stages = []
    for outputs in (16, 32, 32):
        stages += [nn.Conv2d(channels, outputs, 3, padding=1), nn.MaxPool2d(3, stride=2, padding=1), Residual(outputs), Residual(outputs)]
        channels = outputs
    return nn.Sequential(*stages, nn.ReLU(), nn.Flatten())


def minatar(channels):
    return nn.Sequential(nn.Conv2d(channels, 16, 3), nn.ReLU(), nn.Flatten())


def nature(channels):
    convs = [nn.Conv2d(channels, 32, 8, stride=4), nn.ReLU(), nn.Conv2d(32, 64, 4, stride=2), nn.ReLU()]
    return nn.Sequential(*convs, nn.Conv2d(64, 64, 3), nn.ReLU(), nn.Flatten())


def make_networks():
    """Forward passes. f32."""
    out = Golden()
    out.add("mlp", fill(mlp([4, 256, 256, 2]), 1000)(numbers(900, [8, 4], 2.0)))
    out.add("layer_norm", fill(mlp([6, 16, 12, 3], layer_norm=True), 1100)(numbers(901, [5, 6], 2.0)))
    out.add("layer_norm_last", fill(mlp([6, 16, 12], True, True), 1200)(numbers(902, [5, 6], 2.0)))
    net = fill(nn.Sequential(minatar(4), mlp([1024, 128, 5])), 1300)
    out.add("minatar", net(image(903, [2, 4, 10, 10], 2)))
    net = fill(nn.Sequential(nature(4), mlp([3136, 32, 6])), 1400)
    out.add("nature", net(image(904, [2, 4, 84, 84], 256) / 255.0))
    net = fill(nn.Sequential(impala(3), mlp([2048, 16, 5])), 1500)
    out.add("impala", net(image(905, [2, 3, 64, 64], 256) / 255.0))
    net = fill(mlp([5, 8, 3], noisy=True), 1600)
    out.add("noisy_mean", net(numbers(906, [4, 5])))
    set_draws(net, iter(NORMALS))
    out.add("noisy", net(numbers(906, [4, 5])))
    out.write("networks.json")


# ---------------------------------------------------------------- DQN


def set_draws(net, draws):
    for layer in net.modules():
        if isinstance(layer, NoisyLinear):
            layer.draws = draws


class QNet(nn.Module):
    """[B, obs...] -> [B, A, Z]."""

    def __init__(self, torso, units, stream, actions, outputs, dueling, **options):
        super().__init__()
        self.torso, self.actions, self.outputs = torso, actions, outputs
        self.shared = mlp(units, activate_last=True, **options)
        self.advantage = mlp([*stream, actions * outputs], **options)
        self.value = mlp([*stream, outputs], **options) if dueling else None

    def forward(self, x):
        h = self.shared(self.torso(x))
        advantage = self.advantage(h).reshape(-1, self.actions, self.outputs)
        if self.value is None:
            return advantage
        return self.value(h).unsqueeze(1) + (advantage - advantage.mean(1, keepdim=True))


DQN_CASES = {
    # name: (network, obs maker, support or None, settings)
    "mean": dict(net=lambda: QNet(nn.Flatten(), [5, 16, 12], [12], 3, 1, False), obs=[5], kind="mean", double=True, ema=1.0),
    "c51": dict(
        net=lambda: QNet(nn.Flatten(), [5, 12], [12, 10], 3, 11, True, layer_norm=True), obs=[5], kind="c51", double=True, ema=0.5
    ),
    "quantile": dict(
        net=lambda: QNet(minatar(2), [144, 8], [8], 3, 6, False), obs=[2, 5, 5], kind="quantile", double=False, ema=0.5
    ),
    "rainbow": dict(
        net=lambda: QNet(nn.Flatten(), [4], [4, 8], 2, 7, True, noisy=True), obs=[4], kind="c51", double=True, ema=1.0, noisy=True
    ),
}


def minibatch(seed, obs_shape, actions, rows=8):
    """Matches `dqn_batch` in parity/updates.rs."""
    if len(obs_shape) == 1:
        obs, next_obs = (numbers(seed + i, [rows, *obs_shape], 2.0) for i in (0, 1))
    else:
        obs, next_obs = (image(seed + i, [rows, *obs_shape], 256) / 255.0 for i in (0, 1))
    action = torch.from_numpy((bits(seed + 2, rows) % np.uint64(actions)).astype(np.int64))
    discount = numbers(seed + 4, [rows]).abs()
    discount[::4] = 0.0  # terminated
    weights = numbers(seed + 5, [rows]).abs()
    return obs, action, numbers(seed + 3, [rows], 2.0), discount, next_obs, weights


def expected(output, kind, z):
    """[B, A, Z] -> [B, A]."""
    return (torch.softmax(output, -1) * z).sum(-1) if kind == "c51" else output.mean(-1)


def dqn_losses(kind, taken, bootstrap, n_step_return, discount, z):
    """Losses [B] of the rows [B, Z] taken, and priorities."""
    if kind == "mean":
        y = n_step_return + discount * bootstrap[:, 0]
        loss = F.smooth_l1_loss(taken[:, 0], y, reduction="none")
        return loss, (y - taken[:, 0]).abs()
    if kind == "c51":
        moved = n_step_return.unsqueeze(1) + discount.unsqueeze(1) * z
        y = project_loop(torch.softmax(bootstrap, -1), moved, z[0].item(), z[-1].item()).float()
        loss = F.cross_entropy(taken, y, reduction="none")
    else:
        loss = quantile_loop(taken, n_step_return.unsqueeze(1) + discount.unsqueeze(1) * bootstrap)
    return loss, loss


def run_dqn(out, name, case):
    online, target = case["net"](), case["net"]()
    fill(online, 2000)
    fill(target, 2500)
    draws = iter(NORMALS) if case.get("noisy") else None
    set_draws(online, draws)
    set_draws(target, draws)
    z = support(-2.0, 2.0, online.outputs)
    optimizer = torch.optim.Adam(online.parameters(), lr=1e-2, eps=1.5e-4)
    rows = torch.arange(8)
    for update in range(5):
        obs, action, n_step_return, discount, next_obs, weights = minibatch(3000 + 10 * update, case["obs"], online.actions)
        optimizer.param_groups[0]["lr"] = 1e-2 + (2e-3 - 1e-2) * update / 10
        with torch.no_grad():
            following = target(next_obs)
            chooser = online(next_obs) if case["double"] else following
            bootstrap = following[rows, expected(chooser, case["kind"], z).argmax(-1)]
        output = online(obs)
        loss, priority = dqn_losses(case["kind"], output[rows, action], bootstrap, n_step_return, discount, z)
        mean_loss = (loss * weights).mean()
        optimizer.zero_grad()
        mean_loss.backward()
        norm = nn.utils.clip_grad_norm_(online.parameters(), 0.5)
        optimizer.step()
        if update % 2 == 1:
            with torch.no_grad():
                for slow, fast in zip(target.parameters(), online.parameters()):
                    slow.copy_(slow * (1 - case["ema"]) + fast * case["ema"])
        out.add(f"{name}/priorities{update}", priority)
        q = expected(output, case["kind"], z)
        out.add(f"{name}/metrics{update}", torch.stack([mean_loss, norm, q.mean(), q.max()]))
    out.add(f"{name}/online", torch.cat([p.reshape(-1) for p in online.parameters()]))
    out.add(f"{name}/target", torch.cat([p.reshape(-1) for p in target.parameters()]))


def make_dqn():
    """Five updates of DQN. f32."""
    out = Golden()
    for name, case in DQN_CASES.items():
        run_dqn(out, name, case)
    out.write("dqn.json")


# ---------------------------------------------------------------- SAC


class SacModel:
    """Policy, two critics, their targets. Observation 3, action 2."""

    def __init__(self):
        self.policy = fill(mlp([3, 8, 8, 4]), 4000)
        self.critics = fill(nn.ModuleList([mlp([5, 8, 8, 1]), mlp([5, 8, 8, 1])]), 4100)
        self.targets = fill(nn.ModuleList([mlp([5, 8, 8, 1]), mlp([5, 8, 8, 1])]), 4200)
        self.log_alpha = torch.tensor([math.log(0.3)], requires_grad=True)
        self.draws = iter(NORMALS)

    def sample(self, obs):
        mean, log_std = self.policy(obs).split(2, -1)
        std = log_std.clamp(-20, 2).exp()
        noise = torch.tensor([next(self.draws) for _ in range(mean.numel())]).reshape(mean.shape)
        tanh = TanhTransform(cache_size=1)
        action = tanh(mean + std * noise)
        return action, TransformedDistribution(Normal(mean, std), [tanh]).log_prob(action).sum(-1)

    @staticmethod
    def q(critics, obs, action):
        x = torch.cat([obs, action], -1)
        return [critic(x)[:, 0] for critic in critics]


def run_sac(out, name, clip):
    model = SacModel()
    adam = lambda params, lr: torch.optim.Adam(params, lr=lr, eps=1e-8)
    policy_adam, critic_adam = adam(model.policy.parameters(), 1e-3), adam(model.critics.parameters(), 2e-3)
    alpha_adam = adam([model.log_alpha], 3e-3)
    low, high = torch.tensor([-2.0, 0.5]), torch.tensor([1.0, 4.0])
    for update in range(5):
        obs, _, n_step_return, discount, next_obs, weights = minibatch(5000 + 10 * update, [3], 2)
        action = numbers(5500 + update, [8, 2]) * (high - low) / 2 + (high + low) / 2  # environment's units
        out.add(f"{name}/actions{update}", action)
        action = 2 * (action - low) / (high - low) - 1
        alpha = model.log_alpha.exp().item()
        with torch.no_grad():
            next_action, next_log_prob = model.sample(next_obs)
            q1, q2 = model.q(model.targets, next_obs, next_action)
            y = n_step_return + discount * (torch.minimum(q1, q2) - alpha * next_log_prob)
        q1, q2 = model.q(model.critics, obs, action)
        critic_loss = 0.5 * (weights * (F.mse_loss(q1, y, reduction="none") + F.mse_loss(q2, y, reduction="none"))).mean()
        step(critic_adam, critic_loss, model.critics.parameters(), clip)
        new_action, log_prob = model.sample(obs)
        policy_loss = (alpha * log_prob - torch.minimum(*model.q(model.critics, obs, new_action))).mean()
        step(policy_adam, policy_loss, model.policy.parameters(), clip)
        alpha_loss = -(model.log_alpha * (log_prob.detach() + -1.0 * 2)).mean()
        step(alpha_adam, alpha_loss, [model.log_alpha], 0)
        with torch.no_grad():
            for slow, fast in zip(model.targets.parameters(), model.critics.parameters()):
                slow.copy_(0.95 * slow + 0.05 * fast)
        out.add(f"{name}/priorities{update}", ((y - q1).abs() + (y - q2).abs()) / 2)
        metrics = [critic_loss, policy_loss, model.log_alpha.exp()[0], -log_prob.mean()]
        out.add(f"{name}/metrics{update}", torch.stack(metrics))
    for part in ("policy", "critics", "targets"):
        out.add(f"{name}/{part}", torch.cat([p.reshape(-1) for p in getattr(model, part).parameters()]))
    out.add(f"{name}/log_alpha", model.log_alpha)


def step(optimizer, loss, params, clip):
    optimizer.zero_grad()
    loss.backward()
    if clip:
        nn.utils.clip_grad_norm_(params, clip)
    optimizer.step()


def make_sac():
    """Five updates of SAC, with and without clipping. f32."""
    out = Golden()
    run_sac(out, "plain", 0)
    run_sac(out, "clip", 0.5)
    out.write("sac.json")


# ---------------------------------------------------------------- imitation


def make_imitation():
    """Five updates of imitation, with and without a penalty on the parameters. f32."""
    out = Golden()
    for name, l2 in (("plain", 0.0), ("penalty", 0.1)):
        model = fill(nn.Sequential(mlp([5, 16, 12], activate_last=True), mlp([12, 3])), 6000)
        params = list(model.parameters())
        optimizer = torch.optim.Adam(params, lr=1e-2, eps=1.5e-4)
        for update in range(5):
            obs, action, _, _, _, weights = minibatch(6100 + 10 * update, [5], 3)
            logits = model(obs)
            loss = F.cross_entropy(logits, action, reduction="none")
            total = (loss * weights).mean() + l2 / 2 * sum(p.square().sum() for p in params)
            optimizer.zero_grad()
            total.backward()
            norm = nn.utils.clip_grad_norm_(params, 0.5)
            optimizer.step()
            right = (logits.argmax(-1) == action).float().mean()
            out.add(f"{name}/priorities{update}", loss)
            out.add(f"{name}/metrics{update}", torch.stack([total, norm, right]))
        out.add(f"{name}/online", torch.cat([p.reshape(-1) for p in params]))
    out.write("imitation.json")


if __name__ == "__main__":
    torch.set_num_threads(1)
    NORMALS = json.loads((HERE / "normals.json").read_text())
    make_losses()
    make_adam()
    make_networks()
    make_dqn()
    make_sac()
    make_imitation()
