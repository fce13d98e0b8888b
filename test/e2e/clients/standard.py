#!/usr/bin/env python3
"""paho-mqtt walks through what the MQTT standards promise, in one version of them.
Prints "ok NAME" for each step; the first that fails ends it."""
import argparse
import queue
import socket
import ssl
import sys
import threading

import paho.mqtt.client as paho
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.subscribeoptions import SubscribeOptions

PATIENCE = 60  # seconds; nothing is waited for in the hope that it does not come


def properties(packet, **values):
    p = Properties(packet)
    for name, value in values.items():
        setattr(p, name, value)
    return p


def publishing(**values):
    return properties(PacketTypes.PUBLISH, **values)


class Client:
    """One connection: what it asks it gets answered before it goes on."""

    def __init__(self, flags, name, clean=True, expiry=None, will=None, manual_ack=False, alive=60, **connect):
        self.v5 = flags.version == "5"
        self.messages, self.answers, self.down = queue.Queue(), queue.Queue(), threading.Event()
        options = {} if self.v5 else {"clean_session": clean}
        self.paho = paho.Client(paho.CallbackAPIVersion.VERSION2, client_id=name,
                                protocol=paho.MQTTv5 if self.v5 else paho.MQTTv311,
                                reconnect_on_failure=False, manual_ack=manual_ack, **options)
        self.paho.tls_set(ca_certs=flags.ca_file, certfile=flags.cert, keyfile=flags.key, cert_reqs=ssl.CERT_REQUIRED)
        self.paho.on_connect = lambda _c, _u, flags, reason, props: self.answers.put((flags, reason, props))
        self.paho.on_subscribe = lambda _c, _u, _m, reasons, _p: self.answers.put([r.value for r in reasons])
        self.paho.on_unsubscribe = lambda _c, _u, _m, reasons, _p: self.answers.put([r.value for r in reasons])
        self.paho.on_message = lambda _c, _u, message: self.messages.put(message)
        self.paho.on_disconnect = lambda *_: self.down.set()
        if will:
            self.paho.will_set(**will)
        extra = {}
        if self.v5:
            if expiry is None and not clean:
                expiry = 600
            if expiry is not None:
                connect["SessionExpiryInterval"] = expiry
            extra = {"clean_start": clean, "properties": properties(PacketTypes.CONNECT, **connect)}
        self.paho.connect(flags.endpoint, flags.port, keepalive=alive, **extra)
        self.paho.loop_start()
        self.flags, self.reason, self.properties = self.answer()

    def answer(self):
        return self.answers.get(timeout=PATIENCE)

    def subscribe(self, *filters, subid=None):
        """Each filter is a name, a QoS, and in MQTT 5 more options."""
        if self.v5:
            asked = [(f[0], SubscribeOptions(qos=f[1], **(f[2] if len(f) > 2 else {}))) for f in filters]
            props = properties(PacketTypes.SUBSCRIBE, SubscriptionIdentifier=subid) if subid else None
            self.paho.subscribe(asked, properties=props)
        else:
            self.paho.subscribe([f[:2] for f in filters])
        return self.answer()

    def unsubscribe(self, *filters):
        self.paho.unsubscribe(list(filters))
        return self.answer()

    def publish(self, topic, payload, qos=1, retain=False, props=None):
        info = self.paho.publish(topic, payload, qos=qos, retain=retain, properties=props)
        info.wait_for_publish(PATIENCE)
        want(info.is_published(), True)

    def next(self):
        return self.messages.get(timeout=PATIENCE)

    def hears(self, *wanted):
        """The next messages are these, in this order, as "TOPIC PAYLOAD QOS"."""
        want([brief(self.next()) for _ in wanted], list(wanted))

    def heard_so_far(self):
        """What has come when a message to itself does."""
        topic = "barrier/" + self.paho._client_id.decode()
        self.subscribe((topic, 1))
        self.publish(topic, "x")
        heard = []
        while (got := brief(self.next())) != topic + " x 1":
            heard.append(got)
        self.unsubscribe(topic)
        return heard

    def hears_nothing(self):
        want(self.heard_so_far(), [])

    def leave(self, **disconnect):
        self.paho.disconnect(properties=properties(PacketTypes.DISCONNECT, **disconnect) if self.v5 else None)
        self.end()

    def drop(self):
        self.paho.socket().shutdown(socket.SHUT_RDWR)
        self.end()

    def end(self):
        want(self.down.wait(PATIENCE), True)
        self.paho.loop_stop()


