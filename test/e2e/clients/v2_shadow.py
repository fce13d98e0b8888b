#!/usr/bin/env python3
"""awsiotsdk (Python v2), its shadow clients: IotShadowClientV2, which asks and
gets the answer, and IotShadowClient, which subscribes and publishes. Both do
the same to a classic shadow, or with --shadow to a named one, and print the
same lines:

    get rejected 404 No shadow exists with name: 'lamp'
    update accepted 1 {"speed": 40}
    ...

"delta" and "documents" are printed as they arrive, in no promised order.
"""
import argparse
import json
import queue
import threading
import uuid

import awsiot
from awscrt import mqtt, mqtt5, mqtt_request_response
from awsiot import iotshadow, mqtt5_client_builder, mqtt_connection_builder

TIMEOUT_SECONDS = 30


def parse_flags():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "cert", "key", "client_id", "thing"):
        flags.add_argument("--" + name, required=True)
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--shadow", help="name of a named shadow")
    flags.add_argument("--service", choices=["v1", "v2"], required=True, help="generation of the shadow client")
    flags.add_argument("--mqtt", choices=["311", "5"], required=True)
    return flags.parse_args()


def say(*words):
    print(*words, flush=True)


def connect(flags):
    """Gives a connection or client and how to end it."""
    common = {"endpoint": flags.endpoint, "port": flags.port, "client_id": flags.client_id,
              "cert_filepath": flags.cert, "pri_key_filepath": flags.key, "ca_filepath": flags.ca_file}
    if flags.mqtt == "311":
        connection = mqtt_connection_builder.mtls_from_path(clean_session=True, **common)
        connection.connect().result(TIMEOUT_SECONDS)
        return connection, lambda: connection.disconnect().result(TIMEOUT_SECONDS)
    connected, stopped = threading.Event(), threading.Event()
    client = mqtt5_client_builder.mtls_from_path(
        on_lifecycle_connection_success=lambda _: connected.set(),
        on_lifecycle_stopped=lambda _: stopped.set(), **common)
    client.start()
    if not connected.wait(TIMEOUT_SECONDS):
        raise SystemExit("no connection in time")

    def stop():
        client.stop()
        if not stopped.wait(TIMEOUT_SECONDS):
            raise SystemExit("the client did not stop")
    return client, stop


class Names:
    """What the SDK calls things for a classic or a named shadow."""

    def __init__(self, flags):
        self.infix, self.prefix = ("_named", "Named") if flags.shadow else ("", "")
        self.who = {"thing_name": flags.thing}
        if flags.shadow:
            self.who["shadow_name"] = flags.shadow

    def request(self, verb, suffix="Request", **members):
        kind = getattr(iotshadow, f"{verb.capitalize()}{self.prefix}Shadow{suffix}")
        return kind(**self.who, **members)

    def event(self, name):
        return getattr(iotshadow, f"{self.prefix}{name}SubscriptionRequest")(**self.who)


class RequestResponse:
    """IotShadowClientV2."""

    def __init__(self, connection, names):
        options = mqtt_request_response.ClientOptions(
            max_request_response_subscriptions=2, max_streaming_subscriptions=2, operation_timeout_in_seconds=TIMEOUT_SECONDS)
        self.client, self.names = iotshadow.IotShadowClientV2(connection, options), names

    def watch(self, on_delta, on_documents):
        self.streams = [self.open("shadow_delta_updated", "ShadowDeltaUpdated", on_delta),
                        self.open("shadow_updated", "ShadowUpdated", on_documents)]

    def open(self, event, request, listener):
        ready = threading.Event()
        create = getattr(self.client, f"create{self.names.infix}_{event}_stream")
        stream = create(self.names.event(request), awsiot.ServiceStreamOptions(
            incoming_event_listener=listener, subscription_status_listener=lambda _: ready.set()))
        stream.open()
        if not ready.wait(TIMEOUT_SECONDS):
            raise SystemExit(f"no subscription to {event}")
        return stream

    def close(self):
        """What is left to the interpreter's end is torn down in an order that
        awscrt does not always survive."""
        self.streams = self.client = None

    def ask(self, verb, **members):
        request = self.names.request(verb, **members)
        try:
            return "accepted", getattr(self.client, f"{verb}{self.names.infix}_shadow")(request).result(TIMEOUT_SECONDS)
        except awsiot.V2ServiceException as failure:
            if failure.modeled_error is None:
                raise
            return "rejected", failure.modeled_error


