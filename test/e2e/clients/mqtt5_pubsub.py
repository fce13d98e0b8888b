#!/usr/bin/env python3
"""awsiotsdk (Python v2), its MQTT 5 client: with a device certificate, or with
--signing_region over WebSocket, signed with the credentials of the environment.

Prints the reason of the connection, the SUBACK and the PUBACK, each message
with its properties, and the client ID in use. Without --client_id the server
has to assign one.
"""
import argparse
import threading

from awscrt import auth, mqtt5
from awsiot import mqtt5_client_builder

TIMEOUT_SECONDS = 30


def parse_flags():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "topic", "message"):
        flags.add_argument("--" + name, required=True)
    for name in ("cert", "key", "signing_region"):
        flags.add_argument("--" + name)
    flags.add_argument("--port", type=int)  # absent: 443, as the builder has it
    flags.add_argument("--client_id", default="")
    return flags.parse_args()


def say(*words):
    print(*words, flush=True)


class Session:
    """The MQTT 5 client and what it was told."""

    def __init__(self, flags):
        self.connected, self.stopped, self.arrived = threading.Event(), threading.Event(), threading.Event()
        self.failure = None
        self.client = self.build(
            flags, endpoint=flags.endpoint, port=flags.port, client_id=flags.client_id, ca_filepath=flags.ca_file,
            on_publish_received=self.receive, on_lifecycle_stopped=lambda _: self.stopped.set(),
            on_lifecycle_connection_success=self.succeed, on_lifecycle_connection_failure=self.fail)

    @staticmethod
    def build(flags, **common):
        if not flags.signing_region:
            return mqtt5_client_builder.mtls_from_path(cert_filepath=flags.cert, pri_key_filepath=flags.key, **common)
        return mqtt5_client_builder.websockets_with_default_aws_signing(
            region=flags.signing_region, credentials_provider=auth.AwsCredentialsProvider.new_environment(), **common)

    def succeed(self, event):
        say("connected", event.connack_packet.reason_code.name)
        granted = event.negotiated_settings
        say("client_id", granted.client_id)
        say("maximum_qos", int(granted.maximum_qos), "receive_maximum", granted.receive_maximum_from_server,
            "server_keep_alive", granted.server_keep_alive_sec)
        self.connected.set()

    def fail(self, event):
        code = event.connack_packet.reason_code.name if event.connack_packet else None
        self.failure = f"connection failed: {code} {event.exception}"
        self.connected.set()

    def receive(self, event):
        packet = event.publish_packet
        properties = [(p.name, p.value) for p in packet.user_properties or []]
        say("received", packet.topic, packet.payload.decode(), packet.content_type, properties)
        self.arrived.set()


def exchange(client, flags):
    subscription = mqtt5.Subscription(flags.topic, mqtt5.QoS.AT_LEAST_ONCE)
    suback = client.subscribe(mqtt5.SubscribePacket([subscription])).result(TIMEOUT_SECONDS)
    say("suback", *(code.name for code in suback.reason_codes))
    puback = client.publish(mqtt5.PublishPacket(
        topic=flags.topic, payload=flags.message, qos=mqtt5.QoS.AT_LEAST_ONCE,
        content_type="text/plain", user_properties=[mqtt5.UserProperty("site", "north")],
    )).result(TIMEOUT_SECONDS).puback
    say("puback", puback.reason_code.name)
    if puback.reason_code != mqtt5.PubackReasonCode.SUCCESS:
        raise SystemExit("the message was refused")


def main():
    flags = parse_flags()
    session = Session(flags)
    session.client.start()
    if not session.connected.wait(TIMEOUT_SECONDS):
        raise SystemExit("no connection in time")
    if session.failure:
        raise SystemExit(session.failure)
    exchange(session.client, flags)
    if not session.arrived.wait(TIMEOUT_SECONDS):
        raise SystemExit("the message did not arrive")
    session.client.stop()
    if not session.stopped.wait(TIMEOUT_SECONDS):
        raise SystemExit("the client did not stop")
    say("stopped")


if __name__ == "__main__":
    main()
