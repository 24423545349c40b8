"""The process of a rival of `espalier bench` that lives in Python.

One request a line on standard input, one answer a line on standard output, both JSON; arrays are
{"dtype", "shape", "base64"}. The requests are those of src/measure/race/worker.ts. Run with --convert it
only writes a network in other formats:

    bench_worker.py --convert model.h5 [--savedmodel FOLDER] [--tflite FILE]
"""

import base64
import json
import os
import resource
import sys
import time


def resident():
    """Bytes now, and the most so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak *= 1 if sys.platform == "darwin" else 1024
    try:
        with open("/proc/self/statm") as statm:
            now = int(statm.read().split()[1]) * resource.getpagesize()
        # getrusage's maximum is carried over from the process that started this one.
        with open("/proc/self/status") as status:
            peak = next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        now = peak
    return now, peak


EMPTY, _ = resident()
# Shorter samples than this drown in the clock: calls are looped to reach it.
SHORTEST_SAMPLE = 20e-6
THREADS = int(os.environ.get("OMP_NUM_THREADS", "1"))


def tensorflow():
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(THREADS)
    tf.config.threading.set_inter_op_parallelism_threads(THREADS)
    return tf


class Keras:
    """The network as Keras runs it: predict_on_batch, which is predict without its loop."""

    name = "Keras predict_on_batch"

    def load(self, files):
        tf = tensorflow()
        self.versions = {"tensorflow": tf.__version__, "keras": tf.keras.__version__}
        self.model = tf.keras.models.load_model(files["keras"], compile=False)

    def prepare(self, arrays):
        given = arrays if len(arrays) > 1 else arrays[0]
        return lambda: self.model.predict_on_batch(given)


class TensorFlow(Keras):
    """The same in a tf.function, the quickest that TensorFlow itself offers."""

    name = "TensorFlow function"

    def prepare(self, arrays):
        tf = tensorflow()
        call = tf.function(lambda *inputs: self.model(inputs if len(inputs) > 1 else inputs[0], training=False))
        tensors = [tf.constant(array) for array in arrays]

        def run():
            answers = call(*tensors)
            answers = answers if isinstance(answers, (list, tuple)) else [answers]
            return [answer.numpy() for answer in answers]

        return run


class LiteRt:
    """TensorFlow Lite's interpreter, with XNNPACK as it comes."""

    name = "LiteRT"

    def load(self, files):
        try:
            from ai_edge_litert import interpreter as litert
            from importlib.metadata import version

            self.versions = {"ai-edge-litert": version("ai-edge-litert")}
        except ImportError:
            tf = tensorflow()
            litert, self.versions = tf.lite, {"tensorflow": tf.__version__}
        self.interpreter = litert.Interpreter(files["tflite"], num_threads=THREADS)

    def prepare(self, arrays):
        interpreter = self.interpreter
        inputs = interpreter.get_input_details()
        outputs = interpreter.get_output_details()
        # Converters sort inputs and outputs by names of their own: Keras's numbers tell them apart.
        inputs = by_number(inputs, len(arrays))
        for detail, array in zip(inputs, arrays):
            interpreter.resize_tensor_input(detail["index"], array.shape)
        interpreter.allocate_tensors()
        outputs = by_number(outputs, len(outputs))

        def run():
            for detail, array in zip(inputs, arrays):
                interpreter.set_tensor(detail["index"], array)
            interpreter.invoke()
            return [interpreter.get_tensor(detail["index"]) for detail in outputs]

        return run


def by_number(details, count):
    """In the order of "serving_default_<name>:0" or "StatefulPartitionedCall:<number>" where told."""

    def number(detail):
        tail = detail["name"].rsplit(":", 1)[-1]
        return int(tail) if tail.isdigit() else 0

    return sorted(details, key=number) if count > 1 else details