def brief(m):
    text = m.payload.decode() if len(m.payload) < 100 else str(len(m.payload))
    return f"{m.topic} {text} {m.qos}" + (" retain" if m.retain else "") + (" dup" if m.dup else "")


def want(got, wanted):
    if got != wanted:
        raise AssertionError(f"got {got}, want {wanted}")


def every_qos(new):
    a, b = new("a"), new("b")
    want(a.subscribe(("q/0", 0), ("q/1", 1), ("q/2", 2)), [0, 1, 2])
    for qos in range(3):
        for filter_qos in range(3):
            b.publish(f"q/{filter_qos}", f"at {qos}", qos=qos)
            a.hears(f"q/{filter_qos} at {qos} {min(qos, filter_qos)}")
    a.leave(), b.leave()


def retained(new):
    a = new("a")
    for qos in range(3):
        a.publish(f"kept/{qos}", f"{qos}", qos=qos, retain=True)
    b = new("b")
    b.subscribe(("kept/+", 2))
    want(sorted(brief(b.next()) for _ in range(3)), ["kept/0 0 0 retain", "kept/1 1 1 retain", "kept/2 2 2 retain"])
    for qos in range(3):
        a.publish(f"kept/{qos}", "", qos=1, retain=True)
        b.hears(f"kept/{qos}  1")
    c = new("c")
    c.subscribe(("#", 2))
    c.hears_nothing()
    a.leave(), b.leave(), c.leave()


def no_client_id(new):
    a = new("")
    want(a.reason.is_failure, False)
    if a.v5:
        want(len(a.properties.AssignedClientIdentifier) > 0, True)
    a.leave()


def sessions(new):
    a = new("a", clean=False)
    want(a.flags.session_present, False)
    a.subscribe(("wait/+", 2))
    a.leave()
    b = new("b")
    for qos in (1, 2):
        b.publish(f"wait/{qos}", f"{qos}", qos=qos)
    a = new("a", clean=False)
    want(a.flags.session_present, True)
    a.hears("wait/1 1 1", "wait/2 2 2")
    want(a.unsubscribe("wait/+", "never"), [0, 0x11] if a.v5 else [])
    b.publish("wait/3", "no", qos=2)
    a.hears_nothing()
    a.leave()
    a = new("a", clean=True)
    want(a.flags.session_present, False)
    a.leave()
    if a.v5:
        a = new("a", clean=False, expiry=600)
        a.leave(SessionExpiryInterval=0)
        a = new("a", clean=False, expiry=600)
        want(a.flags.session_present, False)
        a.leave(SessionExpiryInterval=0)
    b.leave()


def again_after_a_break(new):
    a = new("a", clean=False, manual_ack=True)
    a.subscribe(("again", 1))
    b = new("b")
    b.publish("again", "1")
    a.hears("again 1 1")
    a.drop()
    a = new("a", clean=False)
    a.hears("again 1 1 dup")
    a.hears_nothing()
    a.leave()
    new("a", clean=True).leave()
    b.leave()


def overlapping(new):
    a, b = new("a"), new("b")
    if a.v5:
        a.subscribe(("over/+", 2), subid=7)
        a.subscribe(("over/#", 1), subid=8)
    else:
        a.subscribe(("over/+", 2), ("over/#", 1))
    b.publish("over/x", "once", qos=2)
    m = a.next()
    want(brief(m), "over/x once 2")
    if a.v5:
        want(sorted(m.properties.SubscriptionIdentifier), [7, 8])
    a.hears_nothing()
    a.leave(), b.leave()


def wills(new):
    watch = new("watch")
    watch.subscribe(("will/+", 2))
    a = new("a", will={"topic": "will/a", "payload": "gone", "qos": 2})
    a.drop()
    watch.hears("will/a gone 2")
    a = new("a", will={"topic": "will/a", "payload": "gone", "qos": 2})
    a.leave()
    watch.hears_nothing()
    if a.v5:
        late = {"topic": "will/late", "payload": "late", "qos": 1, "properties": properties(PacketTypes.WILLMESSAGE, WillDelayInterval=600)}
        a = new("a", clean=False, will=late)
        a.drop()
        watch.hears_nothing()
        new("a", clean=True).leave()  # the session's end is the end of the delay
        watch.hears("will/late late 1")
    watch.leave()


