#!/usr/bin/env bash
# Connects {{.Thing}} to {{.Endpoint}} and runs the publish/subscribe sample.
# Everything it needs but the Python package awsiotsdk is in this kit.
set -e

if ! python3 --version >/dev/null 2>&1; then
  printf "\nERROR: python3 must be installed.\n"
  exit 1
fi

if [ ! -f ./root-CA.crt ]; then
  printf "\nERROR: root-CA.crt is missing; unpack the kit again.\n"
  exit 1
fi

if [ ! -f ./aws-iot-device-sdk-python-v2/samples/pubsub.py ]; then
  printf "\nERROR: the sample is missing; unpack the kit again.\n"
  exit 1
fi

if ! python3 -c "import awsiot" >/dev/null 2>&1; then
  printf "\nInstalling AWS SDK...\n"
  if ! python3 -m pip install awsiotsdk; then
    printf "\nERROR: Failed to install SDK.\n"
    exit 1
  fi
fi

printf "\nRunning pub/sub sample application...\n"
exec python3 aws-iot-device-sdk-python-v2/samples/pubsub.py --endpoint {{.Endpoint}}{{if ne .Port 8883}} --port {{.Port}}{{end}} --ca_file root-CA.crt --cert {{.Thing}}.cert.pem --key {{.Thing}}.private.key --client_id basicPubSub --topic sdk/test/python --count 0
