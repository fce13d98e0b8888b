#!/usr/bin/env bash
# Connects {{.Thing}} to {{.Endpoint}} and runs the publish/subscribe sample.
# Everything it needs but the Node package aws-iot-device-sdk-v2 is in this kit.
set -e

if ! node --version >/dev/null 2>&1; then
  printf "\nERROR: node must be installed.\n"
  exit 1
fi

if [ ! -f ./root-CA.crt ]; then
  printf "\nERROR: root-CA.crt is missing; unpack the kit again.\n"
  exit 1
fi

if [ ! -f ./aws-iot-device-sdk-js-v2/samples/node/pub_sub/index.js ]; then
  printf "\nERROR: the sample is missing; unpack the kit again.\n"
  exit 1
fi

if ! node -e "require('aws-iot-device-sdk-v2')" >/dev/null 2>&1; then
  printf "\nInstalling AWS SDK...\n"
  if ! npm install --no-save aws-iot-device-sdk-v2; then
    printf "\nERROR: Failed to install SDK.\n"
    exit 1
  fi
fi

printf "\nRunning pub/sub sample application...\n"
exec node aws-iot-device-sdk-js-v2/samples/node/pub_sub/index.js --endpoint {{.Endpoint}}{{if ne .Port 8883}} --port {{.Port}}{{end}} --ca_file root-CA.crt --cert {{.Thing}}.cert.pem --key {{.Thing}}.private.key --client_id sdk-nodejs-{{.Thing}} --topic sdk/test/js --count 0
