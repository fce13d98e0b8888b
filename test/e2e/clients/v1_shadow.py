#!/usr/bin/env python3
"""AWSIoTPythonSDK (v1), its shadow client, used as its basicShadow samples use it:
one program updates the shadow and waits for each answer, another listens for
deltas until it has seen --count of them.

    updater   prints "delete rejected", "update accepted VERSION STATE", "get accepted
              VERSION STATE", in the order in which it asks
    listener  prints "listening", then "delta VERSION STATE"

An answer that does not come within five seconds is printed as "timeout".
"""
import argparse
import json
import threading

from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTShadowClient

ANSWER_SECONDS = 5


def parse_flags():
    flags = argparse.ArgumentParser()
    flags.add_argument("role", choices=["updater", "listener"])
    for name in ("endpoint", "ca_file", "cert", "key", "thing"):
        flags.add_argument("--" + name, required=True)
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--count", type=int, default=3)
    return flags.parse_args()


def connect(flags):
    client = AWSIoTMQTTShadowClient(f"{flags.thing}-{flags.role}")
    client.configureEndpoint(flags.endpoint, flags.port)
    client.configureCredentials(flags.ca_file, flags.key, flags.cert)
    client.configureAutoReconnectBackoffTime(1, 32, 20)
    client.configureConnectDisconnectTimeout(10)
    client.configureMQTTOperationTimeout(5)
    client.connect()
    return client


def ask(verb, request, *arguments):
    """Sends one request, waits for what becomes of it and prints that."""
    answered = threading.Event()

    def on_answer(payload, status, _token):
        if status == "accepted" and verb != "delete":
            document = json.loads(payload)
            print(verb, status, document["version"], json.dumps(document["state"]), flush=True)
        else:
            print(verb, status, flush=True)
        answered.set()

    request(*arguments, on_answer, ANSWER_SECONDS)
    if not answered.wait(3 * ANSWER_SECONDS):
        raise SystemExit(f"{verb} was never answered")


def update(shadow, count):
    ask("get", shadow.shadowGet)
    ask("delete", shadow.shadowDelete)
    for number in range(count - 1):
        ask("update", shadow.shadowUpdate, json.dumps({"state": {"desired": {"property": number}}}))
    ask("delete", shadow.shadowDelete)
    # The listener takes only a delta with a higher version than the last one's,
    # so the version has to grow even over a deletion.
    ask("update", shadow.shadowUpdate, json.dumps({"state": {"desired": {"property": count - 1}}}))
    ask("get", shadow.shadowGet)
    ask("update", shadow.shadowUpdate, json.dumps({"state": {"desired": {}}, "version": 1}))


def listen(shadow, count):
    seen = threading.Semaphore(0)

    def on_delta(payload, _status, _token):
        document = json.loads(payload)
        print("delta", document["version"], json.dumps(document["state"]), flush=True)
        seen.release()

    shadow.shadowRegisterDeltaCallback(on_delta)
    print("listening", flush=True)
    for _ in range(count):
        if not seen.acquire(timeout=60):
            raise SystemExit("a delta did not arrive")
    shadow.shadowUnregisterDeltaCallback()


def main():
    flags = parse_flags()
    client = connect(flags)
    shadow = client.createShadowHandlerWithName(flags.thing, True)
    {"updater": update, "listener": listen}[flags.role](shadow, flags.count)
    client.disconnect()
    print("disconnected", flush=True)


if __name__ == "__main__":
    main()