class OpenVino:
    """OpenVINO on the CPU, set for latency, reading the ONNX file."""

    name = "OpenVINO"

    def load(self, files):
        import openvino as ov

        self.versions = {"openvino": ov.__version__}
        core = ov.Core()
        options = {"INFERENCE_NUM_THREADS": THREADS, "PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
        self.model = core.compile_model(core.read_model(files["onnx"]), "CPU", options)

    def prepare(self, arrays):
        request = self.model.create_infer_request()
        given = dict(enumerate(arrays))
        outputs = self.model.outputs

        def run():
            answers = request.infer(given)
            return [answers[output] for output in outputs]

        return run


RIVALS = {"keras": Keras, "tensorflow": TensorFlow, "litert": LiteRt, "openvino": OpenVino}


class Worker:
    def __init__(self):
        self.rival = None
        self.call = None

    def load(self, request):
        started = time.perf_counter()
        self.rival = RIVALS[request["module"]]()
        self.rival.load(request["context"]["files"])
        took = (time.perf_counter() - started) * 1000
        versions = {"python": sys.version.split()[0], **self.rival.versions}
        return {"name": self.rival.name, "versions": versions, "loadMs": took}

    def compute(self, request):
        import numpy as np

        arrays = []
        for given in request["inputs"]:
            flat = np.frombuffer(base64.b64decode(given["data"]["base64"]), np.float32)
            arrays.append(flat.reshape(given["shape"]).copy())
        started = time.perf_counter()
        self.call = self.rival.prepare(arrays)
        answers = self.call()
        took = (time.perf_counter() - started) * 1000
        if not isinstance(answers, (list, tuple)):
            answers = [answers]
        return {"outputs": [packed(np.asarray(answer, np.float32)) for answer in answers], "firstMs": took}

    def measure(self, request):
        import numpy as np

        call, flush_bytes = self.call, int(request.get("flushBytes", 0))
        quickest = float("inf")
        for _ in range(max(int(request["warmUp"]), 1)):
            started = time.perf_counter()
            call()
            quickest = min(quickest, time.perf_counter() - started)
        loops = 1
        if flush_bytes > 0:
            junk = np.zeros(flush_bytes // 8)
        elif quickest < SHORTEST_SAMPLE:
            loops = max(1, int(SHORTEST_SAMPLE / max(quickest, 1e-9)) + 1)
        samples = []
        end = time.perf_counter() + request["seconds"]
        while time.perf_counter() < end or len(samples) < request["atLeast"]:
            if flush_bytes > 0:
                junk += 1
            before = time.perf_counter()
            for _ in range(loops):
                call()
            samples.append((time.perf_counter() - before) * 1e6 / loops)
        return {"samples": packed(np.asarray(samples, np.float64)), "callsPerSample": loops}

    def serve(self, request):
        import numpy as np

        arrivals = np.frombuffer(base64.b64decode(request["arrivals"]["base64"]), np.float64)
        latencies, call, give_up = [], self.call, request["giveUpMs"] / 1000
        begin = time.perf_counter()
        overloaded = False
        for due in arrivals.tolist():
            wait = due - (time.perf_counter() - begin)
            if wait > 0.002:
                time.sleep(wait - 0.002)
            while time.perf_counter() - begin < due:
                pass
            call()
            late = time.perf_counter() - begin - due
            latencies.append(late * 1e6)
            if late > give_up:
                overloaded = True
                break
        return {"latencies": packed(np.asarray(latencies, np.float64)), "overloaded": overloaded}

    def memory(self, _):
        now, peak = resident()
        return {"rss": max(now - EMPTY, 0), "peakRss": max(peak - EMPTY, 0)}

    def dispose(self, _):
        self.rival = self.call = None


def packed(array):
    import numpy as np

    data = np.ascontiguousarray(array)
    return {
        "dtype": str(data.dtype),
        "shape": list(data.shape),
        "base64": base64.b64encode(data.tobytes()).decode("ascii"),
    }


def convert(arguments):
    """Writes what the SavedModel and LiteRT rivals read."""
    source, options = arguments[0], dict(zip(arguments[1::2], arguments[2::2]))
    tf = tensorflow()
    model = tf.keras.models.load_model(source, compile=False)
    if "--savedmodel" in options:
        model.export(options["--savedmodel"])
    if "--tflite" in options:
        data = tf.lite.TFLiteConverter.from_keras_model(model).convert()
        with open(options["--tflite"], "wb") as file:
            file.write(data)


def main():
    if sys.argv[1:2] == ["--convert"]:
        try:
            convert(sys.argv[2:])
        except ModuleNotFoundError as error:
            sys.exit(f"ModuleNotFoundError: {error}")
        return
    # Answers go out by a descriptor of our own: what libraries print goes to standard error.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Ctrl-C reaches the whole group: the parent ends its children when it has what it wants to keep.
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    worker = Worker()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": True, "value": getattr(worker, request["do"])(request)}
        except ModuleNotFoundError as error:
            answer = {"ok": False, "message": str(error), "code": "MODULE_NOT_FOUND"}
        except MemoryError as error:
            answer = {"ok": False, "message": f"MemoryError: {error}"}
        except Exception as error:  # whatever befalls a rival is told, not thrown
            answer = {"ok": False, "message": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
