/**
 * What an application may rely on, whether the client talks to a platform or to the test kit's server in memory: the same
 * suite runs against both.
 */
import { expect, test } from '@jest/globals';
import type { ChatClient } from './chat-client.js';
import { RefusedError } from './errors.js';
import type { Message } from './state.js';

/** A world with a room that the client's user is in, with some history. */
export interface World {
  readonly user: string;
  readonly room: string;
  /** What was said before anybody connected. */
  readonly history: readonly string[];
  client(): ChatClient;
  /** Somebody else says something in the room. */
  say(content: string): Promise<void>;
  /** Cuts the client's connections, as a network does. */
  cut(): void;
  /** While away no connection succeeds. */
  away(isAway: boolean): void;
}

const DEADLINE_MS = 20_000;

export async function until(what: string, holds: () => boolean): Promise<void> {
  const giveUpAt = Date.now() + DEADLINE_MS;
  while (!holds()) {
    if (Date.now() > giveUpAt) throw new Error(`${what}: not within ${DEADLINE_MS} ms`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

export const shown = (client: ChatClient, room: string): string[] =>
  client.state.rooms.get(room)?.messages.map(({ content }) => content) ?? [];

export function clientContract(world: () => World): void {
  const clients: ChatClient[] = [];
  const connected = async (): Promise<ChatClient> => {
    const client = world().client();
    clients.push(client);
    await client.connect();
    return client;
  };
  const unique = (text: string): string => `${text} ${process.hrtime.bigint()}`;

  test('connects, knows its user and rooms, and loads history', async () => {
    const client = await connected();
    expect(client.connectionState).toBe('live');
    expect(client.state.user).toBe(world().user);
    expect(client.state.rooms.get(world().room)).toMatchObject({ joined: true });
    await client.load(world().room);
    expect(shown(client, world().room)).toEqual(expect.arrayContaining([...world().history]));
    client.close();
  });

  test('a message that is sent has its place, and is shown once', async () => {
    const client = await connected();
    const content = unique('hello');
    const ack = await client.send(world().room, content);
    expect(ack).toMatchObject({ messageId: expect.stringMatching(/^msg_\d+$/), room: world().room, duplicate: false });
    await until('it is shown', () => shown(client, world().room).includes(content));
    expect(shown(client, world().room).filter((text) => text === content)).toHaveLength(1);
    expect(client.pending).toEqual([]);
    client.close();
  });

  test("others' messages come live, by callback and by iterator, in order", async () => {
    const client = await connected();
    const texts = [unique('one'), unique('two'), unique('three')];
    const called: string[] = [];
    client.messages.on(({ content }) => called.push(content));
    const stop = new AbortController();
    const iterated: Message[] = [];
    const reading = (async () => {
      for await (const message of client.messages.iterate(stop.signal)) iterated.push(message);
    })();
    for (const text of texts) await world().say(text);
    await until('all have come', () => called.length >= 3 && iterated.length >= 3);
    stop.abort();
    await reading;
    expect(called).toEqual(texts);
    expect(iterated.map(({ content }) => content)).toEqual(texts);
    client.close();
  });

  test('what is sent while there is no connection arrives once, in order', async () => {
    const client = await connected();
    world().away(true);
    world().cut();
    await until('the connection is lost', () => client.connectionState !== 'live');
    const texts = [unique('a'), unique('b'), unique('c')];
    const acks = texts.map((text) => client.send(world().room, text));
    expect(client.pending.map(({ content }) => content)).toEqual(texts);
    world().away(false);
    const seqs = (await Promise.all(acks)).map(({ seq }) => seq ?? 0);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(new Set(seqs).size).toBe(3);
    await client.load(world().room);
    expect(shown(client, world().room).filter((text) => texts.includes(text))).toEqual(texts);
    client.close();
  });

  test('what others said meanwhile comes after the reconnect, once', async () => {
    const client = await connected();
    const called: string[] = [];
    client.messages.on(({ content }) => called.push(content));
    world().away(true);
    world().cut();
    await until('the connection is lost', () => client.connectionState !== 'live');
    const missed = [unique('missed'), unique('missed too')];
    for (const text of missed) await world().say(text);
    world().away(false);
    await until('it is back with all of it', () => client.connectionState === 'live' && called.length >= 2);
    const live = unique('live again');
    await world().say(live);
    await until('live goes on', () => called.includes(live));
    expect(called).toEqual([...missed, live]);
    client.close();
  });

  test('another client goes on from a cursor', async () => {
    const first = await connected();
    const cursor = first.cursor;
    first.close();
    const missed = unique('between two clients');
    await world().say(missed);
    const second = world().client();
    const called: string[] = [];
    second.messages.on(({ content }) => called.push(content));
    await second.connect(cursor);
    await until('it has come', () => called.includes(missed));
    second.close();
  });

  test('a refusal is an error with its code, and the connection lives', async () => {
    const client = await connected();
    const refusal = await client.send('no-such-room', 'x').catch((error: unknown) => error);
    expect(refusal).toBeInstanceOf(RefusedError);
    expect(refusal).toMatchObject({ code: 'room_not_found', temporary: false, message: 'room not found' });
    expect(client.connectionState).toBe('live');
    client.close();
  });

  test('a closed client rejects what was not answered, and takes nothing more', async () => {
    const client = await connected();
    world().away(true);
    world().cut();
    await until('the connection is lost', () => client.connectionState !== 'live');
    const waiting = client.send(world().room, unique('never'));
    client.close();
    await expect(waiting).rejects.toThrow('closed by the application');
    await expect(client.send(world().room, 'x')).rejects.toThrow('the client is closed');
    world().away(false);
  });
}
