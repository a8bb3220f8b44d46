/**
 * The life of a platform under a soak: residents who stay, guests who come with a new name and go for good, rooms that are new all the
 * time, a loud room for slow readers, files, server-sent events and gRPC streams. Everything that a cache could be keyed by turns over.
 */
import { randomBytes, randomInt } from 'node:crypto';
import { waitUntil } from '#embedded';
import type { EventLog } from '#event-log';
import { EventStream } from '../event-stream.js';
import { Grpc } from '../grpc.js';
import { Http, listAt, textAt } from '../http.js';
import { logEnd } from '../log.js';
import { tokenFor } from '../platform.js';
import { Ledger } from './ledger.js';
import { MESSAGES_KEPT, noCounts, Person, type Counts, type Surroundings } from './person.js';

export interface Place {
  /** The proxy. */
  readonly url: string;
  /** `http://host:port`, one a gateway. */
  readonly gateways: readonly string[];
  /** `host:port`, one a gateway. */
  readonly grpc: readonly string[];
}

const TICK_MS = 100;
/** Ticks between: one resident's doing is a share of each tick, these are on top. */
const EACH_ACTS_EVERY_TICKS = 10;
const GUEST_EVERY_TICKS = 15;
const ROOM_EVERY_TICKS = 10;
const LOUD_EVERY_TICKS = 2;
const FILE_EVERY_TICKS = 40;
const STREAM_EVERY_TICKS = 30;
const STALL_EVERY_TICKS = 200;
/** Rooms that are talked in; the oldest is left behind when there are more. */
const ROOMS_MAX = 30;
/** Of one person; then the one that they have been in longest is left: so rooms fall silent within minutes. */
const ROOMS_EACH_MAX = 3;
const GUESTS_SHARE = 3;
const LOUD = 'soak-loud';
const LOUD_CHARACTERS = 12_000;
const FILE_BYTES_MAX = 512 * 1024;
/** Event streams and gRPC streams that are open at a time. */
const STREAMS_MAX = 10;
const STALLED_MAX = 4;
const QUIET_WITHIN_MS = 120_000;

export class Churn {
  readonly counts: Counts & { users: number; rooms: number; files: number; streams: number } = {
    ...noCounts(),
    users: 0,
    rooms: 0,
    files: 0,
    streams: 0,
  };
  readonly ledger = new Ledger();
  readonly faults: string[] = [];
  private residents: Person[] = [];
  private guests: Person[] = [];
  private rooms: string[] = [];
  private readonly streams: (() => void)[] = [];
  private readonly stalled: (() => void)[] = [];
  private readonly around: Surroundings;
  private readonly channels: Grpc[];
  private timer: NodeJS.Timeout | undefined;
  private ticks = 0;
  private readonly doing = new Set<Promise<void>>();

  constructor(
    private readonly place: Place,
    private readonly people: number,
  ) {
    this.around = {
      // The first takes the HTTP requests: it is the proxy, which also passes sockets on.
      urls: [place.url, ...place.gateways],
      ledger: this.ledger,
      counts: this.counts,
      onFault: (fault) => this.fault(fault),
    };
    this.channels = place.grpc.map((address) => new Grpc(address));
  }

  /** Residents, the loud room, and the first rooms. */
  async begin(): Promise<void> {
    const guests = Math.floor(this.people / GUESTS_SHARE);
    const names = Array.from({ length: this.people - guests }, (_, i) => `resident-${i + 1}`);
    this.residents = await Promise.all(names.map((name) => this.newPerson(name)));
    const [first] = this.residents as [Person];
    await first.client.createRoom({ id: LOUD, name: 'Loud' });
    for (let i = 0; i < this.people / 3; i++) await this.newRoom();
    for (const person of this.residents) person.join(LOUD);
    this.timer = setInterval(() => this.tick(), TICK_MS);
  }

