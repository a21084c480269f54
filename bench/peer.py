"""What Temper is compared with: PyTorch and the attack toolkits on it.

A long-lived child process that speaks JSON lines. Each request is one object on stdin, each answer one on stdout:
  {"cmd": "prepare", "task": {...}}     builds what the task names; answers facts about it (parameter count, ...)
  {"cmd": "run", "iterations": k}       runs it k times; answers {"seconds": mean of one}
  {"cmd": "memory"}                     {"peakBytes": peak resident memory of this process}
  {"cmd": "compare"}                    for network tasks: logits and input gradient on the common test batch
Tasks: see TASKS at the end. `python peer.py cold` and `python peer.py evaluate ...` are whole programs, against `temper evaluate`.
"""

import json
import os
import resource
import sys
import time

answers = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)  # libraries that print must not disturb the protocol

STEPS = 20
EPSILON = {"resnet18": (8 / 255, 2 / 255), "mnist": (0.1, 0.01)}


def resnet18():
    """The 32 x 32 form: 3x3 stem, four stages of two basic blocks, 11,173,962 parameters."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(outputs)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(outputs)
            self.relu = nn.ReLU(inplace=True)
            same = stride == 1 and inputs == outputs
            self.shortcut = (
                nn.Sequential()
                if same
                else nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            )

        def forward(self, x):
            y = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
            return self.relu(y + self.shortcut(x))

    layers, width = [nn.Conv2d(3, 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)], 64
    for outputs, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        layers += [Block(width, outputs, stride), Block(outputs, outputs, 1)]
        width = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10))


def preact_resnet18():
    """The form of Rice et al. (2020), with a norm and a ReLU before pooling: 11,172,170 parameters."""
    return preactivation(64, [(64, 1), (128, 2), (256, 2), (512, 2)])


def preactivation(width, stages):
    """Stages of two blocks, norm and ReLU before each convolution."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.bn1, self.relu1 = nn.BatchNorm2d(inputs), nn.ReLU(inplace=True)
            self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.bn2, self.relu2 = nn.BatchNorm2d(outputs), nn.ReLU(inplace=True)
            self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.shortcut = None if inputs == outputs else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

        def forward(self, x):
            active = self.relu1(self.bn1(x))
            y = self.conv2(self.relu2(self.bn2(self.conv1(active))))
            return y + (x if self.shortcut is None else self.shortcut(active))

    layers = [nn.Conv2d(3, width, 3, 1, 1, bias=False)]
    for outputs, stride in stages:
        layers += [Block(width, outputs, stride), Block(outputs, outputs, 1)]
        width = outputs
    last = [nn.BatchNorm2d(width), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, 10)]
    return nn.Sequential(*layers, *last)


def mnist():
    """The 2-conv network of Wong and Kolter (2018): 166,406 parameters."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(1568, 100), nn.ReLU(), nn.Linear(100, 10),
    )  # fmt: skip


def vit(depth=1):
    """A vision transformer on patches of 4 x 4, with PyTorch's fused attention."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, width, heads):
            super().__init__()
            self.heads = heads
            self.norm1 = nn.LayerNorm(width, eps=1e-6)
            self.qkv = nn.Linear(width, 3 * width)
            self.proj = nn.Linear(width, width)
            self.norm2 = nn.LayerNorm(width, eps=1e-6)
            self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

        def forward(self, x):
            q, k, v = self.qkv(self.norm1(x)).unflatten(2, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
            y = nn.functional.scaled_dot_product_attention(q, k, v)
            x = x + self.proj(y.transpose(1, 2).flatten(2))
            return x + self.mlp(self.norm2(x))

    class Vit(nn.Module):
        def __init__(self, width=192, heads=3):
            super().__init__()
            self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
            self.pos_embed = nn.Parameter(torch.zeros(1, 65, width))
            self.patch = nn.Conv2d(3, width, 4, 4)
            self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(depth)))
            self.norm = nn.LayerNorm(width, eps=1e-6)
            self.head = nn.Linear(width, 10)

        def forward(self, x):
            x = self.patch(x).flatten(2).transpose(1, 2)
            x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
            return self.head(self.norm(self.blocks(x)[:, 0]))

    return Vit()


def wide_resnet():
    """wide-resnet-16-4 without dropout: 2,748,890 parameters."""
    return preactivation(16, [(64, 1), (128, 2), (256, 2)])


def vgg16():
    """torchvision's, with one dense layer in place of three: 14,728,266 parameters."""
    from torch import nn
    from torchvision.models import vgg16_bn

    return nn.Sequential(vgg16_bn().features, nn.Flatten(), nn.Linear(512, 10))


