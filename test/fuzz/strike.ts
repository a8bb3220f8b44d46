/** Carries out one attack on a running platform, and says what is wrong with the answer. */
import { request } from 'node:http';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import { WebSocket } from 'ws';
import { CLOSE, isRefusalCode, REFUSALS, Subjects } from '#contract';
import { checkFrame } from '../described.js';
import { chatService } from '../grpc.js';
import { TOKEN_IN_HEADERS, type Attack } from './attacks.js';
import { strikeByToken } from './strike-token.js';
import { ANSWER_MS, type Target } from './target.js';

/** Closed by the protocol's library: a protocol error, bad UTF-8, too large. */
const CLOSED_BY_LIBRARY = new Set([1002, 1007, 1009]);
const CLOSED_BY_US: ReadonlySet<number> = new Set(Object.values(CLOSE));
/** gRPC has no code of ours for bytes that are no message. */
const UNREADABLE_MESSAGE = /deserializ|parse|index out of range|invalid wire type|illegal|max depth/i;
export const POISONED_ROOM = 'poisoned';

/** '' where the answer is as it has to be. */
export function strike(target: Target, attack: Attack): Promise<string> {
  switch (attack.by) {
    case 'socket':
      return overSocket(target, attack);
    case 'http':
      return overHttp(target, attack);
    case 'grpc':
      return overGrpc(target, attack);
    case 'token':
      return strikeByToken(target, attack);
    case 'log':
      return intoLog(target, attack);
  }
}

function overSocket({ socket, token }: Target, { hello, frames }: Extract<Attack, { by: 'socket' }>): Promise<string> {
  const connection = new WebSocket(socket, ['parley.v1'], { perMessageDeflate: false });
  const wrong: string[] = [];
  return new Promise((resolve) => {
    const deadline = setTimeout(() => end('no answer to a ping and no close'), ANSWER_MS);
    const end = (last: string): void => {
      clearTimeout(deadline);
      connection.terminate();
      resolve([...wrong, last].filter(Boolean).join('; '));
    };
    const send = (): void => {
      for (const { text, bytes } of frames) connection.send(bytes, { binary: !text });
      connection.send(JSON.stringify({ op: 'ping', cursor: 'the last one' }));
    };
    connection.on('open', () => {
      if (!hello) return send();
      connection.send(JSON.stringify({ op: 'hello', token }));
    });
    connection.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as { op: string; code?: unknown; message?: unknown };
      wrong.push(whatIsWrongWith(frame));
      if (frame.op === 'caught_up' && hello) send();
      if (frame.op === 'pong') end('');
    });
    connection.on('close', (code) =>
      end(CLOSED_BY_LIBRARY.has(code) || CLOSED_BY_US.has(code) ? '' : `closed with ${code}`),
    );
    connection.on('error', (error) => end(`the socket failed: ${error.message}`));
  });
}

function whatIsWrongWith(frame: { op: string; code?: unknown; message?: unknown }): string {
  checkFrame(frame);
  if (frame.op !== 'error') return '';
  if (!isRefusalCode(frame.code) || frame.code === 'internal') return `an error frame says ${JSON.stringify(frame)}`;
  return typeof frame.message === 'string' && frame.message !== '' ? '' : 'an error frame says nothing';
}

function overHttp(
  { http, token }: Target,
  { method, path, headers, body }: Extract<Attack, { by: 'http' }>,
): Promise<string> {
  const given = Object.entries(headers).map(([name, value]) => [name, value.replace(TOKEN_IN_HEADERS, token)]);
  const all = { authorization: `Bearer ${token}`, 'content-type': 'application/json', ...Object.fromEntries(given) };
  return new Promise((resolve) => {
    const { hostname, port } = new URL(http);
    const asked = request({
      hostname,
      port,
      method,
      path,
      headers: { ...all, ...(body.length > 0 ? { 'content-length': body.length } : {}) },
    });
    const deadline = setTimeout(() => asked.destroy(new Error('no answer')), ANSWER_MS);
    const end = (wrong: string): void => {
      clearTimeout(deadline);
      resolve(wrong);
      asked.destroy();
    };
    asked.on('error', (error) => end(error.message));
    asked.on('response', (answer) => {
      const { statusCode = 0 } = answer;
      const type = String(answer.headers['content-type']);
      // A feed has no end.
      if (type.startsWith('text/event-stream')) return end('');
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => end(whatIsWrongWithAnswer(statusCode, type, Buffer.concat(chunks).toString('utf8'))));
    });
    asked.end(body);
  });
}

function whatIsWrongWithAnswer(status: number, type: string, text: string): string {
  if (status < 400) return '';
  if (status >= 500 && status !== 503) return `${status}: ${text}`;
  if (!type.includes('json')) return text.trim() === '' ? `${status} and no words` : '';
  const { code, detail, status: said } = JSON.parse(text) as { code?: unknown; detail?: unknown; status?: unknown };
  if (!isRefusalCode(code) && !NO_ROUTE.has(code)) return `${status} with a code of no table: ${text}`;
  if (typeof detail !== 'string' || detail === '') return `${status} and no words: ${text}`;
  return said === status ? '' : `${status}, and the body says another: ${text}`;
}

/** What is said where there is no route, which is no refusal of a command. */
const NO_ROUTE: ReadonlySet<unknown> = new Set(['not_found', 'method_not_allowed']);

const GRPC_CODES: ReadonlySet<number> = new Set([0, 1, 12, ...Object.values(REFUSALS).map(({ grpc }) => grpc)]);

function overGrpc({ grpc, token }: Target, { method, bytes }: Extract<Attack, { by: 'grpc' }>): Promise<string> {
  const client = new Client(grpc, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${token}`);
  const { path } = chatService[method]!;
  return new Promise((resolve) => {
    let done = false;
    const end = (wrong: string): void => {
      if (done) return;
      done = true;
      client.close();
      resolve(wrong);
    };
    const judge = (error: ServiceError | null): void => {
      if (!error) return end('');
      if (error.code === 13 && UNREADABLE_MESSAGE.test(error.details)) return end('');
      if (GRPC_CODES.has(error.code) && error.code !== 13 && error.details !== '') return end('');
      end(`${method} ends with ${error.code} ${error.details}`);
    };
    const call = client.makeBidiStreamRequest(
      path,
      (raw: Buffer) => raw,
      (raw) => raw,
      metadata,
      {
        deadline: Date.now() + ANSWER_MS,
      },
    );
    call.on('error', (error: ServiceError) => judge(error));
    call.on('data', () => undefined);
    call.on('end', () => judge(null));
    call.write(bytes);
    call.end();
  });
}

async function intoLog(
  { nats, partitions }: Target,
  { subject, bytes }: Extract<Attack, { by: 'log' }>,
): Promise<string> {
  const room = new Subjects(partitions).room(POISONED_ROOM).replace(/\.>$/, '');
  await nats.request(`${room}.${subject}`, bytes, { timeout: ANSWER_MS });
  return '';
}
