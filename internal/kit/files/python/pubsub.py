#!/usr/bin/env python3
"""Send messages to a topic and receive them back, over MQTT 3.1.1.

The program of the connection kit. It connects with the device's certificate,
subscribes to one topic and publishes to the same topic once a second; every
message should come back. It needs the package "awsiotsdk" and takes the flags
that kits for AWS IoT Core have always passed, so a start.sh written for those
runs it unchanged.
"""
import argparse
import json
import signal
import sys
import threading
import time
import uuid

from awscrt import http, io, mqtt
from awscrt.exceptions import AwsCrtError
from awsiot import mqtt_connection_builder

KEEP_ALIVE_SECONDS = 30
SECONDS_BETWEEN_MESSAGES = 1
LOG_LEVELS = {
    "None": io.LogLevel.NoLogs,
    "Fatal": io.LogLevel.Fatal,
    "Error": io.LogLevel.Error,
    "Warn": io.LogLevel.Warn,
    "Info": io.LogLevel.Info,
    "Debug": io.LogLevel.Debug,
    "Trace": io.LogLevel.Trace,
}


def parse_flags():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--endpoint", required=True, help="host name of the server, without scheme or port")
    flags.add_argument("--port", type=int, default=8883, help="port of the server (default 8883)")
    flags.add_argument("--ca_file", help="root certificate of the server, a PEM file")
    flags.add_argument("--cert", required=True, help="certificate of the device, a PEM file")
    flags.add_argument("--key", required=True, help="private key of the device, a PEM file")
    flags.add_argument("--client_id", default=f"test-{uuid.uuid4()}", help="MQTT client ID (default: a new one)")
    flags.add_argument("--topic", default="test/topic", help="topic to publish and subscribe to")
    flags.add_argument("--message", default="Hello World! ", help="text to send; empty: only receive")
    flags.add_argument("--count", type=int, default=10, help="messages to send and receive (default 10); 0: no end")
    flags.add_argument("--proxy_host", help="HTTP proxy to connect through")
    flags.add_argument("--proxy_port", type=int, default=8080, help="port of the HTTP proxy (default 8080)")
    flags.add_argument("--verbosity", choices=LOG_LEVELS, default="None", help="what the SDK logs")
    flags.add_argument("--is_ci", help="any value: leave endpoint and client ID out of the output")
    return flags.parse_args()


class Inbox:
    """Prints and counts what arrives, and says when it is enough."""

    def __init__(self, expected):
        self.expected = expected
        self.count = 0
        self.complete = threading.Event()

    def take(self, topic, payload, **_):
        say(f"Received message from topic '{topic}': {payload}")
        self.count += 1
        if self.count == self.expected:
            self.complete.set()


def say(line):
    """Prints at once, also into a pipe: somebody is watching."""
    print(line, flush=True)


def build_connection(flags):
    proxy = None
    if flags.proxy_host:
        proxy = http.HttpProxyOptions(host_name=flags.proxy_host, port=flags.proxy_port)
    return mqtt_connection_builder.mtls_from_path(
        endpoint=flags.endpoint,
        port=flags.port,
        cert_filepath=flags.cert,
        pri_key_filepath=flags.key,
        ca_filepath=flags.ca_file,
        client_id=flags.client_id,
        clean_session=False,
        keep_alive_secs=KEEP_ALIVE_SECONDS,
        http_proxy_options=proxy,
        on_connection_interrupted=report_interruption,
        on_connection_resumed=report_resumption,
    )


def report_interruption(connection, error, **_):
    say(f"Connection interrupted. error: {error}")


def report_resumption(connection, return_code, session_present, **_):
    say(f"Connection resumed. return_code: {return_code} session_present: {session_present}")
    if return_code == mqtt.ConnectReturnCode.ACCEPTED and not session_present:
        # This is the event loop's thread: it must not wait for the answer.
        say("Session did not persist. Resubscribing to existing topics...")
        connection.resubscribe_existing_topics()


def connect(flags):
    connection = build_connection(flags)
    if flags.is_ci:
        say("Connecting to endpoint with client ID")
    else:
        say(f"Connecting to {flags.endpoint} with client ID '{flags.client_id}'...")
    try:
        connection.connect().result()
    except AwsCrtError as error:
        sys.exit(f"Could not connect: {error}")
    say("Connected!")
    return connection


def subscribe(connection, topic, inbox):
    say(f"Subscribing to topic '{topic}'...")
    answered, _ = connection.subscribe(topic=topic, qos=mqtt.QoS.AT_LEAST_ONCE, callback=inbox.take)
    # By its name, because str() of the value differs between Python versions.
    say(f"Subscribed with QoS.{answered.result()['qos'].name}")


def publish(connection, topic, text, count):
    """Sends count messages, or without end when count is 0."""
    say(f"Sending {count} message(s)" if count else "Sending messages until program killed")
    number = 1
    while number <= count or count == 0:
        message = f"{text} [{number}]"
        say(f"Publishing message to topic '{topic}': {message}")
        connection.publish(topic=topic, payload=json.dumps(message), qos=mqtt.QoS.AT_LEAST_ONCE)
        time.sleep(SECONDS_BETWEEN_MESSAGES)
        number += 1


def exchange(connection, flags):
    inbox = Inbox(flags.count)
    subscribe(connection, flags.topic, inbox)
    if flags.message:
        publish(connection, flags.topic, flags.message, flags.count)
    if flags.count and not inbox.complete.is_set():
        say("Waiting for all messages to be received...")
    inbox.complete.wait()
    say(f"{inbox.count} message(s) received.")


def main():
    flags = parse_flags()
    if flags.verbosity != "None":
        io.init_logging(LOG_LEVELS[flags.verbosity], "stderr")
    # `kill` ends the program as Ctrl+C does.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    connection = connect(flags)
    status = 0
    try:
        exchange(connection, flags)
    except KeyboardInterrupt:
        status = 130  # what shells expect of a program ended by Ctrl+C
    say("Disconnecting...")
    connection.disconnect().result()
    say("Disconnected!")
    return status


if __name__ == "__main__":
    sys.exit(main())
