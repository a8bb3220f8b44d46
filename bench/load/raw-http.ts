/** An HTTP client with nothing in it: one connection, one request at a time, answers with a Content-Length. */
import { connect, type Socket } from 'node:net';

export interface RawHttp {
  /** @returns ms from the request to the last byte of its answer @throws Error for another status, or a lost connection */
  timed(method: Method, path: string, status: number, body?: string): Promise<number>;
  /** Whatever the status is. @throws Error for a lost connection */
  ask(method: Method, path: string, body?: string): Promise<HttpAnswer>;
  stop(): void;
}

type Method = 'GET' | 'POST' | 'PUT';

export interface HttpAnswer {
  readonly status: number;
  readonly head: string;
  text(): string;
  /** From the request to the last byte of the answer. */
  readonly tookMs: number;
}

interface Waiting {
  readonly name: string;
  readonly startMs: number;
  readonly resolve: (answer: HttpAnswer) => void;
  readonly reject: (error: Error) => void;
}

const REQUEST_TIMEOUT = 408;
const HEAD_END = '\r\n\r\n';
const LENGTH = /\r\ncontent-length: (\d+)\r\n/i;

export async function rawHttp(url: string, token: string): Promise<RawHttp> {
  const { hostname, port, host } = new URL(url);
  const always = `Host: ${host}\r\nAuthorization: Bearer ${token}\r\n`;
  let waiting: Waiting | undefined;
  let received: Buffer = Buffer.alloc(0);
  const fail = (why: string): void => {
    waiting?.reject(new Error(`${waiting.name}: ${why}`));
    waiting = undefined;
  };
  const open = (): Promise<Socket> =>
    new Promise((resolve, reject) => {
      const opened = connect({ host: hostname, port: Number(port), noDelay: true }, () => resolve(opened));
      opened.once('error', reject);
      opened.on('error', (error) => opened === socket && fail(String(error)));
      opened.on('close', () => opened === socket && fail('the connection ended'));
      opened.on('data', take);
    });
  const take = (chunk: Buffer): void => {
    // A server says 408 of its own accord, before it ends a connection that was silent for long.
    if (waiting === undefined) return;
    received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
    const answer = wholeAnswer(received);
    if (answer === undefined) return;
    received = Buffer.alloc(0);
    const { startMs, resolve } = waiting;
    waiting = undefined;
    resolve({ ...answer, tookMs: performance.now() - startMs });
  };
  let socket = await open();
  const ask = async (method: Method, path: string, body?: string): Promise<HttpAnswer> => {
    // A server ends a connection that is silent for long; what was not asked by it can be asked by another.
    if (socket.closed || socket.readableEnded) socket = await open();
    return new Promise((resolve, reject) => {
      if (waiting !== undefined) return reject(new Error('one request at a time'));
      const name = `${method} ${path}`;
      waiting = { name, startMs: performance.now(), resolve, reject };
      const content =
        body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
      socket.write(`${name} HTTP/1.1\r\n${always}${content}\r\n${body ?? ''}`);
    });
  };
  return {
    ask,
    timed: async (method, path, status, body) => {
      let answer = await ask(method, path, body);
      // It met the end of a connection that was silent for long: nothing of it was read.
      if (answer.status === REQUEST_TIMEOUT) {
        const ended = socket;
        socket = await open();
        ended.destroy();
        answer = await ask(method, path, body);
      }
      if (answer.status === status) return answer.tookMs;
      throw new Error(`${answer.status} instead of ${status}: ${answer.text()} (${method} ${path})`);
    },
    stop: () => socket.destroy(),
  };
}

function wholeAnswer(bytes: Buffer): Omit<HttpAnswer, 'tookMs'> | undefined {
  const end = bytes.indexOf(HEAD_END);
  if (end < 0) return undefined;
  const head = bytes.toString('latin1', 0, end + 2);
  const length = LENGTH.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer without a length:\n${head}`);
  const from = end + HEAD_END.length;
  if (bytes.length < from + Number(length)) return undefined;
  return { status: Number(head.slice(9, 12)), head, text: () => bytes.toString('utf8', from) };
}
