"""Makes contrast.json, the golden values of agents/tests/parity/contrast.rs, with PyTorch.

    venv/bin/python agents/tests/golden/make_golden_contrast.py

See make_golden.py, whose versions and inputs it uses. Inputs are f32; everything is computed in
f64. Nothing here is a translation of the Rust code: cosines, KL and distances are torch.nn.functional
and torch.pdist, losses are sums of exponentials as the papers print them, row by row with masked
entries cut out, and quantisation is that of Mentzer et al. 2023, appendix A.1.
"""

import math

import torch
import torch.nn.functional as F
from torch.distributions import Categorical, kl_divergence

from make_golden import Golden, numbers

ROWS, POSITIVES, NEGATIVES = 12, 3, 7


def inputs():
    """Cosines and weights of 12 contrasts. Every third positive is missing in odd rows, some
    negatives are masked, and row 5 has no negative left."""
    positive = numbers(101, [ROWS, POSITIVES]).double().requires_grad_()
    negative = numbers(102, [ROWS, NEGATIVES]).double().requires_grad_()
    positive_weight = numbers(103, [ROWS, POSITIVES]).abs() + 0.1
    positive_weight[1::2, 2] = 0
    positive_weight = (positive_weight / positive_weight.sum(-1, keepdim=True)).double()
    negative_weight = (numbers(104, [ROWS, NEGATIVES]) > -0.5).double()
    negative_weight[5] = 0
    negative_weight[7] *= 0.25
    return positive, positive_weight, negative, negative_weight


def plain_row(s, w, t, u, temperature):
    """Row of the contrastive loss as printed."""
    own, others = (w * torch.exp(s / temperature)).sum(), (u * torch.exp(t / temperature)).sum()
    return -torch.log(own / (own + others))


def debiased_row(s, w, t, u, temperature, tau, beta):
    """Row of the loss of Robinson et al. 2021, equations of section 3: importance sampling with
    the density ratio exp(beta s / T), debiased as in Chuang et al. 2020."""
    own = (w * torch.exp(s / temperature)).sum()
    count = u.sum()
    if count == 0:
        return own * 0
    t, u = t[u > 0], u[u > 0]
    e = torch.exp(t / temperature)
    ratio = e**beta
    partition = (u * ratio).sum() / count
    expected = (u * ratio * e).sum() / count / partition  # under the hard distribution
    corrected = (expected - tau * own) / (1 - tau)
    floor = torch.tensor(math.exp(-1 / temperature), dtype=torch.float64)
    others = count * torch.maximum(corrected, floor)
    return -torch.log(own / (own + others))


def add_rows(out, name, row, *args):
    """Losses of all rows and their weighted gradients by the cosines."""
    positive, w, negative, u = inputs()
    loss = torch.stack([row(positive[i], w[i], negative[i], u[i], *args) for i in range(ROWS)])
    out.add(name, loss)
    total = (loss * numbers(105, [ROWS]).double()).sum()
    grads = torch.autograd.grad(total, [positive, negative])
    out.add(f"{name}_gradient_positive", grads[0])
    out.add(f"{name}_gradient_negative", grads[1])
    return loss


def contrasts(out):
    """contrastive, debiased, contrast_accuracy."""
    _, positive_weight, _, negative_weight = inputs()
    out.add("positive_weight", positive_weight.float())
    out.add("negative_weight", negative_weight.float())
    for temperature in (0.5, 0.05):
        plain = add_rows(out, f"contrastive_{temperature}", plain_row, temperature)
        again = add_rows(Golden(), "", debiased_row, temperature, 0.0, 0.0)
        assert torch.allclose(plain, again, rtol=1e-12, atol=1e-12)
    cases = {"hard": (0.5, 0.0, 1.0), "debiased": (0.5, 0.1, 0.0), "both": (0.5, 0.1, 1.0),
             "strong": (0.05, 0.02, 2.0), "floor": (0.5, 0.6, 0.5)}
    for name, args in cases.items():
        add_rows(out, name, debiased_row, *args)
    # One positive, weights of 1: cross-entropy with the positive as class 0.
    s, t = numbers(106, [ROWS, 1]).double(), numbers(107, [ROWS, NEGATIVES]).double()
    logits = torch.cat([s, t], 1) / 0.1
    out.add("info_nce", F.cross_entropy(logits, torch.zeros(ROWS, dtype=torch.long), reduction="none"))
    out.add("info_nce_accuracy", (logits.argmax(1) == 0).float())


