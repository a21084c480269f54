"""The training loop that Temper's is compared with: images in memory, whole batches augmented at once, fused SGD."""

import numpy
import torch
from torch.nn.functional import cross_entropy, pad

PAD = 4


def training_loop(net, file, shape, task):
    """One epoch a call: shuffled order, augmentation, step, cyclic learning rate, history."""
    settings, batch = task["settings"], task["batch"]
    images = torch.from_numpy(numpy.fromfile(f"{file}.images", numpy.uint8)).reshape(-1, *shape)[: task["images"]]
    labels = torch.from_numpy(numpy.fromfile(f"{file}.labels", numpy.int32))[: task["images"]].long()
    layout = torch.channels_last if task.get("variant") == "channels_last" else torch.contiguous_format
    net = net.train().to(memory_format=layout)
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True)
    take = cropped(images) if settings.get("augment") else plain(images)
    steps = len(images) // batch
    history = []

    def epoch():
        loss_sum, right = torch.zeros(()), torch.zeros((), dtype=torch.int64)
        order = torch.randperm(len(images))
        for step in range(steps):
            for group in optimizer.param_groups:
                group["lr"] = 0.01 * (1 - abs(2 * (step + 1) / (steps + 1) - 1))
            ids = order[step * batch : (step + 1) * batch]
            x, y = take(ids).contiguous(memory_format=layout), labels[ids]
            if task["recipe"] != "standard":
                x = attacked(net, x, y, settings)
            optimizer.zero_grad(set_to_none=True)
            logits = net(x)
            loss = cross_entropy(logits, y)
            loss.backward()
            optimizer.step()
            loss_sum += loss.detach()
            right += (logits.argmax(1) == y).sum()
        history.append({"loss": loss_sum.item() / steps, "accuracy": right.item() / (steps * batch)})

    return {"parameters": sum(p.numel() for p in net.parameters())}, epoch


def plain(images):
    scaled = images.float().div_(255)
    return lambda ids: scaled[ids]


def cropped(images):
    """Random crop of the padded image and flip, the whole batch by one gather."""
    padded = pad(images, (PAD, PAD, PAD, PAD))
    channels, size = torch.arange(images.shape[1])[:, None, None], torch.arange(images.shape[2])

    def take(ids):
        n = len(ids)
        rows = torch.randint(2 * PAD + 1, (n, 1)) + size
        flip = torch.rand(n, 1) < 0.5
        columns = torch.randint(2 * PAD + 1, (n, 1)) + torch.where(flip, len(size) - 1 - size, size)
        found = padded[ids[:, None, None, None], channels, rows[:, None, :, None], columns[:, None, None, :]]
        return found.float().div_(255)

    return take


def attacked(net, x, y, settings):
    """PGD from a random start; gradients of the input only, frozen weights."""
    epsilon, step = settings["epsilon"], settings["stepSize"]
    if settings.get("attackMode") != "train":
        net.eval()
    net.requires_grad_(False)
    adv = (x + torch.empty_like(x).uniform_(-epsilon, epsilon)).clamp_(0, 1)
    for _ in range(settings["steps"]):
        adv.requires_grad_(True)
        (g,) = torch.autograd.grad(cross_entropy(net(adv), y, reduction="sum"), adv)
        with torch.no_grad():
            adv = torch.clamp(x + (adv + step * g.sign() - x).clamp_(-epsilon, epsilon), 0, 1)
    net.requires_grad_(True)
    net.train()
    return adv
