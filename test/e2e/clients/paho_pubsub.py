#!/usr/bin/env python3
"""paho-mqtt: connects with a device certificate, subscribes, publishes, receives."""
import argparse
import ssl
import threading

import paho.mqtt.client as paho

TIMEOUT_SECONDS = 30


def parse_flags():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "cert", "key", "client_id", "topic", "message"):
        flags.add_argument("--" + name, required=True)
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--version", choices=["3.1.1", "5"], required=True)
    return flags.parse_args()


def main():
    flags = parse_flags()
    arrived = threading.Event()
    protocol = paho.MQTTv5 if flags.version == "5" else paho.MQTTv311
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=flags.client_id, protocol=protocol)
    client.tls_set(ca_certs=flags.ca_file, certfile=flags.cert, keyfile=flags.key, cert_reqs=ssl.CERT_REQUIRED)

    def on_connect(client, _userdata, _flags, reason, _properties):
        print("connected", reason, flush=True)
        client.subscribe(flags.topic, qos=1)

    def on_subscribe(client, _userdata, _mid, reasons, _properties):
        print("subscribed", *reasons, flush=True)
        client.publish(flags.topic, flags.message, qos=1)

    def on_message(_client, _userdata, message):
        print("received", message.topic, message.payload.decode(), "qos", message.qos, flush=True)
        arrived.set()

    client.on_connect, client.on_subscribe, client.on_message = on_connect, on_subscribe, on_message
    client.connect(flags.endpoint, flags.port)
    client.loop_start()
    if not arrived.wait(TIMEOUT_SECONDS):
        raise SystemExit("the message did not arrive")
    client.disconnect()
    client.loop_stop()
    print("disconnected", flush=True)


if __name__ == "__main__":
    main()
