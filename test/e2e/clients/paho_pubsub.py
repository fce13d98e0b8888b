#!/usr/bin/env python3
"""paho-mqtt: connects with a device certificate, or with --signing_region over
WebSocket by a URL that botocore presigns; subscribes, publishes, receives."""
import argparse
import ssl
import threading
import urllib.parse

import botocore.session
import paho.mqtt.client as paho
from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest

TIMEOUT_SECONDS = 30


def parse_flags():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "client_id", "topic", "message"):
        flags.add_argument("--" + name, required=True)
    for name in ("cert", "key", "signing_region"):
        flags.add_argument("--" + name)
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--version", choices=["3.1.1", "5"], required=True)
    return flags.parse_args()


def presigned_path(flags):
    """Path and query of a WebSocket; botocore signs a session token, too, which
    AWS's own device SDKs leave out."""
    request = AWSRequest("GET", f"https://{flags.endpoint}:{flags.port}/mqtt")
    credentials = botocore.session.get_session().get_credentials().get_frozen_credentials()
    SigV4QueryAuth(credentials, "iotdevicegateway", flags.signing_region, expires=60).add_auth(request)
    url = urllib.parse.urlsplit(request.url)
    return f"{url.path}?{url.query}"


def main():
    flags = parse_flags()
    arrived = threading.Event()
    protocol = paho.MQTTv5 if flags.version == "5" else paho.MQTTv311
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=flags.client_id, protocol=protocol,
                         transport="websockets" if flags.signing_region else "tcp")
    if flags.signing_region:
        client.ws_set_options(path=presigned_path(flags))
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
