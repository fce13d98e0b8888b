// aws-iot-device-sdk-v2 for Node, its MQTT 5 client with a device certificate.
// The builder offers ALPN x-amzn-mqtt-ca on whatever port.
'use strict';

const {once} = require('node:events');
const {iot, mqtt5} = require('aws-iot-device-sdk-v2');
const flags = require('./flags.cjs').parse();

function build() {
  const config = iot.AwsIotMqtt5ClientConfigBuilder
    .newDirectMqttBuilderWithMtlsFromPath(flags.endpoint, flags.cert, flags.key)
    .withCertificateAuthorityFromPath(undefined, flags.ca_file)
    .withPort(flags.port)
    .withConnectProperties({clientId: flags.client_id, keepAliveIntervalSeconds: 1200})
    .build();
  return new mqtt5.Mqtt5Client(config);
}

async function main() {
  const client = build();
  client.on('connectionFailure', (event) => {
    console.error('connection failed:', String(event.error), event.connack && event.connack.reasonCode);
    process.exit(1);
  });
  const connected = once(client, 'connectionSuccess');
  const arrived = once(client, 'messageReceived');
  const stopped = once(client, 'stopped');

  client.start();
  const [success] = await connected;
  console.log('connected', success.connack.reasonCode);
  const suback = await client.subscribe({subscriptions: [{topicFilter: flags.topic, qos: mqtt5.QoS.AtLeastOnce}]});
  console.log('suback', ...suback.reasonCodes);
  const puback = await client.publish({topicName: flags.topic, payload: flags.message, qos: mqtt5.QoS.AtLeastOnce});
  console.log('puback', puback.reasonCode);
  const [{message}] = await arrived;
  console.log('received', message.topicName, new TextDecoder().decode(message.payload));
  client.stop();
  await stopped;
  console.log('stopped');
  client.close();
}

// The SDK keeps the process for eight idle seconds after close.
main().then(() => process.exit(0)).catch((err) => { console.error(err); process.exit(1); });
