// mqtt.js over WebSocket, by a presigned URL with the credentials of the
// environment, as dashboards in a browser do.
'use strict';

const fs = require('node:fs');
const {parseArgs} = require('node:util');
const mqtt = require('mqtt');
const {presign} = require('./presign.cjs');

const names = ['endpoint', 'port', 'ca_file', 'client_id', 'topic', 'message', 'signing_region', 'version'];
const flags = parseArgs({options: Object.fromEntries(names.map((name) => [name, {type: 'string'}]))}).values;

async function main() {
  const url = presign({
    host: `${flags.endpoint}:${flags.port}`, region: flags.signing_region,
    accessKeyId: process.env.AWS_ACCESS_KEY_ID, secretAccessKey: process.env.AWS_SECRET_ACCESS_KEY,
    sessionToken: process.env.AWS_SESSION_TOKEN,
  });
  const client = await mqtt.connectAsync(url, {
    protocolVersion: Number(flags.version), clientId: flags.client_id, reconnectPeriod: 0,
    wsOptions: {ca: fs.readFileSync(flags.ca_file)},
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
