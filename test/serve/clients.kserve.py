"""Asks a running server through the clients of the `kserve` package, over REST and gRPC. Prints what came back as JSON.

Standard input: {"http": "host:port", "grpc": "host:port", "model": ..., "rows": [[...], ...], "traceparent": ...}
"""

import asyncio
import json
import sys

import numpy as np
from grpc.aio import AioRpcError
from httpx import HTTPStatusError
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest
from kserve.inference_client import RESTConfig

asked = json.load(sys.stdin)
model, rows = asked["model"], np.array(asked["rows"], np.float32)
headers = {"traceparent": asked["traceparent"]}


def request(batch, binary, name=None):
    x = InferInput(name or asked["input"], list(batch.shape), "FP32")
    x.set_data_from_numpy(batch, binary_data=binary)
    return InferRequest(model, [x], request_id="an id")


def told(response):
    output = response.outputs[0]
    value = output.as_numpy()
    return {"id": response.id, "shape": list(value.shape), "dtype": str(value.dtype), "data": value.ravel().tolist()}


async def main():
    answers = {}
    url = "http://" + asked["http"]
    async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
        assert await client.is_server_live(url) and await client.is_server_ready(url)
        assert await client.is_model_ready(url, model)
        for kind, binary in (("rest json", False), ("rest binary", True)):
            for batch in (rows[:1], rows):
                response = await client.infer(url, request(batch, binary), model_name=model, headers=headers)
                answers.setdefault(kind, []).append(told(response))
        try:
            await client.infer(url, request(rows, True, "no such input"), model_name=model)
            raise AssertionError("an input that is not there")
        except HTTPStatusError as error:
            answers["rest error"] = [str(error)]
    async with InferenceGRPCClient(asked["grpc"]) as client:
        assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready(model)
        for kind, binary in (("grpc", False), ("grpc raw", True)):
            for batch in (rows[:1], rows):
                response = await client.infer(request(batch, binary), headers=tuple(headers.items()))
                answers.setdefault(kind, []).append(told(response))
        try:
            await client.infer(request(rows, True, "no such input"))
            raise AssertionError("an input that is not there")
        except AioRpcError as error:
            answers["grpc error"] = [error.code().name]
    print(json.dumps(answers))


asyncio.run(main())
