#!/usr/bin/env python3
"""A device that measures nothing and says so: the DummyDevice of the hands-on.

It publishes made-up readings to data/<device name> and takes the seconds
between two of them, wait_time, from its shadow. Put root.pem, private.pem and
<id>-certificate.pem.crt into certs/ beside this program, then:

    pip3 install AWSIoTPythonSDK
    python3 deviceMain.py --device_name THING --endpoint HOST
"""
import argparse
import datetime
import queue
import random
import time

from iotCommon import Shadow, find_files

DEFAULT_WAIT_SECONDS = 5


def parse_flags():
    flags = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    flags.add_argument("--device_name", required=True, help="name of the thing; also the MQTT client ID")
    flags.add_argument("--endpoint", required=True, help="host name of the server")
    flags.add_argument("--port", type=int, default=8883, help="port of the server (default 8883)")
    return flags.parse_args()


def measure(device):
    return {
        "DEVICE_NAME": device,
        "TIMESTAMP": datetime.datetime.now().isoformat(timespec="seconds"),
        "TEMPERATURE": random.randint(15, 30),
        "HUMIDITY": random.randint(30, 60),
    }


class Device:
    """Publishes readings every wait_time seconds until it is interrupted."""

    def __init__(self, name, shadow):
        self.name, self.shadow = name, shadow
        self.wait_time = DEFAULT_WAIT_SECONDS
        # Callbacks come on a thread of the SDK that must not call the SDK
        # again; what they bring is worked off on the main thread.
        self.instructions = queue.Queue()

    def run(self):
        topic = f"data/{self.name}"
        print(f"topic: {topic}", flush=True)
        self.shadow.on_desired(self.instructions.put)
        self.shadow.fetch(self.instructions.put)
        while True:
            self.obey_until(time.monotonic() + self.wait_time)
            self.shadow.publish(topic, measure(self.name))

    def obey_until(self, deadline):
        """Follows instructions as they come, until it is time to measure."""
        while (left := deadline - time.monotonic()) > 0:
            try:
                self.obey(self.instructions.get(timeout=left))
            except queue.Empty:
                return

    def obey(self, desired):
        if desired:
            print(f"received instruction:{desired}", flush=True)
        wanted = desired.get("wait_time", self.wait_time)
        if isinstance(wanted, (int, float)) and wanted > 0:
            self.wait_time = wanted
        self.shadow.report({"wait_time": self.wait_time})


def main():
    flags = parse_flags()
    print("start >>>")
    root, key, certificate = find_files("./certs")
    print(f"device_name: {flags.device_name}")
    print(f"endpoint: {flags.endpoint}")
    print(f"rootca cert: {root}")
    print(f"private key: {key}")
    print(f"certificate: {certificate}")
    print("connect to AWS IoT >>>", flush=True)
    try:
        shadow = Shadow(flags.device_name, flags.endpoint, flags.port, root, key, certificate)
    except Exception:
        print("Error main()", flush=True)
        raise
    try:
        Device(flags.device_name, shadow).run()
    except KeyboardInterrupt:
        shadow.close()


if __name__ == "__main__":
    main()
