#!/usr/bin/env python3
"""AWSIoTPythonSDK (v1), used as its well-known basicPubSub sample uses it:
the same flags, keep-alive and time-outs, MQTT 3.1.1 with a device certificate,
or with -w over WebSocket, signed with the credentials of the environment.

Prints "connected", "subscribed", and for each message "received TOPIC PAYLOAD";
ends after --count messages published or received. An exception of the SDK ends
the program with its traceback, as it does in users' terminals.
"""
import argparse
import json
import threading

from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTClient

QOS = 1


def parse_flags():
    flags = argparse.ArgumentParser()
    flags.add_argument("-e", "--endpoint", required=True)
    flags.add_argument("-r", "--rootCA", required=True)
    flags.add_argument("-c", "--cert")
    flags.add_argument("-k", "--key")
    flags.add_argument("-w", "--websocket", action="store_true")
    flags.add_argument("-p", "--port", type=int, default=8883)
    flags.add_argument("-id", "--clientId", default="basicPubSub")
    flags.add_argument("-t", "--topic", default="sdk/test/Python")
    flags.add_argument("-m", "--mode", choices=["both", "publish", "subscribe"], default="both")
    flags.add_argument("-M", "--message", default="Hello World!")
    flags.add_argument("-n", "--count", type=int, default=1)
    return flags.parse_args()


def build_client(flags):
    client = AWSIoTMQTTClient(flags.clientId, useWebsocket=flags.websocket)
    client.configureEndpoint(flags.endpoint, flags.port)
    if flags.websocket:
        client.configureCredentials(flags.rootCA)
    else:
        client.configureCredentials(flags.rootCA, flags.key, flags.cert)
    client.configureAutoReconnectBackoffTime(1, 32, 20)
    client.configureOfflinePublishQueueing(-1)
    client.configureDrainingFrequency(2)
    client.configureConnectDisconnectTimeout(10)
    client.configureMQTTOperationTimeout(5)
    return client


def main():
    flags = parse_flags()
    client = build_client(flags)
    client.connect()
    print("connected", flush=True)

    arrived = threading.Semaphore(0)
    if flags.mode in ("both", "subscribe"):
        def on_message(_client, _userdata, message):
            print("received", message.topic, message.payload.decode(), flush=True)
            arrived.release()
        client.subscribe(flags.topic, QOS, on_message)
        print("subscribed", flush=True)

    if flags.mode in ("both", "publish"):
        for sequence in range(flags.count):
            client.publish(flags.topic, json.dumps({"message": flags.message, "sequence": sequence}), QOS)

    if flags.mode in ("both", "subscribe"):
        for _ in range(flags.count):
            if not arrived.acquire(timeout=30):
                raise SystemExit("a message did not arrive")
    client.disconnect()
    print("disconnected", flush=True)


if __name__ == "__main__":
    main()
