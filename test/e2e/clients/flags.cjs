// The flags of the Node programs here: --name value, every one of them wanted.
'use strict';

const {parseArgs} = require('node:util');

const names = ['endpoint', 'port', 'ca_file', 'cert', 'key', 'client_id', 'topic', 'message'];

exports.parse = () => {
  const options = Object.fromEntries(names.map((name) => [name, {type: 'string'}]));
  const flags = parseArgs({options}).values;
  for (const name of names) {
    if (flags[name] === undefined) throw new Error(`--${name} is missing`);
  }
  return {...flags, port: Number(flags.port)};
};