def densenet121():
    """torchvision's, with a 3x3 stem without norm and pooling: 6,956,298 parameters."""
    from torch import nn
    from torchvision.models import densenet121

    net = densenet121(num_classes=10)
    net.features.conv0 = nn.Conv2d(3, 64, 3, 1, 1, bias=False)
    for name in ["norm0", "relu0", "pool0"]:
        setattr(net.features, name, nn.Identity())
    return net


def mobilenet_v2():
    """torchvision's, with strides for small images: 2,236,682 parameters."""
    from torchvision.models import mobilenet_v2

    net = mobilenet_v2(num_classes=10, dropout=0.0)
    net.features[0][0].stride = net.features[2].conv[1][0].stride = (1, 1)
    return net


def unet():
    """The common form for Carvana, with padding and batch norm, and the mean of each class map."""
    import torch
    from torch import nn

    def double(inputs, outputs):
        return nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
            nn.Conv2d(outputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(inplace=True),
        )  # fmt: skip

    class Up(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)
            self.conv = double(2 * width, width)

        def forward(self, x, skip):
            return self.conv(torch.cat([skip, self.up(x)], 1))

    class Unet(nn.Module):
        def __init__(self, width=64):
            super().__init__()
            self.inc = double(3, width)
            self.downs = nn.ModuleList(
                nn.Sequential(nn.MaxPool2d(2), double(width << i, width << (i + 1))) for i in range(4)
            )
            self.ups = nn.ModuleList(Up(width << i) for i in (3, 2, 1, 0))
            self.out = nn.Conv2d(width, 10, 1)

        def forward(self, x):
            skips = [self.inc(x)]
            for down in self.downs:
                skips.append(down(skips[-1]))
            x = skips.pop()
            for up in self.ups:
                x = up(x, skips.pop())
            return self.out(x).mean((2, 3))

    return Unet()


def lstm():
    """An LSTM of 128 units over the rows of an image of 64 x 64."""
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm = nn.LSTM(64, 128, batch_first=True)
            self.fc = nn.Linear(128, 10)

        def forward(self, x):
            return self.fc(self.lstm(x.squeeze(1))[0][:, -1])

    return Classifier()


def odd():
    """Sizes that fit nothing; as in odd.mjs."""
    from torch import nn

    def layer(inputs, **options):
        conv = nn.Conv2d(inputs, 100, 3, bias=False, **{"padding": 1, **options})
        return [conv, nn.BatchNorm2d(100), nn.ReLU(inplace=True)]

    layers = [
        *layer(3), *layer(100), *layer(100, padding=2, dilation=2), *layer(100, groups=4), *layer(100, stride=2),
    ]  # fmt: skip
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(100, 10))


NETWORKS = {
    "resnet18": (resnet18, (3, 32, 32)),
    "mnist": (mnist, (1, 28, 28)),
    "vit": (vit, (3, 32, 32)),
    "vit-tiny": (lambda: vit(12), (3, 32, 32)),
    "preact-resnet18": (preact_resnet18, (3, 32, 32)),
    "wide-resnet": (wide_resnet, (3, 32, 32)),
    "vgg16": (vgg16, (3, 32, 32)),
    "densenet121": (densenet121, (3, 32, 32)),
    "mobilenet-v2": (mobilenet_v2, (3, 32, 32)),
    "unet": (unet, (3, 32, 32)),
    "lstm": (lstm, (1, 64, 64)),
    "odd-28": (odd, (3, 28, 28)),
    "odd-33": (odd, (3, 33, 33)),
}


def network(name, file=None):
    """The network in evaluation mode, with the weights that our side wrote beside its ONNX file."""
    import torch

    torch.manual_seed(0)
    net = NETWORKS[name][0]()
    if file is not None:
        with open(f"{file}.weights", "rb") as weights:
            for tensor in [*net.parameters(), *(b for b in net.buffers() if b.is_floating_point())]:
                array = tensor.detach().numpy()
                assert weights.readinto(array) == array.nbytes, "This side has more weights than the other."
            assert not weights.read(1), "This side has fewer weights than the other."
    return net.eval()


def batch_of(name, batch, seed=1):
    """Images uniform in [0, 1] and labels 0, 1, 2, ..."""
    import torch

    x = torch.rand((batch, *NETWORKS[name][1]), generator=torch.Generator().manual_seed(seed))
    return x, torch.arange(batch) % 10


def sum_loss(net, x, y):
    import torch

    return torch.nn.functional.cross_entropy(net(x), y, reduction="sum")


