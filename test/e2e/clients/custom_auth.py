#!/usr/bin/env python3
"""awsiotsdk (Python v2) with a custom authorizer, directly or over WebSocket, by its
MQTT 5 or its 3.1.1 client. Prints the outcome and what it publishes to itself."""
import argparse
import threading

from awscrt import mqtt, mqtt5
from awsiot import mqtt5_client_builder, mqtt_connection_builder

TIMEOUT_SECONDS = 30


def parse_flags():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "client_id", "topic", "authorizer", "token", "signature", "password"):
        flags.add_argument("--" + name, required=True)
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--how", choices=["direct", "websockets"], required=True)
    flags.add_argument("--version", choices=["3.1.1", "5"], required=True)
    return flags.parse_args()


def arguments(flags):
    return dict(
        endpoint=flags.endpoint, port=flags.port, client_id=flags.client_id, ca_filepath=flags.ca_file,
        auth_username="alice", auth_authorizer_name=flags.authorizer, auth_authorizer_signature=flags.signature,
        auth_password=flags.password, auth_token_key_name="token", auth_token_value=flags.token)


def speak5(flags):
    settled, arrived, stopped = threading.Event(), threading.Event(), threading.Event()
    failures = []

    def fail(event):
        failures.append(event.connack_packet.reason_code.name if event.connack_packet else str(event.exception))
        settled.set()

    def receive(event):
        print("received", event.publish_packet.topic, event.publish_packet.payload.decode(), flush=True)
        arrived.set()

    build = getattr(mqtt5_client_builder, flags.how + "_with_custom_authorizer")
    client = build(
        on_publish_received=receive, on_lifecycle_stopped=lambda _: stopped.set(),
        on_lifecycle_connection_success=lambda _: settled.set(), on_lifecycle_connection_failure=fail,
        **dict(arguments(flags), auth_password=flags.password.encode()))
    client.start()
    settled.wait(TIMEOUT_SECONDS)
    if failures:
        print("refused", failures[0], flush=True)
    else:
        print("connected", flush=True)
        subscription = mqtt5.Subscription(topic_filter=flags.topic, qos=mqtt5.QoS.AT_LEAST_ONCE)
        client.subscribe(mqtt5.SubscribePacket(subscriptions=[subscription])).result(TIMEOUT_SECONDS)
        client.publish(mqtt5.PublishPacket(topic=flags.topic, payload="hello", qos=mqtt5.QoS.AT_LEAST_ONCE)).result(TIMEOUT_SECONDS)
        arrived.wait(TIMEOUT_SECONDS)
    client.stop()
    stopped.wait(TIMEOUT_SECONDS)


def speak3(flags):
    arrived = threading.Event()

    def receive(topic, payload, **_):
        print("received", topic, payload.decode(), flush=True)
        arrived.set()

    build = getattr(mqtt_connection_builder, flags.how + "_with_custom_authorizer")
    connection = build(**arguments(flags))
    try:
        connection.connect().result(TIMEOUT_SECONDS)
    except Exception as e:
        print("refused", e, flush=True)
        return
    print("connected", flush=True)
    connection.subscribe(flags.topic, mqtt.QoS.AT_LEAST_ONCE, receive)[0].result(TIMEOUT_SECONDS)
    connection.publish(flags.topic, "hello", mqtt.QoS.AT_LEAST_ONCE)[0].result(TIMEOUT_SECONDS)
    arrived.wait(TIMEOUT_SECONDS)
    connection.disconnect().result(TIMEOUT_SECONDS)


if __name__ == "__main__":
    settings = parse_flags()
    (speak5 if settings.version == "5" else speak3)(settings)
