"""Make ``torch_schedules.npz``: the factors of ``torch.optim.lr_scheduler``, iteration by iteration.

Nothing of idescent is imported.  PyTorch is not a dependency of the project; to make the file again, in an
environment of its own:

    pip install torch==2.5.1 numpy
    python tests/references/generate_torch_schedules.py
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.optim import lr_scheduler as schedulers

STEPS = 100


def factors(make: Callable[[torch.optim.Optimizer], schedulers.LRScheduler]) -> np.ndarray:
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler = make(optimizer)
    found = []
    for _ in range(STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return np.array(found)


def warmup(optimizer: torch.optim.Optimizer, start: float) -> schedulers.LRScheduler:
    return schedulers.LinearLR(optimizer, start_factor=start + (1.0 - start) / 20, total_iters=19)


def main() -> None:
    found = {
        "warmup": factors(lambda o: warmup(o, 0.1)),
        "cosine": factors(lambda o: schedulers.CosineAnnealingLR(o, T_max=99, eta_min=0.1)),
        "step": factors(lambda o: schedulers.StepLR(o, step_size=7, gamma=0.5)),
        "warmup_cosine": factors(
            lambda o: schedulers.SequentialLR(
                o, [warmup(o, 0.0), schedulers.CosineAnnealingLR(o, T_max=79)], milestones=[20]
            )
        ),
    }
    target = Path(__file__).with_name("torch_schedules.npz")
    np.savez_compressed(target, **found)
    print(f"{target.name}: {len(found)} schedules, torch {torch.__version__}")


if __name__ == "__main__":
    main()