def geometry(out):
    """cosine, alignment, uniformity, squared_error."""
    a = numbers(111, [6, 1, 5]).double().requires_grad_()
    b = numbers(112, [4, 5], 3.0).double().requires_grad_()
    cosines = F.cosine_similarity(a, b, dim=-1)
    out.add("cosine", cosines)
    grads = torch.autograd.grad((cosines * numbers(113, [6, 4]).double()).sum(), [a, b])
    out.add("cosine_gradient_a", grads[0])
    out.add("cosine_gradient_b", grads[1])
    x = numbers(114, [9, 5]).double().requires_grad_()
    y = numbers(115, [9, 5], 2.0).double().requires_grad_()
    nx, ny = F.normalize(x), F.normalize(y)
    align = (nx - ny).norm(p=2, dim=1).pow(2).mean()
    uniform = torch.pdist(nx, p=2).pow(2).mul(-2).exp().mean().log()
    out.add("alignment", align)
    out.add("uniformity", uniform)
    error = F.mse_loss(nx, ny.detach(), reduction="none").sum(-1)
    out.add("squared_error", error)
    for name, value in (("alignment", align), ("uniformity", uniform), ("squared_error", error.sum())):
        out.add(f"{name}_gradient", torch.autograd.grad(value, x, retain_graph=True)[0])


def distillation(out):
    """distillation_kl."""
    teacher = (numbers(121, [8, 4], 3.0).double()).softmax(-1)
    teacher = torch.where(teacher < 0.05, 0.0, teacher)
    teacher = (teacher / teacher.sum(-1, keepdim=True)).float()
    out.add("teacher", teacher)
    logits = numbers(122, [8, 4], 4.0).double().requires_grad_()
    loss = F.kl_div(logits.log_softmax(-1), teacher.double(), reduction="none").sum(-1)
    p, q = (Categorical(probs=v, validate_args=False) for v in (teacher.double(), logits.softmax(-1)))
    assert torch.allclose(loss, kl_divergence(p, q), atol=1e-6)
    out.add("kl", loss)
    out.add("kl_gradient", torch.autograd.grad((loss * numbers(123, [8]).double()).sum(), logits)[0])


EPS = 1e-9  # the paper's 1e-3 moves the edges between levels by a thousandth


def published_levels(z, levels, eps=EPS):
    """Levels from 0 by Mentzer et al. 2023, appendix A.1."""
    half = (levels - 1) * (1 - eps) / 2
    offset = 0.5 if levels % 2 == 0 else 0.0
    shift = math.tan(offset / half)
    return torch.round(torch.tanh(z + shift) * half - offset) + levels // 2


def tokens(out):
    """quantize: levels. For an even L the paper's shift of the input is taken back, see the docs."""
    for levels in (2, 3, 4, 5, 8, 15):
        offset = 0.5 if levels % 2 == 0 else 0.0
        shift = math.tan(offset / ((levels - 1) * (1 - EPS) / 2))
        z = numbers(130 + levels, [40, 6], 3.0).double()
        out.add(f"levels_{levels}", published_levels(z - shift, levels))


def statistics(out):
    """effective_rank, dormant_units."""
    h = numbers(151, [30, 8], 1.0).double() @ torch.diag(torch.logspace(0, -3, 8, dtype=torch.float64))
    for name, matrix in (("tall", h), ("wide", h.T)):
        values = torch.linalg.svdvals(matrix.float().double())
        entropy = Categorical(probs=values).entropy()
        out.add(f"effective_rank_{name}", entropy.exp())
    out.add("rank_matrix", h.float())
    layer = F.relu(numbers(152, [50, 20]) - torch.linspace(0.0, 1.2, 20))
    score = layer.double().abs().mean(0) / layer.double().abs().mean()
    out.add("dormant_layer", layer)
    out.add("dormant_mask", (score <= 0.025).double())


if __name__ == "__main__":
    torch.set_num_threads(1)
    golden = Golden()
    for part in (contrasts, geometry, distillation, tokens, statistics):
        part(golden)
    golden.write("contrast.json")
