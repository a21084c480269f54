"""The GPU benchmark's peer: `python gpu.py 64,256 5` measures ResNet-18 in PyTorch on CUDA and prints one JSON document.

Tensors stay on the device between steps, as a user of PyTorch has them; precision is what PyTorch chooses by itself.
"""

import json
import sys
import time

from peer import EPSILON, STEPS, answers, resnet18


def main():
    import torch
    from torch.nn.functional import cross_entropy

    if not torch.cuda.is_available():
        sys.exit("PyTorch sees no CUDA device")
    batches, rounds = [int(n) for n in sys.argv[1].split(",")], int(sys.argv[2])
    torch.manual_seed(0)
    net = resnet18().cuda().eval().requires_grad_(False)
    epsilon, step = EPSILON["resnet18"]

    def gradient(x, labels):
        x = x.detach().requires_grad_(True)
        cross_entropy(net(x), labels, reduction="sum").backward()
        return x.grad

    def pgd(x, labels):
        adv = (x + torch.empty_like(x).uniform_(-epsilon, epsilon)).clamp(0, 1)
        for _ in range(STEPS):
            adv = adv + step * gradient(adv, labels).sign()
            adv = torch.min(torch.max(adv, x - epsilon), x + epsilon).clamp(0, 1)
        return net(adv)

    rows = []
    for batch in batches:
        x = torch.rand(batch, 3, 32, 32, device="cuda")
        with torch.inference_mode():
            labels = net(x).argmax(1)
        labels = labels.clone()

        def forward():
            with torch.inference_mode():
                return net(x).cpu()

        tasks = {"forward": forward, "gradient": lambda: gradient(x, labels).cpu(), "PGD-20": lambda: pgd(x, labels).cpu()}
        for task, run in tasks.items():
            run()
            seconds = []
            for _ in range(rounds):
                torch.cuda.synchronize()
                began = time.perf_counter()
                run()
                torch.cuda.synchronize()
                seconds.append(time.perf_counter() - began)
            rows.append({"side": "pytorch cuda", "task": task, "batch": batch, "seconds": seconds})
    device = torch.cuda.get_device_name()
    answers.write(json.dumps({"rows": rows, "torch": {"version": torch.__version__, "device": device}}))


main()
