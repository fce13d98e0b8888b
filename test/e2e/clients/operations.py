#!/usr/bin/env python3
"""Calls every operation that boto3 knows of the services thingd speaks, each
once with the smallest parameters its model allows, and prints how it was
answered, one line each:

    iot CreateThing answered 200
    iot DescribeThing answered 404 ResourceNotFoundException
    iot CreateFleetMetric absent 501 NotImplementedException
    iot ListThings failed 500 InternalFailureException

"failed" is a 5xx other than 501, or an answer boto3 could not read.
"""
import boto3
import botocore.exceptions
from botocore.config import Config

SERVICES = ["iot", "iot-data", "iot-jobs-data", "iotsecuretunneling", "sagemaker-edge", "sts"]
DEEPEST = 6  # levels of required structures in structures


def smallest(shape, depth=0):
    """The smallest value of a shape that the model calls valid."""
    if getattr(shape, "enum", None):
        return shape.enum[0]
    if shape.type_name == "structure":
        members = {} if depth > DEEPEST else {name: smallest(shape.members[name], depth + 1)
                                             for name in shape.required_members}
        if getattr(shape, "is_tagged_union", False) and not members and depth <= DEEPEST:
            name = next(iter(shape.members))
            members = {name: smallest(shape.members[name], depth + 1)}
        return members
    low = int(shape.metadata.get("min", 1))
    return {
        "list": lambda: [smallest(shape.member, depth + 1)],
        "map": lambda: {"probe": smallest(shape.value, depth + 1)},
        "string": lambda: "probe".ljust(low, "x"),
        "blob": lambda: b"probe",
        "boolean": lambda: False,
        "timestamp": lambda: 0,
    }.get(shape.type_name, lambda: low)()


def ask(client, method, parameters):
    """Gives verdict, HTTP status and error code."""
    try:
        answer = getattr(client, method)(**parameters)
    except botocore.exceptions.ClientError as error:
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        code = error.response["Error"]["Code"]
        if status == 501:
            return "absent", status, code
        return ("failed" if status >= 500 else "answered"), status, code
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        return "failed", "-", f"{type(error).__name__}: {error}"
    return "answered", answer["ResponseMetadata"]["HTTPStatusCode"], ""


def main():
    for service in SERVICES:
        client = boto3.client(service, config=Config(retries={"total_max_attempts": 1}, read_timeout=20))
        methods = {operation: method for method, operation in client.meta.method_to_api_mapping.items()}
        for operation in client.meta.service_model.operation_names:
            shape = client.meta.service_model.operation_model(operation).input_shape
            parameters = smallest(shape) if shape else {}
            print(service, operation, *ask(client, methods[operation], parameters), flush=True)


if __name__ == "__main__":
    main()
