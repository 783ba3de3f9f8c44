// SPDX-License-Identifier: Apache-2.0
// A client on @grpc/grpc-js and @grpc/proto-loader: puts, lists, watches; prints a JSON line for each
// thing it saw. Usage: node client.js ADDRESS PROTO-FOLDER
'use strict';
const grpc = require('@grpc/grpc-js');
const loader = require('@grpc/proto-loader');

const [address, protos] = process.argv.slice(2);
const definition = loader.loadSync(
  ['watch/v1/object.proto', 'watch/v1/watch.proto', 'watch/v1/admin.proto'],
  { includeDirs: [protos], longs: String, enums: String, defaults: true, oneofs: true });
const { v1 } = grpc.loadPackageDefinition(definition).watch;
const credentials = grpc.credentials.createInsecure();
const objects = new v1.ObjectService(address, credentials);
const watches = new v1.WatchService(address, credentials);
const admin = new v1.AdminService(address, credentials);

const say = (what) => console.log(JSON.stringify(what));
const call = (client, method, request) => new Promise((resolve, reject) => {
  client[method](request, { deadline: Date.now() + 10000 },
    (error, answer) => (error ? reject(error) : resolve(answer)));
});

async function main() {
  const put = await call(objects, 'Put', {
    key: { name: 'from-node' }, json: '{"by":"grpc-js"}', scope: 'PUT_SCOPE_AUTO', returnObject: true });
  say({ put: put.result, rv: put.object.resourceVersion, spec: JSON.parse(put.object.json).spec });
  const list = await call(objects, 'List', { selection: { resource: 'objects' } });
  say({ list: list.objects.map((o) => o.name), rv: list.resourceVersion });
  say({ head: (await call(admin, 'Status', {})).head });
  try {
    await call(objects, 'Get', { key: { name: 'missing' } });
  } catch (error) {
    say({ error: grpc.status[error.code], details: error.metadata.get('grpc-status-details-bin').length });
  }

  const stream = watches.Subscribe({ selections: [{ resource: 'objects' }], fromSnapshot: {} });
  let headers = false;
  stream.on('metadata', () => { headers = true; });
  stream.on('data', async (message) => {
    if (message.signal === 'started') {
      say({ started: message.started.head, headers });
    } else if (message.signal === 'synced') {
      say({ synced: message.synced.resourceVersion });
      await call(objects, 'Patch', { key: { name: 'from-node' }, json: '{"spec":{"n":1}}' });
      await call(objects, 'Delete', { key: { name: 'from-node' } });
    }
    for (const event of message.events) {
      say({ event: event.type, name: event.object.name, rv: event.object.resourceVersion });
      if (event.type === 'EVENT_TYPE_DELETED') {
        await call(watches, 'Unsubscribe', { subscriptionId: subscription });
      }
    }
    if (message.signal === 'started') {
      subscription = message.started.subscriptionId;
    }
  });
  stream.on('error', (error) => {
    say({ end: grpc.status[error.code] });
    process.exit(0);
  });
}

let subscription = '';
main().catch((error) => { say({ failure: String(error) }); process.exit(1); });
