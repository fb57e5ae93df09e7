"""AdamW for many problems beside torch's, one problem after the other."""

from __future__ import annotations

import torch

from harness.functional.adamw import AdamW

LRS, DECAYS = torch.tensor([1e-3, 1e-2, 0.3]), torch.tensor([0.0, 0.5, 0.1])


def loss_of(weight, bias, target):
    return ((weight * target).sum(-1) + bias - 1).square().sum(-1)


def test_every_problem_is_stepped_as_by_torch():
    generator = torch.Generator().manual_seed(0)
    weight, bias = torch.randn(3, 4, 5, generator=generator), torch.randn(3, 4, generator=generator)
    targets = torch.randn(20, 4, 5, generator=generator)
    together = {"weight": weight.clone().requires_grad_(), "bias": bias.clone().requires_grad_()}
    optimizer = AdamW(together, LRS, DECAYS, {"weight"})
    for step, target in enumerate(targets):
        loss = loss_of(together["weight"], together["bias"], target).sum()
        optimizer.step(dict(zip(together, torch.autograd.grad(loss, [*together.values()]), strict=True)), 1 - step / 20)
    for problem, (lr, decay) in enumerate(zip(LRS.tolist(), DECAYS.tolist(), strict=True)):
        alone = [weight[problem].clone().requires_grad_(), bias[problem].clone().requires_grad_()]
        groups = [{"params": alone[:1], "weight_decay": decay}, {"params": alone[1:], "weight_decay": 0.0}]
        theirs = torch.optim.AdamW(groups, lr=lr)
        schedule = torch.optim.lr_scheduler.LambdaLR(theirs, lambda step: 1 - step / 20)
        for target in targets:
            theirs.zero_grad()
            loss_of(*alone, target).backward()
            theirs.step()
            schedule.step()
        for ours, other in zip(together.values(), alone, strict=True):
            torch.testing.assert_close(ours[problem], other, rtol=1e-5, atol=1e-6)


def test_a_problem_without_numbers_leaves_the_others_alone():
    parameters = {"weight": torch.ones(2, 3)}
    AdamW(parameters, torch.tensor([1.0, 0.1]), torch.zeros(2), ()).step(
        {"weight": torch.tensor([[float("nan")] * 3, [1.0, -2.0, 3.0]])}
    )
    assert parameters["weight"][0].isnan().all()
    torch.testing.assert_close(parameters["weight"][1], torch.tensor([0.9, 1.1, 0.9]))