  /** Falls silent; resolves when everything that was asked for has its answer, and every resident has caught up. */
  async end(log: EventLog): Promise<void> {
    clearInterval(this.timer);
    for (const end of [...this.streams, ...this.stalled]) end();
    await waitUntil('what is under way ends', QUIET_WITHIN_MS, () => this.doing.size === 0);
    const everybody = [...this.residents, ...this.guests];
    await waitUntil('everybody is answered', QUIET_WITHIN_MS, () =>
      everybody.every(({ client }) => client.pending.length === 0 && client.connectionState === 'live'),
    );
    const ends = await logEnd(log);
    await waitUntil(`everybody has what was said up to ${ends.join('.')}`, QUIET_WITHIN_MS, () =>
      this.residents.every((person) => hasReached(person, ends)),
    );
  }

  /** What residents are shown in the end is the log's own end. */
  async compareShown(): Promise<string[]> {
    const rooms = new Map<string, string[]>();
    const faults: string[] = [];
    for (const { user, client } of this.residents)
      for (const [roomId, { joined, stale, messages }] of client.state.rooms) {
        if (!joined || messages.length === 0) continue;
        const known = rooms.get(roomId) ?? (await this.messagesOf(user, roomId, client.cursor ?? ''));
        rooms.set(roomId, known);
        const shown = messages.map(({ id }) => id);
        const expected = known.slice(-shown.length);
        if (stale || expected.join() !== shown.join())
          faults.push(`${user} is shown ${shown.slice(-3).join()} last in ${roomId}, not ${expected.slice(-3).join()}`);
      }
    return faults;
  }

  /** The last messages of a room as the read models have them, oldest first. */
  private async messagesOf(user: string, room: string, at: string): Promise<string[]> {
    const http = new Http(this.place.url, tokenFor(user));
    const answer = await http.get(`/api/rooms/${room}/messages?limit=${MESSAGES_KEPT}&position=${at}`);
    return listAt(answer.json, 'items')
      .map((item) => textAt(item, 'id'))
      .reverse();
  }

  stop(): void {
    clearInterval(this.timer);
    for (const end of [...this.streams, ...this.stalled]) end();
    for (const person of [...this.residents, ...this.guests]) person.go();
    for (const channel of this.channels) channel.close();
  }

  get connected(): number {
    return [...this.residents, ...this.guests].filter(({ client }) => client.connectionState === 'live').length;
  }

  private tick(): void {
    const tick = (this.ticks += 1);
    const everybody = [...this.residents, ...this.guests];
    everybody.filter((_, i) => (i + tick) % EACH_ACTS_EVERY_TICKS === 0).forEach((person) => this.act(person));
    if (tick % GUEST_EVERY_TICKS === 0) this.own(this.newGuest());
    if (tick % ROOM_EVERY_TICKS === 0) this.own(this.newRoom());
    if (tick % LOUD_EVERY_TICKS === 0) this.oneOf(this.residents)?.say(LOUD, 'x'.repeat(randomInt(LOUD_CHARACTERS)));
    if (tick % FILE_EVERY_TICKS === 0) this.own(this.shareFile());
    if (tick % STREAM_EVERY_TICKS === 0) this.openStream(tick % (2 * STREAM_EVERY_TICKS) === 0);
    if (tick % STALL_EVERY_TICKS === 0) this.stallOne();
  }

  private act(person: Person): void {
    if (person.isBusy) return;
    const dice = randomInt(100);
    const inside = [...person.rooms].filter((room) => room !== LOUD);
    const room = this.oneOf(inside);
    const [oldest] = inside;
    if (room === undefined || oldest === undefined || dice < 10) return this.joinSome(person);
    if (inside.length > ROOMS_EACH_MAX) return person.leave(oldest);
    if (dice < 12) return person.leave(room);
    if (dice < 18) return person.mark(room);
    if (dice < 24) return person.type(room);
    if (dice < 27) return person.page(room);
    if (dice < 29) return person.watch(this.residents.map(({ user }) => user));
    if (dice < 31) return person.cut();
    person.say(room);
  }

