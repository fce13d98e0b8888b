// aws-iot-device-sdk-v2 for Node, its MQTT 3.1.1 client with a device
// certificate. The builder offers ALPN x-amzn-mqtt-ca on whatever port.
'use strict';

const {iot, mqtt} = require('aws-iot-device-sdk-v2');
const flags = require('./flags.cjs').parse();

async function main() {
  const config = iot.AwsIotMqttConnectionConfigBuilder
    .new_mtls_builder_from_path(flags.cert, flags.key)
    .with_certificate_authority_from_path(undefined, flags.ca_file)
    .with_endpoint(flags.endpoint)
    .with_port(flags.port)
    .with_client_id(flags.client_id)
    .with_clean_session(false)
    .build();
  const connection = new mqtt.MqttClient().new_connection(config);

  console.log('connected, session present:', await connection.connect());
  let arrive;
  const arrived = new Promise((resolve) => { arrive = resolve; });
  const granted = await connection.subscribe(flags.topic, mqtt.QoS.AtLeastOnce, (topic, payload) => {
    console.log('received', topic, new TextDecoder().decode(payload));
    arrive();
  });
  console.log('subscribed qos', granted.qos);
  await connection.publish(flags.topic, flags.message, mqtt.QoS.AtLeastOnce);
  console.log('published');
  await arrived;
  await connection.disconnect();
  console.log('disconnected');
}

main().catch((err) => { console.error(err); process.exit(1); });
