"""Provisions a device with awsiotsdk's identity client, over MQTT 5 or 3.1.1.

Behaves like the device: connects with the claim certificate, has a certificate
made (with a key from the server or for its own signing request), registers, and
connects again with what it got.
"""
import argparse
import json
from concurrent.futures import Future

from awscrt import mqtt5, mqtt_request_response
from awsiot import V2ServiceException, iotidentity, mqtt5_client_builder, mqtt_connection_builder

PATIENCE = 60


def connect(args, client_id, **credentials):
    """Connects; gives the client and what ends it."""
    return (connect5 if args.mqtt == "5" else connect3)(args, client_id, **credentials)


def connect3(args, client_id, how, **credentials):
    client = getattr(mqtt_connection_builder, how)(
        endpoint=args.endpoint, port=args.port, ca_filepath=args.ca_file, client_id=client_id, clean_session=True, **credentials)
    client.connect().result(PATIENCE)
    return client, lambda: client.disconnect().result(PATIENCE)


def connect5(args, client_id, how, **credentials):
    connected, stopped = Future(), Future()
    client = getattr(mqtt5_client_builder, how)(
        endpoint=args.endpoint, port=args.port, ca_filepath=args.ca_file,
        connect_options=mqtt5.ConnectPacket(client_id=client_id), **credentials,
        on_lifecycle_connection_success=lambda _: connected.done() or connected.set_result(True),
        on_lifecycle_connection_failure=lambda event: connected.done() or connected.set_exception(event.exception),
        on_lifecycle_stopped=lambda _: stopped.set_result(True))
    client.start()
    connected.result(PATIENCE)

    def stop():
        client.stop()
        stopped.result(PATIENCE)
    return client, stop


def main():
    parser = argparse.ArgumentParser()
    for name in ("endpoint", "ca_file", "cert", "key", "template", "serial"):
        parser.add_argument("--" + name, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mqtt", choices=("3", "5"), default="5")
    parser.add_argument("--csr")
    parser.add_argument("--csr_key")
    args = parser.parse_args()

    client, stop = connect(args, "claimant-" + args.serial, how="mtls_from_path", cert_filepath=args.cert, pri_key_filepath=args.key)
    identity = iotidentity.IotIdentityClientV2(client, mqtt_request_response.ClientOptions(
        max_request_response_subscriptions=2, max_streaming_subscriptions=0, operation_timeout_in_seconds=PATIENCE))
    if args.csr:
        with open(args.csr) as file:
            made = identity.create_certificate_from_csr(iotidentity.CreateCertificateFromCsrRequest(
                certificate_signing_request=file.read())).result(PATIENCE)
        with open(args.csr_key) as file:
            key = file.read()
    else:
        made = identity.create_keys_and_certificate(iotidentity.CreateKeysAndCertificateRequest()).result(PATIENCE)
        key = made.private_key
    print("certificate", len(made.certificate_id))

    def register(**parameters):
        return identity.register_thing(iotidentity.RegisterThingRequest(
            template_name=args.template, certificate_ownership_token=made.certificate_ownership_token, parameters=parameters)).result(PATIENCE)

    try:
        register()
    except V2ServiceException as refused:
        error = refused.modeled_error
        print("refused", error.status_code, error.error_code, error.error_message)
    done = register(SerialNumber=args.serial)
    print("thing", done.thing_name, json.dumps(done.device_configuration, sort_keys=True))
    stop()

    client, stop = connect(args, done.thing_name, how="mtls_from_bytes", cert_bytes=made.certificate_pem.encode(), pri_key_bytes=key.encode())
    print("connected as", done.thing_name)
    stop()


if __name__ == "__main__":
    main()
