#!/usr/bin/env python3
"""Publishes the numbers 1 to COUNT at QoS 1, several at a time, to a server that
is killed again and again, and ends when each of them was acknowledged. Prints a
line for each:

    acked NUMBER
"""
import argparse
import json
import queue
import ssl
import time

import paho.mqtt.client as paho

WINDOW = 20
ANSWER_SECONDS = 10


def parse_flags():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "cert", "key", "thing", "topic", "by"):
        flags.add_argument("--" + name, required=True)
    for name in ("port", "count"):
        flags.add_argument("--" + name, type=int, required=True)
    return flags.parse_args()


def session(flags, missing):
    """One connection, from CONNECT until it breaks or nothing is missing."""
    events = queue.Queue()
    # paho is not to come back by itself: what was not acknowledged is sent anew.
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"{flags.thing}-{flags.by}", reconnect_on_failure=False)
    client.tls_set(ca_certs=flags.ca_file, certfile=flags.cert, keyfile=flags.key, cert_reqs=ssl.CERT_REQUIRED)
    client.on_connect = lambda *_: events.put("connected")
    client.on_disconnect = lambda *_: events.put(None)
    client.on_publish = lambda _client, _userdata, mid, *_: events.put(mid)
    client.connect(flags.endpoint, flags.port)
    client.loop_start()
    try:
        if events.get(timeout=ANSWER_SECONDS) is None:
            return
        todo, flying = sorted(missing), {}
        while todo or flying:
            while todo and len(flying) < WINDOW:
                number = todo.pop(0)
                payload = json.dumps({"n": number, "by": flags.by})
                flying[client.publish(flags.topic, payload, qos=1).mid] = number
            mid = events.get(timeout=ANSWER_SECONDS)
            if mid is None:
                return
            if mid in flying:  # else it was a refusal by the client itself
                number = flying.pop(mid)
                missing.discard(number)
                print("acked", number, flush=True)
    finally:
        client.on_disconnect = None
        client.disconnect()
        client.loop_stop()


def main():
    flags = parse_flags()
    missing = set(range(1, flags.count + 1))
    while missing:
        try:
            session(flags, missing)
        except (OSError, RuntimeError, ValueError, queue.Empty):
            time.sleep(0.02)


if __name__ == "__main__":
    main()
