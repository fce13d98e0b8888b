"""Looks at connections through boto3's iot-data, and at what the client hears.

usage: connections.py PORT CA CERT KEY
"""

import queue
import sys
import time

import boto3
import paho.mqtt.client as mqtt
from botocore.config import Config
from botocore.exceptions import ClientError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PORT, CA, CERT, KEY = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
PATIENCE = 30

# A 504 would be tried again.
data = boto3.client("iot-data", config=Config(retries={"total_max_attempts": 1}))


def same(want, got, what):
    if want != got:
        sys.exit(f"{what}: want {want!r}, got {got!r}")


def refused(code, status, call, **arguments):
    try:
        call(**arguments)
    except ClientError as e:
        got = e.response["Error"]["Code"], e.response["ResponseMetadata"]["HTTPStatusCode"]
        same((code, status), got, f"{call.__name__} {arguments}")
        return
    sys.exit(f"{call.__name__} {arguments} was not refused with {code}")


class Device:
    """An MQTT 5 client that acknowledges only what it is told to."""

    def __init__(self, client_id, session=0, clean=True):
        self.got, self.subscribed, self.connected = queue.Queue(), queue.Queue(), queue.Queue()
        c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=mqtt.MQTTv5, manual_ack=True)
        c.tls_set(CA, CERT, KEY)
        c.on_message = lambda _c, _u, m: self.got.put(m)
        c.on_subscribe = lambda *_: self.subscribed.put(True)
        c.on_connect = lambda _c, _u, _f, reason, _p: self.connected.put(reason)
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = session
        self.client = c
        c.connect("localhost", PORT, keepalive=90, clean_start=clean, properties=properties)
        c.loop_start()
        same(False, self.connected.get(timeout=PATIENCE).is_failure, "CONNACK")

    def subscribe(self, *filters):
        self.client.subscribe([(f, mqtt.SubscribeOptions(qos=q)) for f, q in filters])
        self.subscribed.get(timeout=PATIENCE)

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()

    def die(self):
        """Ends like a device without power."""
        self.client._sock_close()
        self.client.loop_stop()


def connection(client_id, **arguments):
    answer = data.get_connection(clientId=client_id, **arguments)
    del answer["ResponseMetadata"]
    return answer


def until(client_id, connected):
    """Waits until the server has noticed."""
    end = time.time() + PATIENCE
    while True:
        answer = connection(client_id)
        if answer["connected"] == connected:
            return answer
        if time.time() > end:
            sys.exit(f"{client_id}: {answer}")
        time.sleep(0.05)


def is_now(milliseconds, what):
    if abs(time.time() * 1000 - milliseconds) > 60_000:
        sys.exit(f"{what} is {milliseconds}")


def describe(lamp):
    got = connection("lamp 7/ä", includeSocketInformation=True)
    is_now(got.pop("connectedSince"), "connectedSince")
    port = lamp.client.socket().getsockname()[1]
    want = {
        "clientId": "lamp 7/ä", "connected": True, "cleanSession": False, "keepAliveDuration": 90, "sessionExpiry": 600,
        "sourceIp": "127.0.0.1", "sourcePort": port, "targetIp": "127.0.0.1", "targetPort": PORT,
    }
    same(want, got, "get_connection with sockets")
    plain = connection("lamp 7/ä")
    is_now(plain.pop("connectedSince"), "connectedSince")
    for name in ("sourceIp", "sourcePort", "targetIp", "targetPort"):
        del want[name]
    same(want, plain, "get_connection")
    refused("ResourceNotFoundException", 404, data.get_connection, clientId="nobody")


def pages(filters):
    got, sizes, more = [], [], {}
    while True:
        page = data.list_subscriptions(clientId="lamp 7/ä", maxResults=3, **more)
        sizes.append(len(page["subscriptions"]))
        got += [(s["topicFilter"], s["qos"]) for s in page["subscriptions"]]
        if not page.get("nextToken"):
            break
        more = {"nextToken": page["nextToken"]}
    same([3, 3, 1], sizes, "pages")
    same(sorted(filters), got, "list_subscriptions")
    whole = data.list_subscriptions(clientId="lamp 7/ä")
    same((7, None), (len(whole["subscriptions"]), whole.get("nextToken")), "one page")
    refused("ResourceNotFoundException", 404, data.list_subscriptions, clientId="nobody")
    refused("InvalidRequestException", 400, data.list_subscriptions, clientId="lamp 7/ä", nextToken="???")


