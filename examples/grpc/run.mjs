/**
 * Runs gRPC scenarios in the `.gctf` form (https://github.com/gripmock/grpctestify) against a running platform:
 *   node examples/grpc/run.mjs [--address 127.0.0.1:50053] [file or folder ...]
 *
 * A file is one call. Its sections are taken in order: REQUEST is sent; RESPONSE is compared with the next message that comes
 * ("*" fits everything; `partial` allows more fields than are named); ASSERTS are checked on the message of a
 * `RESPONSE with_asserts` before them, else on the next one; ERROR is compared with the status. Of the form's other sections
 * REQUEST_HEADERS and OPTIONS (`timeout`, in seconds) are known. Exits with 1 when something does not fit.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { check, fits, readScenario } from './scenario.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const proto = join(here, '..', '..', 'libs', 'contract', 'chat.proto');
const loaded = loadSync(proto, { keepCase: true, longs: Number, defaults: true, arrays: true, objects: true });
const TIMEOUT_S = 10;

const { address, paths } = readArguments(process.argv.slice(2));
const client = new Client(address, credentials.createInsecure());
let failed = 0;
for (const file of paths.flatMap(filesIn)) {
  try {
    await run(readScenario(readFileSync(file, 'utf8')));
    console.log(`ok    ${file}`);
  } catch (error) {
    failed += 1;
    console.log(`FAIL  ${file}\n      ${error.message}`);
  }
}
client.close();
process.exit(failed === 0 ? 0 : 1);

async function run({ endpoint, headers, options, steps }) {
  const call = open(endpoint, headers, Number(options.timeout ?? TIMEOUT_S));
  let last;
  for (const { section, flags, value, line } of steps) {
    const where = `line ${line}: ${section}`;
    if (section === 'REQUEST') call.send(value);
    if (section === 'RESPONSE') {
      last = await call.next(where);
      const problem = fits(value, last, flags.has('partial'));
      if (problem !== undefined) throw new Error(`${where}: ${problem}`);
      if (!flags.has('with_asserts')) last = undefined;
    }
    if (section === 'ASSERTS') {
      const message = last ?? (await call.next(where));
      last = undefined;
      for (const assertion of value) check(assertion, message, where);
    }
    if (section === 'ERROR') {
      const { code, details } = await call.ended(where);
      const problem = fits(value, { code, message: details }, true);
      if (problem !== undefined) throw new Error(`${where}: ${problem}`);
    }
  }
  if (steps.some(({ section }) => section === 'ERROR')) return;
  call.end();
  const { code, details } = await call.ended('the end');
  if (code !== 0) throw new Error(`the call ended with ${code} ${details}`);
  if (call.waiting > 0) throw new Error(`${call.waiting} more messages came than the scenario expects`);
}

/** One call of whatever kind: messages go in, messages come out, a status ends it. */
function open(endpoint, headers, timeoutS) {
  const [service, name] = endpoint.split('/');
  const method = loaded[service]?.[name];
  if (method === undefined) throw new Error(`there is no ${endpoint}`);
  const metadata = new Metadata();
  for (const [key, value] of Object.entries(headers)) metadata.set(key, value);
  const rest = [metadata, { deadline: Date.now() + timeoutS * 1000 }];
  const { path, requestSerialize, responseDeserialize, requestStream, responseStream } = method;
  const shape = [path, requestSerialize, responseDeserialize];
  const messages = [];
  let wake = () => undefined;
  let status;
  let call;
  const took = (error, value) => {
    if (value !== undefined && value !== null) messages.push(value);
    wake();
  };
  const listen = (begun) => {
    call = begun;
    if (responseStream) call.on('data', (value) => took(null, value));
    call.on('error', () => undefined); // its status says the same
    call.on('status', (ended) => {
      status = ended;
      wake();
    });
  };
  if (requestStream)
    listen(
      responseStream
        ? client.makeBidiStreamRequest(...shape, ...rest)
        : client.makeClientStreamRequest(...shape, ...rest, took),
    );
  const until = async (condition, where) => {
    while (!condition()) {
      if (status !== undefined) throw new Error(`${where}: the call has ended with ${status.code} ${status.details}`);
      await new Promise((resolve) => (wake = resolve));
    }
  };
  return {
    get waiting() {
      return messages.length;
    },
    send(message) {
      if (requestStream) call.write(message);
      else if (call !== undefined) throw new Error('this call takes one REQUEST');
      else if (responseStream) listen(client.makeServerStreamRequest(...shape, message, ...rest));
      else listen(client.makeUnaryRequest(...shape, message, ...rest, took));
    },
    async next(where) {
      await until(() => messages.length > 0, where);
      return messages.shift();
    },
    async ended(where) {
      await until(() => status !== undefined, where);
      return status;
    },
    end() {
      if (requestStream) call.end();
    },
  };
}

function filesIn(path) {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path)
    .filter((name) => name.endsWith('.gctf'))
    .sort()
    .map((name) => join(path, name));
}

function readArguments(given) {
  const at = given.indexOf('--address');
  const named = at < 0 ? [] : given.splice(at, 2);
  return { address: named[1] ?? '127.0.0.1:50053', paths: given.length > 0 ? given : [here] };
}