def network_task(task):
    """Forward pass, input gradient or training step of a network."""
    import torch

    name, mode, variant = task["network"], task["mode"], task.get("variant", "eager")
    net, (x, y) = network(name, task["file"]), batch_of(name, task["batch"])
    if variant == "channels_last":
        net, x = net.to(memory_format=torch.channels_last), x.to(memory_format=torch.channels_last)
    if variant == "compile":
        net = compiled(net)
    facts = {"parameters": sum(p.numel() for p in net.parameters())}
    if mode == "train":
        return facts, train_step(net, x, y)
    net.requires_grad_(False)  # the fastest that PyTorch offers: nothing is kept for weight gradients
    if mode == "forward":

        def forward():
            with torch.inference_mode():
                net(x)

        return facts, forward
    x.requires_grad_(True)
    return facts, lambda: torch.autograd.grad(sum_loss(net, x, y), x)


def compiled(net):
    """torch.compile, with nothing that an earlier run left on disk."""
    import atexit

    import torch
    from torch._inductor.utils import fresh_cache

    cache = fresh_cache()
    cache.__enter__()
    atexit.register(cache.__exit__, None, None, None)
    return torch.compile(net)


def train_step(net, x, y):
    import torch

    net.train()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4)

    def step():
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(net(x), y).backward()
        optimizer.step()

    return step


def pgd_task(task):
    """PGD with 20 steps, random start, no early stop, by one of the toolkits or by a plain loop."""
    name, library = task["network"], task["library"]
    import torch

    net, (x, _) = network(name, task["file"]), batch_of(name, task["batch"])
    with torch.inference_mode():
        y = net(x).argmax(1)  # attacks begin where the network is right
    y = y.clone()
    # Toolkits are used as their documentation shows: weights keep requires_grad, unless `frozen` asks otherwise.
    net.requires_grad_(not task.get("frozen", library == "raw"))
    attack = {"raw": raw_pgd, "torchattacks": torchattacks_pgd, "foolbox": foolbox_pgd, "art": art_pgd}[library]
    run = attack(net, x, y, *EPSILON[name])
    change = (run() - x).abs().max().item()
    return {"linf": change, "epsilon": EPSILON[name][0]}, run


def raw_pgd(net, x, y, epsilon, step):
    import torch

    def run():
        adv = (x + torch.empty_like(x).uniform_(-epsilon, epsilon)).clamp_(0, 1)
        for _ in range(STEPS):
            adv.requires_grad_(True)
            (g,) = torch.autograd.grad(sum_loss(net, adv, y), adv)
            with torch.no_grad():
                adv = torch.clamp(x + (adv + step * g.sign() - x).clamp_(-epsilon, epsilon), 0, 1)
        return adv

    return run


def torchattacks_pgd(net, x, y, epsilon, step):
    import torchattacks

    attack = torchattacks.PGD(net, eps=epsilon, alpha=step, steps=STEPS, random_start=True)
    return lambda: attack(x, y)


