"""Runs of ``torch.optim``, timed by the Python of its own environment: a question a line, an answer a line.

Nothing of idescent is imported here.  The gradient is given by formula; the loop is what a user writes.
"""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")  # that NumPy is not there, which nothing here needs

import torch  # noqa: E402 (its warning)

torch.set_num_threads(1)
MAKERS = {
    "AdaGrad": (torch.optim.Adagrad, {"eps": 1e-8}),
    "RMSProp": (torch.optim.RMSprop, {"alpha": 0.99, "eps": 1e-8}),
    "Adam": (torch.optim.Adam, {"betas": (0.9, 0.999), "eps": 1e-8}),
    "AdamW": (torch.optim.AdamW, {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}),
    "AdamL2": (torch.optim.Adam, {"betas": (0.9, 0.999), "eps": 1e-8, "weight_decay": 0.1}),
}


def run(question):
    maker, arguments = MAKERS[question["optimizer"]]
    if question["method"] == "fused" and maker is torch.optim.RMSprop:
        return None  # torch has no such kernel
    theta = torch.full((question["runs"],), 1.0, dtype=torch.float64, requires_grad=True)
    how = {"fused": True} if question["method"] == "fused" else {"foreach": False}
    optimizer = maker([theta], lr=question["alpha"], **arguments, **how)
    begin = time.perf_counter()
    with torch.no_grad():
        for _ in range(question["steps"]):
            theta.grad = 2.0 * (theta - 4.0)
            optimizer.step()
    return {"seconds": time.perf_counter() - begin, "theta": theta.tolist()}


print("ready", flush=True)
for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
