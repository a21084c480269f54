"""claims.py MODEL: checks an exported gradient and compares it with what MODEL.json holds. Prints one JSON line."""
import json
import sys

import numpy as np
import onnx
import onnxruntime

path = sys.argv[1]
model = onnx.load(path)
onnx.checker.check_model(model, full_check=True)
with open(path + ".json") as file:
    given = json.load(file)
x = np.array(given["x"], dtype=np.float32).reshape(given["shape"])
labels = np.array(given["labels"], dtype=np.int64)
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
(found,) = session.run(["gradient"], {session.get_inputs()[0].name: x, "labels": labels})


def error(ours):
    """Median and largest relative difference of an image."""
    ours = np.array(ours, dtype=np.float32).reshape(len(labels), -1)
    errors = np.linalg.norm(found.reshape(ours.shape) - ours, axis=1) / np.linalg.norm(ours, axis=1)
    return [float(np.median(errors)), float(errors.max())]


domains = sorted({node.domain or "ai.onnx" for node in model.graph.node})
print(json.dumps({"domains": domains, "file": error(given["file"]), "engine": error(given["engine"])}))
