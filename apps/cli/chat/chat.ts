/**
 * The chat: takes requests, one after the other, and says what comes of them and what else happens. It knows the client and
 * nothing of terminals.
 *
 * States: in no room, or in one (`conversation.current`). A message is *on its way* from the moment it is taken until its
 * acknowledgement; the client's outbox keeps it over lost connections, and `finish` waits for it.
 */
import { type Ack, type ChatClient, ClosedError, type Message, RefusedError } from '#client';
import { Conversation } from './conversation.js';
import type { Output, Say } from './output.js';
import { People } from './people.js';
import { type Asked, HELP, type Request } from './requests.js';
import { Rooms } from './rooms.js';

/** Messages on their way; the next one waits for one of them, so that a long script does not fill the outbox. */
const ON_THE_WAY_MAX = 200;
/** How long the feed may take to show a room after its join was acknowledged. */
const JOINED_WITHIN_MS = 10_000;
/** Members of whom each is asked for, so that `/who` is up to date. */
const ASKED_MEMBERS_MAX = 50;
/** Requests whose answer depends on what was said before. */
const ANSWERED_IN_TURN: ReadonlySet<Request['op']> = new Set(['list', 'join', 'messages', 'who', 'status', 'leave']);
const NO_ROOM = 'You must join a chatroom first with /join <room>';

export class Chat {
  /** Requests that were refused or failed. */
  failures = 0;
  readonly conversation: Conversation;
  private readonly say: Say;
  private over = false;
  private readonly people: People;
  private readonly rooms: Rooms;
  private readonly onTheWay = new Set<Promise<void>>();
  private link: 'new' | 'live' | 'lost' = 'new';

  constructor(
    private readonly client: ChatClient,
    say: Say,
    /** A script: each line is done before the next, however long it takes. */
    private readonly patient: boolean,
  ) {
    // What is still on its way when the end has been told of is nobody's any more.
    this.say = (output, request) => {
      if (!this.over) say(output, request);
    };
    this.people = new People(client.http);
    this.conversation = new Conversation(client, this.people, this.say);
    this.rooms = new Rooms(client, this.conversation, this.people);
    client.connection.on(({ state }) => {
      if (state === 'waiting' && this.link === 'live') this.connection('lost');
      if (state === 'live' && this.link === 'lost') this.connection('back');
      if (state === 'live') this.link = 'live';
    });
  }

  /** Signs in and connects. @throws RefusedError, ClosedError, or what `fetch` throws */
  async start(url: string): Promise<void> {
    const { id, username } = await this.client.http.me();
    this.people.learn([{ userId: id, username }]);
    await this.client.connect();
    this.say({ type: 'ready', user: id, name: username, url });
    const { items } = await this.client.http.inbox({ limit: 100 });
    for (const { room, unread } of items) {
      this.conversation.setUnread(room.id, unread);
      if (unread === 0) continue;
      const roomName = await this.conversation.title(room.id);
      this.say({ type: 'unread', room: room.id, roomName, count: unread });
    }
  }

  /** @returns false when it was asked to end */
  async perform({ request, id }: Asked): Promise<boolean> {
    try {
      if (ANSWERED_IN_TURN.has(request.op)) await this.saidBefore();
      return await this.done({ request, ...(id === undefined ? {} : { id }) });
    } catch (error) {
      if (error instanceof ClosedError) throw error;
      this.failed(error, id);
      return true;
    }
  }

  /** What was said before a question belongs before its answer. Without a connection nobody who types is kept waiting for that. */
  private async saidBefore(): Promise<void> {
    if (this.patient || this.client.connectionState === 'live') await Promise.all([...this.onTheWay]);
  }

  private async done({ request, id }: Asked): Promise<boolean> {
    switch (request.op) {
      case 'nothing':
        return true;
      case 'quit':
        return false;
      case 'help':
        return this.told({ type: 'help', text: HELP }, id);
      case 'wrong':
        return this.refused(request.code, request.text, id);
      case 'list':
        return this.told({ type: 'rooms', rooms: await this.rooms.list() }, id);
      case 'join':
        return this.join(request.room, id);
      case 'say':
        return this.sayIn(request.room, request.text, id);
      case 'dm':
        return this.direct(request.user, request.text, id);
      case 'status':
        await this.client.setStatus({ status: { message: request.text } });
        return this.told({ type: 'status', text: request.text }, id);
      case 'messages':
      case 'leave':
      case 'who':
        return this.inRoom(request.op, id);
    }
  }

  /**
   * Waits until everything that was said has been acknowledged.
   * @returns messages that have not been by then
   */
  async finish(waitMs: number): Promise<number> {
    const all = Promise.all([...this.onTheWay]).then(() => this.conversation.settled());
    let timer: NodeJS.Timeout | undefined;
    await Promise.race([all, new Promise((resolve) => (timer = setTimeout(resolve, waitMs)))]);
    clearTimeout(timer);
    const { length } = this.client.pending;
    this.say({ type: 'goodbye', unacknowledged: length });
    this.over = true;
    return length;
  }

  // --- requests

  private async join(wanted: string, request: string | number | undefined): Promise<boolean> {
    const found = await this.rooms.find(wanted);
    if ('problem' in found) return this.refused('ambiguous', found.problem, request);
    const { room } = found;
    const ack = found.joined ? undefined : await this.client.join(room);
    await this.shownIn(room);
    // Without a connection there is still what this client has.
    const views = await Promise.allSettled([
      this.client.http.members(room, ack?.position === undefined ? {} : { position: ack.position }),
      this.client.load(room),
    ]);
    const [members] = views;
    if (members.status === 'fulfilled') {
      this.people.learn(members.value);
      this.conversation.watch(members.value.map(({ userId }) => userId));
    }
    await this.conversation.enter(room, request);
    for (const view of views) if (view.status === 'rejected') this.failed(view.reason, request);
    return true;
  }

