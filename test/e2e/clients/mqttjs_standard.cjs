// mqtt.js in MQTT 5 against a server that follows the standard. Prints "ok NAME" for
// each step; the first that fails ends it.
'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const {once} = require('node:events');
const mqtt = require('mqtt');
const flags = require('./flags.cjs').parse();

const connect = async (clientId, more = {}) => {
  const client = mqtt.connect({
    protocol: 'mqtts', protocolVersion: 5, host: flags.endpoint, port: flags.port, clientId,
    ca: fs.readFileSync(flags.ca_file), cert: fs.readFileSync(flags.cert), key: fs.readFileSync(flags.key),
    reconnectPeriod: 0, ...more,
  });
  client.heard = [];
  client.on('message', (topic, payload, packet) => {
    client.heard.push({...packet, topic});
    client.emit('heard');
  });
  const [connack] = await once(client, 'connect');
  client.connack = connack;
  client.hears = async () => {
    while (client.heard.length === 0) await once(client, 'heard');
    return client.heard.shift();
  };
  return client;
};

const brief = (p) => `${p.topic} ${p.payload} ${p.qos}${p.retain ? ' retain' : ''}`;

const steps = {
  async everyQoS() {
    const [a, b] = [await connect('js-a'), await connect('js-b')];
    for (const qos of [0, 1, 2]) {
      const [granted] = await a.subscribeAsync(`js/${qos}`, {qos});
      assert.equal(granted.qos, qos);
      await b.publishAsync(`js/${qos}`, 'x', {qos: 2});
      assert.equal(brief(await a.hears()), `js/${qos} x ${qos}`);
    }
    await Promise.all([a.endAsync(), b.endAsync()]);
  },
  async overlappingIdentifiers() {
    const a = await connect('js-a');
    await a.subscribeAsync('ids/+', {qos: 1, properties: {subscriptionIdentifier: 7}});
    await a.subscribeAsync('ids/#', {qos: 2, properties: {subscriptionIdentifier: 8}});
    await a.publishAsync('ids/x', 'once', {qos: 2, properties: {userProperties: {k: ['v', 'w']}, messageExpiryInterval: 60}});
    const p = await a.hears();
    assert.equal(brief(p), 'ids/x once 2');
    assert.deepEqual([...p.properties.subscriptionIdentifier].sort(), [7, 8]);
    assert.deepEqual([...p.properties.userProperties.k], ['v', 'w']);
    assert(p.properties.messageExpiryInterval <= 60);
    await a.endAsync();
  },
  async aSessionGoesOn() {
    const expiring = {clean: false, properties: {sessionExpiryInterval: 600}};
    let a = await connect('js-session', expiring);
    assert.equal(a.connack.sessionPresent, false);
    await a.subscribeAsync('session/x', {qos: 2});
    await a.endAsync();
    const b = await connect('js-b');
    await b.publishAsync('session/x', 'waits', {qos: 2});
    a = await connect('js-session', expiring);
    assert.equal(a.connack.sessionPresent, true);
    assert.equal(brief(await a.hears()), 'session/x waits 2');
    await a.endAsync(false, {properties: {sessionExpiryInterval: 0}});
    a = await connect('js-session', expiring);
    assert.equal(a.connack.sessionPresent, false);
    await a.endAsync(false, {properties: {sessionExpiryInterval: 0}});
    await b.endAsync();
  },
  async aGivenNameCanBeUsedAgain() {
    const properties = {sessionExpiryInterval: 600};
    let a = await connect('', {properties});
    const name = a.connack.properties.assignedClientIdentifier;
    assert(name);
    await a.endAsync();
    a = await connect(name, {clean: false, properties});
    assert.equal(a.connack.sessionPresent, true);
    await a.endAsync(false, {properties: {sessionExpiryInterval: 0}});
  },
  async aliasesByThemselves() {
    const [a, b] = [await connect('js-a', {properties: {topicAliasMaximum: 1}}), await connect('js-b', {autoUseTopicAlias: true, autoAssignTopicAlias: true})];
    await a.subscribeAsync('alias/+', {qos: 1});
    for (const i of [1, 2, 1, 2]) await b.publishAsync(`alias/${i}`, 'x', {qos: 1});
    for (const i of [1, 2, 1, 2]) assert.equal(brief(await a.hears()), `alias/${i} x 1`);
    await Promise.all([a.endAsync(), b.endAsync()]);
  },
  async aLastWill() {
    const watch = await connect('js-watch');
    await watch.subscribeAsync('will/js', {qos: 2});
    const a = await connect('js-will', {will: {topic: 'will/js', payload: 'gone', qos: 2, retain: false}});
    await a.endAsync(false, {reasonCode: 4});
    assert.equal(brief(await watch.hears()), 'will/js gone 2');
    await watch.endAsync();
  },
};

async function main() {
  for (const [name, step] of Object.entries(steps)) {
    await step();
    console.log('ok', name);
  }
}

main().catch((err) => { console.error(err); process.exit(1); });
