// mqtt.js, which MQTTX and Node-RED are built on: MQTT 5 with a device
// certificate.
'use strict';

const fs = require('node:fs');
const mqtt = require('mqtt');
const flags = require('./flags.cjs').parse();

async function main() {
  const client = await mqtt.connectAsync({
    protocol: 'mqtts', protocolVersion: 5, host: flags.endpoint, port: flags.port, clientId: flags.client_id,
    ca: fs.readFileSync(flags.ca_file), cert: fs.readFileSync(flags.cert), key: fs.readFileSync(flags.key),
    reconnectPeriod: 0,
  }, false);
  console.log('connected');
  const arrived = new Promise((resolve) => client.once('message', (topic, payload) => {
    console.log('received', topic, payload.toString());
    resolve();
  }));
  const [granted] = await client.subscribeAsync(flags.topic, {qos: 1});
  console.log('subscribed qos', granted.qos);
  await client.publishAsync(flags.topic, flags.message, {qos: 1});
  await arrived;
  await client.endAsync();
  console.log('disconnected');
}

main().catch((err) => { console.error(err); process.exit(1); });
