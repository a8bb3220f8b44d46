/** A chat on the test kit's server in memory, for specs: lines go in, text comes out. */
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { MockServer } from '#client/testing';
import type { ChatOptions } from './options.js';
import { talkOn } from './run-chat.js';

const OPTIONS: ChatOptions = {
  url: 'http://mock',
  user: 'alice',
  password: undefined,
  token: undefined,
  room: undefined,
  json: false,
  color: false,
  dumb: false,
  waitMs: 20_000,
};

export interface Talk {
  /** A line, as if it were typed. */
  type(line: string): void;
  /** What has been written so far. */
  readonly shown: string;
  /** The end of the input; gives the exit code and everything that was written. */
  end(): Promise<{ readonly code: number; readonly out: string[]; readonly errors: string }>;
}

/** A server with alice (`user1`), bob (`user2`) and some rooms; she is in the tea room. */
export function teaServer(): MockServer {
  const server = new MockServer({ user: 'user1', names: { user1: 'alice', user2: 'bob', user3: 'charlie' } });
  server.room('tea', { name: 'Tea room', members: ['user2'], messages: [{ sender: 'user2', content: 'Tea?' }] });
  server.room('General', { joined: false, members: ['user2'] });
  return server;
}

export function talk(server: MockServer, options: Partial<ChatOptions> = {}): Talk {
  const [stdin, stdout, stderr] = [new PassThrough(), new PassThrough(), new PassThrough()];
  let shown = '';
  stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
  const errors = text(stderr);
  const client = server.client();
  const code = talkOn(client, { ...OPTIONS, ...options }, { stdin, stdout, stderr }).finally(() => {
    client.close();
    stderr.end();
  });
  return {
    type: (line) => void stdin.write(`${line}\n`),
    get shown() {
      return shown;
    },
    async end() {
      stdin.end();
      return { code: await code, errors: await errors, out: shown.split('\n').slice(0, -1) };
    },
  };
}
