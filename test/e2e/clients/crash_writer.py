#!/usr/bin/env python3
"""Writes to a server that is killed again and again: a counter into a shadow,
asking for the next after the last was answered, and the same counter into a
retained message. Prints a line for each that the server has taken
responsibility for, and goes on until it is killed:

    shadow VERSION NUMBER    update/accepted has come
    retained NUMBER          PUBACK has come
"""
import argparse
import json
import queue
import ssl
import time

import paho.mqtt.client as paho

ANSWER_SECONDS = 10


def parse_flags():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "cert", "key", "thing", "topic"):
        flags.add_argument("--" + name, required=True)
    flags.add_argument("--port", type=int, required=True)
    return flags.parse_args()


class Gone(Exception):
    """The connection broke, or an answer did not come."""


class Session:
    """One connection, from CONNECT until it breaks."""

    def __init__(self, flags):
        self.update = f"$aws/things/{flags.thing}/shadow/update"
        self.accepted, self.topic = queue.Queue(), flags.topic
        # paho is not to come back by itself: it would send an old number after a newer one.
        client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=f"{flags.thing}-writer", reconnect_on_failure=False)
        client.tls_set(ca_certs=flags.ca_file, certfile=flags.cert, keyfile=flags.key, cert_reqs=ssl.CERT_REQUIRED)
        client.on_connect = lambda *_: client.subscribe(self.update + "/accepted", qos=1)
        client.on_subscribe = lambda *_: self.accepted.put(None)
        client.on_message = lambda _client, _userdata, message: self.accepted.put(json.loads(message.payload))
        client.on_disconnect = lambda *_: self.accepted.put(Gone())
        client.connect(flags.endpoint, flags.port)
        client.loop_start()
        self.client = client
        self.answer()  # subscribed

    def answer(self):
        try:
            got = self.accepted.get(timeout=ANSWER_SECONDS)
        except queue.Empty:
            raise Gone() from None
        if isinstance(got, Gone):
            raise got
        return got

    def write(self, number):
        # Two members that are always equal: one without the other is half an update.
        both = {"state": {"reported": {"number": number, "again": number}}, "clientToken": str(number)}
        self.client.publish(self.update, json.dumps(both), qos=1)
        retained = self.client.publish(self.topic, str(number), qos=1, retain=True)
        document = self.answer()
        while document["clientToken"] != str(number):  # the answer to what an earlier session asked
            document = self.answer()
        print("shadow", document["version"], number, flush=True)
        retained.wait_for_publish(ANSWER_SECONDS)
        if not retained.is_published():
            raise Gone()
        print("retained", number, flush=True)

    def close(self):
        self.client.on_disconnect = None
        self.client.disconnect()
        self.client.loop_stop()


def main():
    flags, number = parse_flags(), 0
    while True:
        try:
            session = Session(flags)
        except (OSError, Gone):
            time.sleep(0.02)
            continue
        try:
            while True:
                number += 1
                session.write(number)
        except (RuntimeError, ValueError, Gone):
            session.close()


if __name__ == "__main__":
    main()