def send(lamp):
    answer = data.send_direct_message(
        clientId="lamp 7/ä", topic="cmd/now", payload=b"on", contentType="text/plain", responseTopic="cmd/answer",
        userProperties='[{"site":"north"},{"rev":"3"}]', payloadFormatIndicator="UTF8_DATA", correlationData="aWQ3",
    )
    same(("OK", answer["ResponseMetadata"]["HTTPHeaders"]["x-amzn-requestid"]), (answer["message"], answer["traceId"]), "answer")
    m = lamp.got.get(timeout=PATIENCE)
    p = m.properties
    same(
        ("cmd/now", b"on", 0, "text/plain", "cmd/answer", [("site", "north"), ("rev", "3")], 1, b"id7"),
        (m.topic, m.payload, m.qos, p.ContentType, p.ResponseTopic, p.UserProperty, p.PayloadFormatIndicator, p.CorrelationData),
        "direct message",
    )
    refused("GatewayTimeoutException", 504, data.send_direct_message, clientId="lamp 7/ä", topic="cmd/late", confirmation=True, timeout=1)
    m = lamp.got.get(timeout=PATIENCE)
    same(("cmd/late", b"", 1), (m.topic, m.payload, m.qos), "unacknowledged message")
    lamp.client.ack(m.mid, m.qos)
    lamp.client.on_message = lambda c, _u, m: (c.ack(m.mid, m.qos), lamp.got.put(m))
    answer = data.send_direct_message(clientId="lamp 7/ä", topic="cmd/sure", payload=b"\x00\xff", confirmation=True, timeout=15)
    same("OK", answer["message"], "confirmed answer")
    same(b"\x00\xff", lamp.got.get(timeout=PATIENCE).payload, "confirmed message")

    to = {"clientId": "lamp 7/ä"}
    refused("ForbiddenException", 403, data.send_direct_message, topic="secret", **to)
    refused("ResourceNotFoundException", 404, data.send_direct_message, clientId="nobody", topic="cmd/now")
    refused("InvalidRequestException", 400, data.send_direct_message, topic="cmd/+", **to)
    refused("InvalidRequestException", 400, data.send_direct_message, topic="cmd", responseTopic="a/#", **to)
    refused("InvalidRequestException", 400, data.send_direct_message, topic="cmd", confirmation=True, timeout=16, **to)
    refused("RequestEntityTooLargeException", 413, data.send_direct_message, topic="cmd", payload=b"x" * (128 * 1024 + 1), **to)


def go(lamp):
    lamp.leave()
    got = until("lamp 7/ä", False)
    is_now(got.pop("disconnectedSince"), "disconnectedSince")
    same(
        {
            "clientId": "lamp 7/ä", "connected": False, "cleanSession": False, "sessionExpiry": 600,
            "disconnectReason": "CLIENT_INITIATED_DISCONNECT",
        },
        got, "get_connection of who left",
    )
    same(7, len(data.list_subscriptions(clientId="lamp 7/ä")["subscriptions"]), "subscriptions of who left")
    refused("ResourceNotFoundException", 404, data.send_direct_message, clientId="lamp 7/ä", topic="cmd/now")
    data.delete_connection(clientId="lamp 7/ä", cleanSession=True)
    refused("ResourceNotFoundException", 404, data.list_subscriptions, clientId="lamp 7/ä")
    refused("ResourceNotFoundException", 404, data.delete_connection, clientId="lamp 7/ä")


def guest():
    """A clean session leaves nothing but when and why it ended."""
    Device("guest").die()
    got = until("guest", False)
    is_now(got.pop("disconnectedSince"), "disconnectedSince")
    same({"clientId": "guest", "connected": False, "cleanSession": True, "sessionExpiry": 0, "disconnectReason": "CONNECTION_LOST"}, got, "get_connection of a guest")
    refused("ResourceNotFoundException", 404, data.delete_connection, clientId="guest")


lamp = Device("lamp 7/ä", session=600, clean=False)
filters = [("a/1", 0), ("a/2", 1), ("b/+", 1), ("c/#", 0), ("d", 1), ("$share/g/d", 1), ("$aws/events/presence/#", 0)]
lamp.subscribe(*filters)
describe(lamp)
pages(filters)
send(lamp)
go(lamp)
guest()
print("done")
