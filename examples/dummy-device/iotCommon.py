"""The device's connection and its shadow, over AWSIoTPythonSDK (MQTT 3.1.1)."""
import glob
import json

from AWSIoTPythonSDK.exception.AWSIoTExceptions import connectTimeoutException
from AWSIoTPythonSDK.MQTTLib import AWSIoTMQTTShadowClient

KEEP_ALIVE_SECONDS = 300
CONNECT_SECONDS = 10
OPERATION_SECONDS = 5


def find_files(folder):
    """Gives the paths of root certificate, private key and certificate.

    The certificate keeps the name it was downloaded with, which begins with
    its ID, and is found by the end of it.
    """
    found = sorted(glob.glob(f"{folder}/*-certificate.pem.crt"))
    if not found:
        raise FileNotFoundError(f"no *-certificate.pem.crt in {folder}")
    return f"{folder}/root.pem", f"{folder}/private.pem", found[0]


class Shadow:
    """The classic shadow of one thing, and the connection it is reached by."""

    def __init__(self, thing, endpoint, port, root, key, certificate):
        self.client = AWSIoTMQTTShadowClient(thing)
        self.client.configureEndpoint(endpoint, port)
        self.client.configureCredentials(root, key, certificate)
        self.client.configureConnectDisconnectTimeout(CONNECT_SECONDS)
        self.client.configureMQTTOperationTimeout(OPERATION_SECONDS)
        try:
            self.client.connect(KEEP_ALIVE_SECONDS)
        except connectTimeoutException:
            # What a device without an active certificate or a policy sees:
            # the server closes and says nothing.
            print("Connect timed out")
            print("class shadow Error")
            raise
        self.handler = self.client.createShadowHandlerWithName(thing, True)

    def on_desired(self, obey):
        """Calls obey with what is desired and not yet reported, each time."""
        def on_delta(payload, _status, _token):
            obey(json.loads(payload)["state"])
        self.handler.shadowRegisterDeltaCallback(on_delta)

    def fetch(self, use):
        """Calls use with the shadow's delta: {} when there is none."""
        def on_answer(payload, status, _token):
            known = json.loads(payload) if status == "accepted" else {}
            use(known.get("state", {}).get("delta", {}))
        self.handler.shadowGet(on_answer, OPERATION_SECONDS)

    def report(self, state):
        payload = json.dumps({"state": {"reported": state}})
        print(f"send back state payload:{payload}", flush=True)
        self.handler.shadowUpdate(payload, None, OPERATION_SECONDS)

    def publish(self, topic, message):
        self.client.getMQTTConnection().publish(topic, json.dumps(message), 0)

    def close(self):
        self.client.disconnect()
