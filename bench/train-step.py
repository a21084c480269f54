"""train-step.py STEP.onnx START.safetensors GIVEN.safetensors: trains with an exported step, by onnxruntime alone.

GIVEN holds what every step is fed (pixels, labels, draws, each [steps, ...]) and some steps of another runtime:
`before/<step>/<state>`, `after/<step>/<state>` and `loss/<step>`. Prints one JSON line: the losses, and how far off those
steps are here.
"""
import json
import sys

import numpy as np
import onnx
import onnxruntime

TYPES = {"F32": np.float32, "F64": np.float64, "I32": np.int32, "I64": np.int64, "U8": np.uint8}


def read(path):
    """Arrays of a .safetensors file by name."""
    with open(path, "rb") as file:
        size = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(size))
        data = file.read()
    arrays = {}
    for name, entry in header.items():
        if name != "__metadata__":
            start, end = entry["data_offsets"]
            arrays[name] = np.frombuffer(data[start:end], TYPES[entry["dtype"]]).reshape(entry["shape"])
    return arrays


path, start, given = sys.argv[1], read(sys.argv[2]), read(sys.argv[3])
model = onnx.load(path)
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
step = json.loads(session.get_modelmeta().custom_metadata_map["temper.step"])
outputs = [output.name for output in session.get_outputs()]
states = {name: start[name] for name in step["states"]}
fed = step["examples"] + [draw["name"] for draw in step["draws"]]
reports = {name: [] for name in step["reports"]}


def run(i, states):
    """Reports of step i, and the states after it."""
    feeds = {**states, **{name: given[name][i] for name in fed}}
    feeds.update({name: np.asarray(start["scalar/" + name][i]) for name in step["scalars"]})
    found = dict(zip(outputs, session.run(outputs, feeds)))
    return found, {name: found.get("next." + name, before) for name, before in states.items()}


for i in range(len(given["x"])):
    found, states = run(i, states)
    for name, values in reports.items():
        values.append(float(found[name]))


def difference(ours, theirs):
    return float(np.linalg.norm(np.ravel(ours) - np.ravel(theirs)) / max(np.linalg.norm(theirs), 1e-12))


def joined(arrays):
    return np.concatenate([np.ravel(array) for array in arrays.values()])


checked = []
for i in sorted(int(name.removeprefix("loss/")) for name in given if name.startswith("loss/")):
    before, wanted = [{name: given[f"{when}/{i}/{name}"] for name in states} for when in ("before", "after")]
    found, after = run(i, before)
    checked.append([difference(found["loss"], given[f"loss/{i}"]), difference(joined(after), joined(wanted))])
domains = sorted({node.domain or "ai.onnx" for node in model.graph.node})
print(json.dumps({"domains": domains, "losses": reports["loss"], "checked": checked}))
