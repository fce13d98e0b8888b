// A presigned URL for MQTT over WebSocket, made as web pages make theirs: only the
// host is signed, and a session token is appended after signing.
'use strict';

const {createHash, createHmac} = require('node:crypto');

const sha256 = (text) => createHash('sha256').update(text).digest('hex');
const hmac = (key, text) => createHmac('sha256', key).update(text).digest();

exports.presign = ({host, region, accessKeyId, secretAccessKey, sessionToken}) => {
  const time = new Date().toISOString().replace(/[-:]|\.\d+/g, '');
  const scope = `${time.slice(0, 8)}/${region}/iotdevicegateway/aws4_request`;
  const query = [
    'X-Amz-Algorithm=AWS4-HMAC-SHA256', `X-Amz-Credential=${encodeURIComponent(`${accessKeyId}/${scope}`)}`,
    `X-Amz-Date=${time}`, 'X-Amz-SignedHeaders=host',
  ].join('&');
  const request = ['GET', '/mqtt', query, `host:${host}\n`, 'host', sha256('')].join('\n');
  const text = ['AWS4-HMAC-SHA256', time, scope, sha256(request)].join('\n');
  const signature = hmac(scope.split('/').reduce(hmac, `AWS4${secretAccessKey}`), text).toString('hex');
  const token = sessionToken ? `&X-Amz-Security-Token=${encodeURIComponent(sessionToken)}` : '';
  return `wss://${host}/mqtt?${query}&X-Amz-Signature=${signature}${token}`;
};