def what_travels_with_a_message(new):
    a, b = new("a"), new("b")
    a.subscribe(("props", 2))
    pairs = [("b", "1"), ("a", "2"), ("b", "3")]
    b.publish("props", "x", qos=2, props=publishing(
        PayloadFormatIndicator=1, ContentType="text/plain", ResponseTopic="back", CorrelationData=b"42",
        MessageExpiryInterval=600, UserProperty=pairs))
    p = a.next().properties
    want([p.PayloadFormatIndicator, p.ContentType, p.ResponseTopic, p.CorrelationData, p.UserProperty],
         [1, "text/plain", "back", b"42", pairs])
    want(0 < p.MessageExpiryInterval <= 600, True)
    a.leave(), b.leave()


def subscription_options(new):
    a, b = new("a"), new("b")
    b.publish("opt/kept", "old", retain=True)
    a.subscribe(("opt/kept", 1, {"retainHandling": 2, "retainAsPublished": True}), ("opt/mine", 1, {"noLocal": True}))
    b.publish("opt/kept", "new", retain=True)
    a.hears("opt/kept new 1 retain")
    a.publish("opt/mine", "mine")
    b.publish("opt/mine", "theirs")
    a.hears("opt/mine theirs 1")
    a.subscribe(("opt/kept", 1, {"retainHandling": 1}))
    a.hears_nothing()
    b.publish("opt/kept", "", retain=True)
    a.leave(), b.leave()


def topic_aliases(new):
    a, b = new("a"), new("b")
    want(b.properties.TopicAliasMaximum > 0, True)
    a.subscribe(("alias/+", 1))
    b.publish("alias/1", "set", props=publishing(TopicAlias=1))
    b.publish("", "used", props=publishing(TopicAlias=1))
    b.publish("alias/2", "moved", props=publishing(TopicAlias=1))
    b.publish("", "used", props=publishing(TopicAlias=1))
    a.hears("alias/1 set 1", "alias/1 used 1", "alias/2 moved 1", "alias/2 used 1")
    a.leave(), b.leave()


def windows(new):
    a, b = new("a", manual_ack=True, ReceiveMaximum=1, MaximumPacketSize=200), new("b")
    a.subscribe(("window", 1))
    b.publish("window", "x" * 300)
    b.publish("window", "1")
    b.publish("window", "2")
    first = a.next()
    want(brief(first), "window 1 1")
    b.publish("window", "zero", qos=0)  # takes no room
    a.hears("window zero 0")
    a.paho.ack(first.mid, first.qos)
    a.hears("window 2 1")
    a.leave(), b.leave()


def shared(new):
    a, b, c, pub = new("a"), new("b"), new("c"), new("pub")
    for member in (a, b):
        member.subscribe(("$share/group/work", 1))
    c.subscribe(("work", 1))
    for i in range(20):
        pub.publish("work", f"{i}")
    every = [f"work {i} 1" for i in range(20)]
    c.hears(*every)
    got = a.heard_so_far() + b.heard_so_far()
    want(sorted(got), sorted(every))
    for client in (a, b, c, pub):
        client.leave()


def refusals(new):
    a = new("a", AuthenticationMethod="SCRAM-SHA-1")
    want(a.reason.value, 0x8C)
    a.end()


STEPS = [every_qos, retained, no_client_id, sessions, again_after_a_break, overlapping, wills, shared]
STEPS_OF_5 = [what_travels_with_a_message, subscription_options, topic_aliases, windows, refusals]


def main():
    flags = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "cert", "key", "client_id", "topic", "message"):
        flags.add_argument("--" + name, required=True)
    flags.add_argument("--port", type=int, required=True)
    flags.add_argument("--version", choices=["3.1.1", "5"], required=True)
    flags = flags.parse_args()
    for step in STEPS + (STEPS_OF_5 if flags.version == "5" else []):
        def new(name, **options):
            return Client(flags, name and f"{step.__name__}-{flags.version}-{name}", **options)
        step(new)
        print("ok", step.__name__, flush=True)


if __name__ == "__main__":
    sys.exit(main())