  /** The feed says what a room is, a moment after its join was acknowledged. */
  private async shownIn(room: string): Promise<void> {
    const isIn = (): boolean => this.client.state.rooms.get(room)?.joined === true;
    if (isIn()) return;
    await new Promise<void>((resolve, reject) => {
      const off = this.client.changes.on(() => isIn() && end(resolve));
      const late = (): void => end(() => reject(new Error(`${room} does not show up: try /join ${room} again`)));
      const timer = setTimeout(late, JOINED_WITHIN_MS);
      const end = (settle: () => void): void => {
        clearTimeout(timer);
        off();
        settle();
      };
    });
  }

  private async inRoom(op: 'messages' | 'leave' | 'who', request: string | number | undefined): Promise<boolean> {
    const room = this.conversation.current;
    if (room === undefined) return this.refused('no_room', NO_ROOM, request);
    if (op === 'leave') return this.leave(room, request);
    if (op === 'who') return this.who(room, request);
    await this.client.load(room);
    await this.conversation.inOrder(async () => {
      const [roomName, messages] = [await this.conversation.title(room), await this.conversation.latest(room)];
      this.say({ type: 'messages', room, roomName, messages }, request);
    });
    return true;
  }

  private async leave(room: string, request: string | number | undefined): Promise<boolean> {
    this.conversation.leaving.add(room);
    try {
      await this.client.leave(room);
      await this.conversation.inOrder(async () => {
        const roomName = await this.conversation.title(room);
        this.conversation.leave();
        this.say({ type: 'left', room, roomName, byOthers: false }, request);
      });
    } finally {
      this.conversation.leaving.delete(room);
    }
    return true;
  }

  private async who(room: string, request: string | number | undefined): Promise<boolean> {
    const found = await this.client.http.members(room);
    this.people.learn(found);
    const asked = found.length <= ASKED_MEMBERS_MAX;
    const members = await Promise.all(
      found.map(async ({ userId, username }) => {
        const heard = this.conversation.presence.get(userId);
        const shown = asked ? await this.client.http.user(userId).catch(() => heard) : heard;
        return { userId, name: username, online: shown?.online ?? false, status: shown?.status ?? {} };
      }),
    );
    return this.told({ type: 'members', room, roomName: await this.conversation.title(room), members }, request);
  }

  private async sayIn(room: string | undefined, text: string, request: string | number | undefined): Promise<boolean> {
    if (room === undefined && this.conversation.current === undefined) return this.refused('no_room', NO_ROOM, request);
    const found = room === undefined ? undefined : await this.rooms.find(room);
    if (found !== undefined && 'problem' in found) return this.refused('ambiguous', found.problem, request);
    await this.send(found?.room ?? this.conversation.current ?? '', text, request);
    return true;
  }

  private async direct(name: string, text: string, request: string | number | undefined): Promise<boolean> {
    const user = await this.rooms.user(name.replace(/^@/, ''));
    if (user === undefined) return this.refused('user_not_found', `user not found: ${name}`, request);
    await this.send([this.client.state.user, user], text, request, `@${await this.people.name(user)}`);
    return true;
  }

  /** Resolves as soon as the message is kept; what becomes of it is said later. */
  private async send(
    to: string | readonly string[],
    content: string,
    request: string | number | undefined,
    directTo?: string,
  ): Promise<void> {
    while (this.onTheWay.size >= ON_THE_WAY_MAX) await Promise.race(this.onTheWay);
    const sending = this.client.send(to, content).then(
      (ack) => this.acknowledged(ack, content, request, directTo),
      (error: unknown) => this.failed(error, request),
    );
    const kept = sending.finally(() => void this.onTheWay.delete(kept));
    this.onTheWay.add(kept);
    if (this.client.connectionState !== 'live') this.say({ type: 'kept', content }, request);
  }

  private async acknowledged(
    ack: Ack,
    content: string,
    request: string | number | undefined,
    directTo: string | undefined,
  ): Promise<void> {
    const { messageId = '', room = '', seq = 0, duplicate = false } = ack;
    // The client has placed it in its room by now, unless it has not heard of the room yet.
    const placed = this.client.state.rooms.get(room)?.messages.find((message) => message.seq === seq);
    const plain = { type: 'text', metadata: {}, mentions: [], replyTo: null, at: new Date().toISOString() };
    const message: Message = placed ?? { ...plain, id: messageId, room, seq, sender: this.client.state.user, content };
    await this.conversation.sent(message, { duplicate, directTo }, request);
  }

  // --- answers

  private async told(output: Output, request: string | number | undefined): Promise<boolean> {
    await this.conversation.inOrder(() => this.say(output, request));
    return true;
  }

  private refused(code: string, text: string, request: string | number | undefined): Promise<boolean> {
    this.failures++;
    return this.told({ type: 'error', code, text }, request);
  }

  private failed(error: unknown, request: string | number | undefined): void {
    this.failures++;
    void this.conversation.inOrder(() => this.say({ type: 'error', ...problemOf(error) }, request));
  }

  private connection(state: 'lost' | 'back'): void {
    this.link = state === 'back' ? 'live' : 'lost';
    this.say({ type: 'connection', state, pending: this.client.pending.length });
  }
}

export function problemOf(error: unknown): { readonly code: string; readonly text: string } {
  if (error instanceof RefusedError) return { code: error.code, text: error.message };
  if (error instanceof TypeError && error.message === 'fetch failed')
    return { code: 'unavailable', text: 'the server does not answer' };
  return { code: 'failed', text: error instanceof Error ? error.message : String(error) };
}
