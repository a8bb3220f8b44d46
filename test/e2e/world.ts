/** One running platform for the tests of a file, and the people in it. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect } from '@jest/globals';
import { waitUntil } from '#embedded';
import { type Http, textAt, type Answer } from '../http.js';
import { startStandalone, tokenFor, type Standalone } from '../platform.js';
import { connect, Socket, WAIT_MS, type Frame } from '../socket.js';

export interface World {
  readonly platform: Standalone;
  readonly http: Http;
  readonly socketUrl: string;
  /** A user that no other test has, signed in by a foreign token. */
  person(name: string): Person;
  /** A `parley.v1` socket of the user, welcomed and caught up; closed after the tests. */
  connect(person: Person, hello?: object): Promise<Socket>;
  /** A socket as a client opens it, not yet greeted. */
  open(options: ConstructorParameters<typeof Socket>[1], query?: string): Socket;
}

export interface Person {
  readonly id: string;
  readonly token: string;
  readonly http: Http;
}

/** Starts the standalone before the file's tests, and ends it after them. */
export function worldOf(env: Readonly<Record<string, string>> = {}): World {
  let platform: Standalone | undefined;
  const sockets: Socket[] = [];
  const running = (): Standalone => {
    if (!platform) throw new Error('the platform is not running yet');
    return platform;
  };
  beforeAll(async () => {
    platform = await startStandalone(env);
  }, 120_000);
  afterAll(async () => {
    sockets.forEach((socket) => socket.cut());
    await platform?.stop();
  }, 60_000);
  const keep = (socket: Socket): Socket => {
    sockets.push(socket);
    return socket;
  };
  return {
    get platform() {
      return running();
    },
    get http() {
      return running().http;
    },
    get socketUrl() {
      return running().sockets[0] ?? '';
    },
    person: (name) => {
      const id = `${name}-${randomBytes(4).toString('hex')}`;
      const token = tokenFor(id);
      return { id, token, http: running().http.as(token) };
    },
    connect: async ({ token }, hello) => keep(await connect(running().sockets[0] ?? '', token, hello)),
    open: (options, query = '') => keep(new Socket(`${running().sockets[0] ?? ''}${query}`, options)),
  };
}

/** A room of the owner's, with the others in it, that the views have. */
export async function roomWith(owner: Person, members: readonly Person[] = [], fields: object = {}): Promise<string> {
  const made = await owner.http.post('/api/rooms', { name: 'a room', ...fields });
  expect(made).toMatchObject({ status: 202, json: { duplicate: false } });
  const room = textAt(made.json, 'id');
  const shown = await owner.http.get(`/api/rooms/${room}?position=${textAt(made.json, 'position')}`);
  expect(shown).toMatchObject({ status: 200, json: { id: room } });
  for (const member of members) await joined(member, room);
  return room;
}

export async function joined({ http }: Person, room: string): Promise<Answer> {
  const answer = await http.post(`/api/rooms/${room}/join`, {});
  expect(answer).toMatchObject({ status: 202, json: { success: true } });
  return answer;
}

/** Sends over HTTP; gives the message's id and its position. */
export async function say({ http }: Person, room: string, content: string): Promise<{ id: string; position: string }> {
  const answer = await http.post(`/api/rooms/${room}/messages`, { content });
  expect(answer).toMatchObject({ status: 202, json: { duplicate: false } });
  return { id: textAt(answer.json, 'id'), position: textAt(answer.json, 'position') };
}

export const messageIn = (room: string, content: string) => (frame: Frame) =>
  frame.op === 'event' &&
  frame.type === 'message.sent' &&
  frame.room === room &&
  (frame.data as { content?: unknown }).content === content;

export const receives = (socket: Socket, room: string, content: string): Promise<Frame> =>
  socket.frame(`${JSON.stringify(content)} in ${room}`, messageIn(room, content));

export const contentsOf = (frames: readonly Frame[]): unknown[] =>
  frames.filter(({ type }) => type === 'message.sent').map(({ data }) => (data as { content?: unknown }).content);

/** Waits until the condition holds; for what comes about without an answer to wait for. */
export const eventually = (
  what: string,
  condition: () => boolean | Promise<boolean>,
  withinMs = WAIT_MS,
): Promise<true> => waitUntil(what, withinMs, condition) as Promise<true>;

/** A refusal of Parley's own API, as it came: a problem with a code. */
export function expectRefusal(answer: Answer, status: number, code: string): void {
  expect({ status: answer.status, type: answer.headers.get('content-type')?.split(';')[0], body: answer.json }).toEqual(
    {
      status,
      type: 'application/problem+json',
      body: expect.objectContaining({ status, code, detail: expect.any(String) }),
    },
  );
}