  private joinSome(person: Person): void {
    const room = this.oneOf(this.rooms.filter((each) => !person.rooms.has(each)));
    if (room !== undefined) person.join(room);
  }

  private async newPerson(name: string): Promise<Person> {
    this.counts.users += 1;
    return new Person(name, this.around).come();
  }

  /** Somebody who was never here comes, and the guest who has been here longest goes without a word. */
  private async newGuest(): Promise<void> {
    const guest = await this.newPerson(`guest-${this.counts.users}-${randomBytes(3).toString('hex')}`);
    this.guests.push(guest);
    this.joinSome(guest);
    if (this.guests.length <= this.people / GUESTS_SHARE) return;
    const oldest = this.guests.shift();
    oldest?.cut();
    oldest?.go();
  }

  private async newRoom(): Promise<void> {
    const id = `soak-${(this.counts.rooms += 1)}`;
    const owner = this.oneOf(this.residents);
    if (owner === undefined) return;
    await owner.client.createRoom({ id, name: `Room ${id}` });
    owner.rooms.add(id);
    this.rooms.push(id);
    if (this.rooms.length > ROOMS_MAX) this.rooms.shift();
  }

  private async shareFile(): Promise<void> {
    const grpc = this.oneOf(this.channels);
    const owner = this.oneOf(this.residents.filter(({ client }) => client.state.rooms.get(LOUD)?.joined === true));
    if (grpc === undefined || owner === undefined) return;
    const bytes = randomBytes(randomInt(1, FILE_BYTES_MAX));
    const as = grpc.as(tokenFor(owner.user));
    try {
      const about = { room_id: LOUD, user_id: owner.user, filename: 'soak.bin', content_type: '' };
      const shared = await as.upload([{ ...about, size: bytes.length, data: bytes }]);
      const got = shared.code === 0 ? await as.call('GetFile', { file_id: shared.value['file_id'] }) : shared;
      this.counts.files += 1;
      if (got.code !== 0 || !bytes.equals(got.value['data'] as Buffer))
        this.fault(`a file of ${bytes.length} bytes came to ${got.code} ${got.details}`);
    } finally {
      as.close();
    }
  }

  /** Half of them over HTTP, half over gRPC; the oldest is cut off. */
  private openStream(overGrpc: boolean): void {
    const { user } = this.oneOf(this.residents) ?? {};
    if (user === undefined) return;
    this.counts.streams += 1;
    this.streams.push(overGrpc ? this.grpcStream(user) : this.eventStream(user));
    if (this.streams.length > STREAMS_MAX) this.streams.shift()?.();
  }

  private eventStream(user: string): () => void {
    const stream = new EventStream(this.place.url, { token: tokenFor(user) });
    return () => stream.cut();
  }

  private grpcStream(user: string): () => void {
    const grpc = this.oneOf(this.channels)?.as(tokenFor(user));
    const stream = grpc?.stream('Chat');
    stream?.send({ user_id: user, room_id: LOUD, action_type: 'join' });
    return () => {
      stream?.call.cancel();
      grpc?.close();
    };
  }

  private stallOne(): void {
    const person = this.oneOf(this.residents);
    if (person !== undefined) this.stalled.push(person.stall());
    if (this.stalled.length > STALLED_MAX) this.stalled.shift()?.();
  }

  private own(work: Promise<void>): void {
    const owned = work
      .catch((error: unknown) => this.fault(String(error)))
      .finally(() => {
        this.doing.delete(owned);
      });
    this.doing.add(owned);
  }

  private fault(fault: string): void {
    this.faults.push(fault);
  }

  private oneOf<T>(things: readonly T[]): T | undefined {
    return things.length === 0 ? undefined : things[randomInt(things.length)];
  }
}

function hasReached({ client }: Person, ends: readonly number[]): boolean {
  const seqs = client.cursor?.split('.').slice(1).map(Number) ?? [];
  return client.connectionState === 'live' && ends.every((end, partition) => (seqs[partition] ?? 0) >= end);
}