def foolbox_pgd(net, x, y, epsilon, step):
    import foolbox

    model = foolbox.PyTorchModel(net, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(abs_stepsize=step, steps=STEPS, random_start=True)
    return lambda: attack(model, x, y, epsilons=epsilon)[1]


def art_pgd(net, x, y, epsilon, step):
    import numpy
    import torch
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    classifier = PyTorchClassifier(
        net, loss=torch.nn.CrossEntropyLoss(), input_shape=tuple(x.shape[1:]), nb_classes=10, clip_values=(0, 1),
        device_type="cpu",
    )  # fmt: skip
    attack = ProjectedGradientDescentPyTorch(
        classifier, norm=numpy.inf, eps=epsilon, eps_step=step, max_iter=STEPS, num_random_init=1,
        batch_size=len(x), verbose=False,
    )  # fmt: skip
    images, labels = x.numpy(), numpy.eye(10, dtype=numpy.float32)[y.numpy()]
    return lambda: torch.from_numpy(attack.generate(images, labels))


def loop_task(task):
    """A whole training loop, an epoch at a time."""
    from loop import training_loop

    name, file = task["network"], task["file"]
    return training_loop(network(name, file), file, NETWORKS[name][1], task)


def matmul_task(task):
    import torch

    a, b = torch.rand(task["size"], task["size"]), torch.rand(task["size"], task["size"])
    return {}, lambda: torch.mm(a, b)


def conv_task(task):
    import torch

    x = torch.rand(task["batch"], task["channels"], task["side"], task["side"])
    w = torch.rand(task["channels"], task["channels"], 3, 3) / (9 * task["channels"])

    def run():
        with torch.inference_mode():
            torch.nn.functional.conv2d(x, w, padding=1)

    return {}, run


def chain_task(task):
    """torch.compile of a chain of small operators, from the function to its first result; a new constant each time."""
    import torch

    from torch._inductor.utils import fresh_cache

    w, x = torch.rand(16, 16) / 16, torch.rand(4, 16)
    counter = iter(range(1 << 30))

    def run():
        torch._dynamo.reset()
        scale = 0.9 + 1e-6 * next(counter)
        shift = torch.full((16,), 1e-3)

        def chain(v):
            for _ in range(task["nodes"] // 4):
                v = torch.relu(torch.mm(v, w) + shift) * scale
            return v

        with torch.inference_mode(), fresh_cache():  # nothing that an earlier run left on disk
            torch.compile(chain)(x)

    return {}, run


def compare(task):
    """Logits and gradient of the summed cross-entropy for the batch that both sides can form: x_i = (i * 7919 % 1009) / 1009."""
    import torch

    name, count = task["network"], task["batch"]
    shape = (count, *NETWORKS[name][1])
    numbers = torch.arange(torch.Size(shape).numel(), dtype=torch.int64) * 7919 % 1009
    x = (numbers.double() / 1009).float().reshape(shape).requires_grad_(True)
    net = network(name, task["file"])
    logits = net(x)
    (g,) = torch.autograd.grad(torch.nn.functional.cross_entropy(logits, torch.arange(count) % 10, reduction="sum"), x)
    return {"logits": logits.flatten().tolist(), "gradient": g.flatten().tolist()}


def versions_task(task):
    from importlib.metadata import version

    import torch

    names = ["torch", "torchattacks", "foolbox", "adversarial-robustness-toolbox", "numpy", "onnxruntime"]
    facts = {name: version(name) for name in names}
    return {"versions": {"python": sys.version.split()[0], **facts}, "torchThreads": torch.get_num_threads()}, lambda: None


TASKS = {
    "network": network_task,
    "pgd": pgd_task,
    "loop": loop_task,
    "matmul": matmul_task,
    "conv": conv_task,
    "chain": chain_task,
    "versions": versions_task,
}


def handle(request, state):
    command = request["cmd"]
    if command == "prepare":
        import torch

        torch.set_num_threads(request["threads"])
        state["task"] = request["task"]
        start = time.perf_counter()
        facts, state["run"] = TASKS[request["task"]["task"]](request["task"])
        return {**facts, "prepareSeconds": time.perf_counter() - start}
    if command == "run":
        run, count = state["run"], request["iterations"]
        start = time.perf_counter()
        for _ in range(count):
            run()
        return {"seconds": (time.perf_counter() - start) / count}
    if command == "memory":
        unit = 1 if sys.platform == "darwin" else 1024
        return {"peakBytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit}
    if command == "compare":
        return compare(state["task"])
    raise ValueError(f"unknown command {command}")


def serve():
    state = {}
    for line in sys.stdin:
        request = json.loads(line)
        if request["cmd"] == "exit":
            return
        try:
            answer = handle(request, state)
        except Exception as error:  # the harness shows it and goes on with the other rows
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")


def cold():
    """What `temper evaluate` of the tiny model is compared with: import, build, 100 images, one number."""
    import torch

    net, (x, y) = network("mnist"), batch_of("mnist", 100)
    with torch.inference_mode():
        accuracy = (net(x).argmax(1) == y).float().mean().item()
    answers.write(f"accuracy {accuracy}\n")


def evaluate(model, images, labels, count):
    """What `temper evaluate` with PGD-20 is compared with: a script on torchattacks that attacks what is right."""
    import gzip

    import numpy
    import onnx
    import torch
    import torchattacks

    net = mnist().eval()
    weights = {t.name: torch.from_numpy(onnx.numpy_helper.to_array(t).copy()) for t in onnx.load(model).graph.initializer}
    net.load_state_dict(weights)
    pixels = numpy.frombuffer(gzip.open(images).read(), numpy.uint8, count * 784, 16).reshape(count, 1, 28, 28)
    x = torch.from_numpy(pixels.astype(numpy.float32) / 255)
    y = torch.from_numpy(numpy.frombuffer(gzip.open(labels).read(), numpy.uint8, count, 8).astype(numpy.int64))
    with torch.inference_mode():
        right = net(x).argmax(1) == y
    answers.write(f"clean accuracy {right.float().mean().item()}\n")
    x, y = x[right], y[right]
    attack = torchattacks.PGD(net, eps=EPSILON["mnist"][0], alpha=EPSILON["mnist"][1], steps=STEPS, random_start=True)
    standing = 0
    for xs, ys in zip(x.split(256), y.split(256)):
        adv = attack(xs, ys)
        with torch.inference_mode():
            standing += (net(adv).argmax(1) == ys).sum().item()
    answers.write(f"robust accuracy {standing / count}\n")


if __name__ == "__main__":
    if sys.argv[1:] == ["cold"]:
        cold()
    elif sys.argv[1:2] == ["evaluate"]:
        evaluate(*sys.argv[2:5], int(sys.argv[5]))
    else:
        serve()