class PublishSubscribe:
    """IotShadowClient."""

    def __init__(self, connection, names):
        self.client, self.names, self.answers = iotshadow.IotShadowClient(connection), names, queue.Queue()
        for verb in ("get", "update", "delete"):
            for verdict in ("accepted", "rejected"):
                self.subscribe(f"{verb}{names.infix}_shadow_{verdict}", names.request(verb, "SubscriptionRequest"),
                               lambda answer, verdict=verdict: self.answers.put((verdict, answer)))

    def subscribe(self, what, request, callback):
        future, _topic = getattr(self.client, "subscribe_to_" + what)(request, mqtt.QoS.AT_LEAST_ONCE, callback)
        future.result(TIMEOUT_SECONDS)

    def watch(self, on_delta, on_documents):
        infix = self.names.infix.removeprefix("_") + "_" if self.names.infix else ""
        self.subscribe(f"{infix}shadow_delta_updated_events", self.names.event("ShadowDeltaUpdated"), on_delta)
        self.subscribe(f"{infix}shadow_updated_events", self.names.event("ShadowUpdated"), on_documents)

    def close(self):
        self.client = None

    def ask(self, verb, **members):
        token = str(uuid.uuid4())
        publish = getattr(self.client, f"publish_{verb}{self.names.infix}_shadow")
        publish(self.names.request(verb, client_token=token, **members), mqtt.QoS.AT_LEAST_ONCE).result(TIMEOUT_SECONDS)
        verdict, answer = self.answers.get(timeout=TIMEOUT_SECONDS)
        assert answer.client_token == token, (answer.client_token, token)
        return verdict, answer


def tell(verb, verdict, answer):
    if verdict == "rejected":
        say(verb, verdict, answer.code, answer.message)
    elif verb == "delete":
        say(verb, verdict, answer.version)
    else:
        state = answer.state
        parts = {name: getattr(state, name) for name in ("desired", "reported", "delta") if getattr(state, name, None)}
        say(verb, verdict, answer.version, json.dumps(parts))


def converse(service):
    def ask(verb, **members):
        tell(verb, *service.ask(verb, **members))

    def state(**members):
        return iotshadow.ShadowState(**members)

    ask("get")
    ask("delete")
    ask("update", state=state(desired={"speed": 40, "serial": 2 ** 63}, reported={"speed": 35, "serial": 2 ** 63}))
    ask("get")
    ask("update", state=state(reported={"speed": 40}), version=1)
    ask("update", state=state(reported={"speed": 41}), version=1)
    ask("update", state=state(desired={"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {"i": 1}}}}}}}}}))
    ask("get")
    ask("delete")
    ask("get")


def main():
    flags = parse_flags()
    connection, stop = connect(flags)
    service = {"v1": PublishSubscribe, "v2": RequestResponse}[flags.service](connection, Names(flags))
    told = threading.Semaphore(0)

    def on_delta(event):
        say("delta", event.version, json.dumps(event.state))
        told.release()

    def on_documents(event):
        before = event.previous.version if event.previous else None
        say("documents", before, event.current.version, json.dumps(event.current.state.reported))
        told.release()

    service.watch(on_delta, on_documents)
    converse(service)
    for _ in range(3):  # a delta and two documents
        if not told.acquire(timeout=TIMEOUT_SECONDS):
            raise SystemExit("an event did not arrive")
    service.close()
    stop()
    say("stopped")


if __name__ == "__main__":
    main()
