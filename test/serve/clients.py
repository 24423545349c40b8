"""Asks a running server through tritonclient, over JSON, binary tensors and gRPC. Prints what came back as JSON.

Standard input: {"http": "host:port", "grpc": "host:port", "model": ..., "rows": [[...], ...]}
"""

import json
import sys

import numpy as np
import tritonclient.grpc as grpc
import tritonclient.http as http

asked = json.load(sys.stdin)
model = asked["model"]
answers = {}


def infer(kind, client, module, batch, **how):
    meta = client.get_model_metadata(model)
    if not isinstance(meta, dict):
        meta = {
            "inputs": [{"name": i.name, "datatype": i.datatype} for i in meta.inputs],
            "outputs": [{"name": o.name} for o in meta.outputs],
        }
    port, out = meta["inputs"][0], meta["outputs"][0]
    x = module.InferInput(port["name"], list(batch.shape), port["datatype"])
    x.set_data_from_numpy(batch, **how)
    y = module.InferRequestedOutput(out["name"], **({} if module is grpc else {"binary_data": bool(how.get("binary_data", True))}))
    result = client.infer(model, [x], outputs=[y], request_id="an id")
    response = result.get_response()
    identity = response["id"] if isinstance(response, dict) else response.id
    value = result.as_numpy(out["name"])
    answers.setdefault(kind, []).append(
        {"id": identity, "shape": list(value.shape), "dtype": str(value.dtype), "data": value.ravel().tolist()}
    )


rows = np.array(asked["rows"], np.float32)
batches = [rows[:1], rows]
with http.InferenceServerClient(asked["http"], concurrency=4) as over_http:
    assert over_http.is_server_live() and over_http.is_server_ready() and over_http.is_model_ready(model)
    assert "binary_tensor_data" in over_http.get_server_metadata()["extensions"]
    assert [m["name"] for m in over_http.get_model_repository_index()] == [model]
    assert over_http.get_model_config(model)["name"] == model
    for batch in batches:
        infer("http json", over_http, http, batch, binary_data=False)
        infer("http binary", over_http, http, batch, binary_data=True)
    for algorithm in ("gzip", "deflate"):
        x = http.InferInput(over_http.get_model_metadata(model)["inputs"][0]["name"], list(rows.shape), "FP32")
        x.set_data_from_numpy(rows)
        how = dict(request_compression_algorithm=algorithm, response_compression_algorithm=algorithm)
        result = over_http.infer(model, [x], **how)
        value = result.as_numpy(result.get_response()["outputs"][0]["name"])
        answers.setdefault("http " + algorithm, []).append(
            {"id": "an id", "shape": list(value.shape), "dtype": str(value.dtype), "data": value.ravel().tolist()}
        )
    pending = []
    for _ in range(8):
        pending.append(over_http.async_infer(model, [x]))
    for request in pending:
        assert request.get_result().as_numpy(result.get_response()["outputs"][0]["name"]).shape == value.shape
    stats = over_http.get_inference_statistics(model)["model_stats"][0]
    assert int(stats["inference_count"]) >= 8, stats
    over_http.unload_model(model)
    assert not over_http.is_model_ready(model)
    over_http.load_model(model)
    assert over_http.is_model_ready(model)
    try:
        over_http.get_model_metadata("nobody")
        raise AssertionError("a model that is not there")
    except http.InferenceServerException as error:
        answers["http error"] = [str(error)]

with grpc.InferenceServerClient(asked["grpc"]) as over_grpc:
    assert over_grpc.is_server_live() and over_grpc.is_server_ready() and over_grpc.is_model_ready(model)
    assert over_grpc.get_model_config(model).config.name == model
    for batch in batches:
        infer("grpc", over_grpc, grpc, batch)
    try:
        wrong = grpc.InferInput("no such input", [1, 1], "FP32")
        wrong.set_data_from_numpy(np.zeros((1, 1), np.float32))
        over_grpc.infer(model, [wrong])
        raise AssertionError("an input that is not there")
    except grpc.InferenceServerException as error:
        answers["grpc error"] = [error.status()]

print(json.dumps(answers))
