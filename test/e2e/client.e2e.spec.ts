/** The SDK's contract suite against a running platform; the same suite runs against its test kit. */
import { beforeAll, describe, expect, test } from '@jest/globals';
import WebSocket from 'ws';
import { ChatClient, type SocketConstructor } from '#client';
import { clientContract, until, type World } from '#client/contract';
import { checkClientFrame, checkedFetch, checkFrame } from '../described.js';
import { textAt } from '../http.js';
import { type Person, worldOf } from './world.js';

const world = worldOf({ RATE_LIMITS: 'off' });
const HISTORY = ['before anybody came', 'and once more'];

describe('the client on a platform', () => {
  let ann: Person;
  let bob: Person;
  let isAway = false;
  const open = new Set<WebSocket>();

  /** A network that a test can cut and take away. */
  class Cuttable extends WebSocket {
    constructor(url: string, protocols: string[]) {
      super(isAway ? 'ws://127.0.0.1:1/' : url, protocols);
      open.add(this);
      this.on('close', () => open.delete(this));
      this.on('message', (data) => checkFrame(JSON.parse(String(data)) as { op: string }));
    }

    override send(data: string): void {
      checkClientFrame(JSON.parse(data) as { op: string });
      super.send(data);
    }
  }

  beforeAll(async () => {
    [ann, bob] = [world.person('ann'), world.person('bob')];
    const made = await ann.http.post('/api/rooms', { id: 'sdk', name: 'Clients' });
    await bob.http.post('/api/rooms/sdk/join', {});
    expect(made.status).toBe(202);
    for (const content of HISTORY) await bob.http.post('/api/rooms/sdk/messages', { content });
  });

  clientContract((): World => ({
    user: ann.id,
    room: 'sdk',
    history: HISTORY,
    client: () => clientOf(ann),
    say: async (content) => {
      expect((await bob.http.post('/api/rooms/sdk/messages', { content })).status).toBe(202);
    },
    cut: () => open.forEach((socket) => socket.terminate()),
    away: (away) => {
      isAway = away;
    },
  }));

  function clientOf({ token }: Person): ChatClient {
    const socket: SocketConstructor = Cuttable;
    return new ChatClient({ url: world.platform.url, token, WebSocket: socket, fetch: checkedFetch });
  }

  test('two clients share a channel, see each other type, and watch each other', async () => {
    const [first, second] = [clientOf(ann), clientOf(bob)];
    const heard: string[] = [];
    const typists: string[] = [];
    const online = new Map<string, boolean>();
    second.messages.on(({ content }) => heard.push(content));
    second.typing.on(({ users }) => typists.push(...users));
    second.presence.on((presence) => online.set(presence.user, presence.online));
    await Promise.all([first.connect(), second.connect()]);
    const { room } = await first.send([ann.id, bob.id], 'only we two');
    await until('bob has it', () => heard.includes('only we two'));
    await until('ann has the channel', () => first.state.rooms.has(room ?? ''));
    const both = [ann.id, bob.id].sort();
    const isKnown = (): boolean => second.state.rooms.get(room ?? '')?.participants.join() === both.join();
    await until('bob knows whose channel it is', isKnown);
    first.userTyped('sdk');
    await until('bob sees her type', () => typists.includes(ann.id));
    second.watch([ann.id]);
    await until('bob sees her online', () => online.get(ann.id) === true);
    first.close();
    await until('bob sees her go', () => online.get(ann.id) === false);
    second.close();
  });

  test('a mark that one device moves is shown on the other, and counts in the inbox', async () => {
    const [phone, laptop] = [clientOf(ann), clientOf(ann)];
    const marks: string[] = [];
    laptop.marks.on(({ messageId }) => marks.push(messageId));
    await Promise.all([phone.connect(), laptop.connect()]);
    const sent = await bob.http.post('/api/rooms/sdk/messages', { content: 'read me' });
    const messageId = textAt(sent.json, 'id');
    await phone.markRead('sdk', messageId);
    await until('the laptop knows', () => marks.includes(messageId));
    const inbox = await laptop.http.inbox({ position: textAt(sent.json, 'position') });
    expect(inbox.items.find(({ room }) => room.id === 'sdk')).toMatchObject({ unread: 0 });
    phone.close();
    laptop.close();
  });

  test('a room is made, joined and left through the client', async () => {
    const [maker, guest] = [clientOf(ann), clientOf(bob)];
    await Promise.all([maker.connect(), guest.connect()]);
    const { id } = await maker.createRoom({ name: 'Made by a client' });
    await until('the maker is in it', () => maker.state.rooms.get(id)?.joined === true);
    expect(await guest.join(id)).toMatchObject({ room: id, changed: true });
    await until('the guest is in it', () => guest.state.rooms.get(id)?.joined === true);
    await until('the maker sees the guest', () => maker.state.rooms.get(id)?.members.has(bob.id) === true);
    await guest.leave(id);
    await until('the guest is out', () => guest.state.rooms.get(id)?.joined === false);
    await expect(guest.send(id, 'still here?')).rejects.toMatchObject({ code: 'not_member' });
    maker.close();
    guest.close();
  });
});
