#!/usr/bin/env node
// Sends messages to a topic and receives them back, over MQTT 3.1.1.
//
// The program of the connection kit for Node.js. It connects with the device's
// certificate, subscribes to one topic and publishes to the same topic once a
// second; every message should come back. It needs the package
// aws-iot-device-sdk-v2.
'use strict';

const { parseArgs } = require('node:util');
const { iot, mqtt } = require('aws-iot-device-sdk-v2');

const KEEP_ALIVE_SECONDS = 30;
const MILLISECONDS_BETWEEN_MESSAGES = 1000;

const USAGE = `usage: index.js --endpoint HOST --cert FILE --key FILE [options]
  --endpoint HOST    host name of the server, without scheme or port
  --port NUMBER      port of the server (default 8883)
  --ca_file FILE     root certificate of the server, a PEM file
  --cert FILE        certificate of the device, a PEM file
  --key FILE         private key of the device, a PEM file
  --client_id ID     MQTT client ID (default: a new one)
  --topic TOPIC      topic to publish and subscribe to (default sdk/test/js)
  --message TEXT     text to send (default "Hello World! ")
  --count NUMBER     messages to send and receive (default 10); 0: no end`;

function parseFlags() {
  const text = (value) => ({ type: 'string', default: value });
  const { values } = parseArgs({
    options: {
      endpoint: text(), port: text('8883'), ca_file: text(), cert: text(), key: text(),
      client_id: text(`sdk-nodejs-${process.pid}-${Date.now()}`), topic: text('sdk/test/js'),
      message: text('Hello World! '), count: text('10'), help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  for (const needed of ['endpoint', 'cert', 'key']) {
    if (!values[needed]) throw new Error(`--${needed} is missing\n${USAGE}`);
  }
  return { ...values, port: Number(values.port), count: Number(values.count) };
}

function buildConnection(flags) {
  const builder = iot.AwsIotMqttConnectionConfigBuilder
    .new_mtls_builder_from_path(flags.cert, flags.key)
    .with_endpoint(flags.endpoint)
    .with_port(flags.port)
    .with_client_id(flags.client_id)
    .with_clean_session(false)
    .with_keep_alive_seconds(KEEP_ALIVE_SECONDS);
  if (flags.ca_file) builder.with_certificate_authority_from_path(undefined, flags.ca_file);
  const connection = new mqtt.MqttClient().new_connection(builder.build());
  connection.on('interrupt', (error) => console.log(`Connection interrupted. error: ${error}`));
  connection.on('resume', (code, present) => console.log(`Connection resumed. return_code: ${code} session_present: ${present}`));
  return connection;
}

// Inbox prints and counts what arrives, and says when it is enough.
class Inbox {
  constructor(expected) {
    this.count = 0;
    this.complete = new Promise((resolve) => {
      this.take = (topic, payload) => {
        console.log(`Received message from topic '${topic}': ${new TextDecoder().decode(payload)}`);
        this.count += 1;
        if (this.count === expected) resolve();
      };
    });
  }
}

// pause waits between two messages, but not on once somebody wants to stop.
function pause(stopped) {
  let timer;
  const passed = new Promise((resolve) => { timer = setTimeout(resolve, MILLISECONDS_BETWEEN_MESSAGES); });
  return Promise.race([passed, stopped]).finally(() => clearTimeout(timer));
}

async function publish(connection, flags, stop) {
  console.log(flags.count ? `Sending ${flags.count} message(s)` : 'Sending messages until program killed');
  for (let number = 1; (flags.count === 0 || number <= flags.count) && !stop.asked; number += 1) {
    const message = `${flags.message} [${number}]`;
    console.log(`Publishing message to topic '${flags.topic}': ${message}`);
    await connection.publish(flags.topic, JSON.stringify(message), mqtt.QoS.AtLeastOnce);
    await pause(stop.promise);
  }
}

// stopper ends the program at Ctrl+C and `kill`, after saying goodbye.
function stopper() {
  const stop = { asked: false };
  stop.promise = new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM']) {
      process.on(signal, () => { stop.asked = true; resolve(); });
    }
  });
  return stop;
}

async function main() {
  const flags = parseFlags();
  const stop = stopper();
  const connection = buildConnection(flags);
  console.log(`Connecting to ${flags.endpoint} with client ID '${flags.client_id}'...`);
  await connection.connect();
  console.log('Connected!');
  const inbox = new Inbox(flags.count);
  console.log(`Subscribing to topic '${flags.topic}'...`);
  const granted = await connection.subscribe(flags.topic, mqtt.QoS.AtLeastOnce, inbox.take);
  console.log(`Subscribed with QoS ${granted.qos}`);
  await publish(connection, flags, stop);
  await Promise.race([inbox.complete, stop.promise]);
  console.log(`${inbox.count} message(s) received.`);
  console.log('Disconnecting...');
  await connection.disconnect();
  console.log('Disconnected!');
  process.exitCode = stop.asked ? 130 : 0; // 130: what shells expect after Ctrl+C
}

main().catch((error) => {
  console.error(error.message ?? error);
  process.exit(1);
});
