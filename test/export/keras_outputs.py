"""Loads models by Keras and writes what they predict: [{"model", "inputs": [npy], "outputs": [npy]}] on stdin.

KERAS_CHECK=2: tf_keras (Keras 2); 3: Keras 3. Prints a JSON line for each model: its zeros, and how many weights it has.
"""
import json
import os
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
import numpy as np

if os.environ.get("KERAS_CHECK") == "2":
    import tf_keras as keras
else:
    import keras

for case in json.load(sys.stdin):
    model = keras.models.load_model(case["model"], compile=False)
    inputs = [np.load(path) for path in case["inputs"]]
    outputs = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    for path, output in zip(case["outputs"], outputs):
        np.save(path, np.asarray(output, np.float32))
    weights = model.get_weights()
    print(json.dumps({
        "version": keras.__version__,
        "outputs": len(outputs),
        "parameters": int(sum(w.size for w in weights)),
        "zeros": int(sum((w == 0).sum() for w in weights)),
    }), flush=True)
