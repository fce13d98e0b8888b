"""A thing type's propagating attributes, set by boto3: paho-mqtt and awsiotsdk
publish as things of the type, and paho-mqtt hears what arrives.

usage: propagating.py PORT CA CERT KEY READER_CERT READER_KEY
"""

import json
import queue
import sys
import threading

import boto3
import paho.mqtt.client as mqtt
from awscrt import mqtt5
from awsiot import mqtt5_client_builder
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

PORT, CA, CERT, KEY, READER_CERT, READER_KEY = int(sys.argv[1]), *sys.argv[2:]
PATIENCE = 60

iot = boto3.client("iot")
iam = boto3.client("iam")


def same(want, got, what):
    if want != got:
        sys.exit(f"{what}: want {want!r}, got {got!r}")


class Paho:
    def __init__(self, client_id, protocol, cert, key):
        self.got, self.done, self.connected = queue.Queue(), queue.Queue(), queue.Queue()
        c = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id, protocol=protocol)
        c.tls_set(CA, cert, key)
        c.on_message = lambda _c, _u, m: self.got.put(m)
        c.on_subscribe = lambda *_: self.done.put(True)
        c.on_connect = lambda _c, _u, _f, reason, _p: self.connected.put(reason)
        self.client = c
        c.connect("localhost", PORT)
        c.loop_start()
        same(False, self.connected.get(timeout=PATIENCE).is_failure, "CONNACK")

    def subscribe(self, *filters):
        self.client.subscribe([(f, mqtt.SubscribeOptions(qos=1)) if self.client._protocol == mqtt.MQTTv5 else (f, 1) for f in filters])
        self.done.get(timeout=PATIENCE)

    def publish(self, topic, payload, **more):
        self.client.publish(topic, payload, qos=1, **more).wait_for_publish(PATIENCE)

    def message(self):
        """Topic, payload and user properties of what came."""
        m = self.got.get(timeout=PATIENCE)
        return m.topic, m.payload.decode(), getattr(m.properties, "UserProperty", [])

    def leave(self):
        self.client.disconnect()
        self.client.loop_stop()


def publish_with_the_sdk(topic, payload):
    up, down = threading.Event(), threading.Event()
    client = mqtt5_client_builder.mtls_from_path(
        cert_filepath=CERT, pri_key_filepath=KEY, endpoint="localhost", port=PORT, client_id="lamp", ca_filepath=CA,
        on_lifecycle_connection_success=lambda _: up.set(), on_lifecycle_stopped=lambda _: down.set())
    client.start()
    if not up.wait(PATIENCE):
        sys.exit("awsiotsdk does not connect")
    packet = mqtt5.PublishPacket(topic=topic, payload=payload, qos=mqtt5.QoS.AT_LEAST_ONCE, user_properties=[mqtt5.UserProperty("own", "1")])
    same(mqtt5.PubackReasonCode.SUCCESS, client.publish(packet).result(PATIENCE).puback.reason_code, "PUBACK")
    client.stop()
    if not down.wait(PATIENCE):
        sys.exit("awsiotsdk does not stop")


def prepare():
    attributes = [
        {"userPropertyKey": "iot:ClientId", "connectionAttribute": "iot:ClientId"},
        {"userPropertyKey": "test", "thingAttribute": "A"},
    ]
    properties = {"mqtt5Configuration": {"propagatingAttributes": attributes}}
    iot.create_thing_type(thingTypeName="LightBulb", thingTypeProperties=properties)
    same(properties, iot.describe_thing_type(thingTypeName="LightBulb")["thingTypeProperties"], "describe_thing_type")
    iot.update_thing(thingName="lamp", thingTypeName="LightBulb", attributePayload={"attributes": {"A": "north"}})
    trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "iot.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
    role = iam.create_role(RoleName="rules", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    allow = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "iot:Publish", "Resource": "*"}]}
    iam.put_role_policy(RoleName="rules", PolicyName="publish", PolicyDocument=json.dumps(allow))
    iot.create_topic_rule(ruleName="north", topicRulePayload={
        "sql": "SELECT v, get_user_properties('iot:ClientId') AS id FROM 'data' WHERE get_user_properties('test') = ['north']",
        "awsIotSqlVersion": "2016-03-23",
        "actions": [{"republish": {"roleArn": role, "topic": "north", "headers": {
            "userProperties": [{"key": "from", "value": "${get(get_user_properties('iot:ClientId'), 0)}"}]}}}],
    })


def main():
    prepare()
    five, four = Paho("five", mqtt.MQTTv5, READER_CERT, READER_KEY), Paho("four", mqtt.MQTTv311, READER_CERT, READER_KEY)
    north = Paho("north", mqtt.MQTTv5, READER_CERT, READER_KEY)
    five.subscribe("data"), four.subscribe("data"), north.subscribe("north")
    added = [("iot:ClientId", "lamp"), ("test", "north")]

    lamp = Paho("lamp", mqtt.MQTTv311, CERT, KEY)
    lamp.publish("data", '{"v":1}')
    same(("data", '{"v":1}', added), five.message(), "from MQTT 3.1.1 to 5")
    same(("data", '{"v":1}', []), four.message(), "from MQTT 3.1.1 to 3.1.1")
    same(("north", '{"v":1,"id":["lamp"]}', [("from", "lamp")]), north.message(), "by the rule")

    iot.update_thing(thingName="lamp", attributePayload={"attributes": {"A": "south"}})
    lamp.publish("data", '{"v":2}')
    same(("data", '{"v":2}', [("iot:ClientId", "lamp"), ("test", "south")]), five.message(), "after update_thing")
    configuration = {"propagatingAttributes": [{"userPropertyKey": "thing", "connectionAttribute": "iot:Thing.ThingName"}]}
    iot.update_thing_type(thingTypeName="LightBulb", thingTypeProperties={"mqtt5Configuration": configuration})
    lamp.publish("data", '{"v":3}')
    same(("data", '{"v":3}', [("thing", "lamp")]), five.message(), "after update_thing_type")
    lamp.leave()

    lamp = Paho("lamp", mqtt.MQTTv5, CERT, KEY)
    own = Properties(PacketTypes.PUBLISH)
    own.UserProperty, own.ContentType = [("thing", "mine"), ("b", "2")], "application/json"
    lamp.publish("data", '{"v":4}', properties=own)
    same(("data", '{"v":4}', [("thing", "mine"), ("b", "2"), ("thing", "lamp")]), five.message(), "beside properties of its own")
    lamp.leave()
    publish_with_the_sdk("data", '{"v":5}')
    same(("data", '{"v":5}', [("own", "1"), ("thing", "lamp")]), five.message(), "from awsiotsdk")
    for _ in range(4):
        same([], four.message()[2], "to MQTT 3.1.1")
    print("done")


if __name__ == "__main__":
    main()
