/** What people do: each draws from a sequence of their own. */
import type { SendOutcome } from '#testing';
import { ClientHttp } from '../client-http.js';
import type { Reply } from '../client-requests.js';
import type { Random } from '../random.js';
import type { Person } from './people.js';
import type { Channel, RoomPlan } from './rooms.js';

export interface Place {
  readonly rooms: readonly RoomPlan[];
  readonly channels: readonly Channel[];
  /** A text that nobody has said yet. */
  text(user: string): string;
}

export type Doing = Promise<Reply | SendOutcome>;

const PENDING_MAX = 3;

/** One deed of an ordinary person; nothing while too much is unanswered. */
export function act(person: Person, place: Place): Doing | undefined {
  const { client, random, user } = person;
  if (client.unanswered >= PENDING_MAX) return undefined;
  const dice = random.below(100);
  const inside = place.rooms.map(({ room }) => room).filter((room) => client.rooms.has(room));
  const outside = place.rooms.map(({ room }) => room).filter((room) => !client.rooms.has(room));
  if (outside.length > 0 && (inside.length === 0 || (dice < 4 && inside.length < 4)))
    return client.join(random.pick(outside));
  if (dice < 7 && inside.length > 1) return client.leave(random.pick(inside));
  if (dice < 10 && inside.length > 0) return read(person, random.pick(inside));
  if (dice === 99) return void client.cut();
  const own = place.channels.filter(({ participants }) => participants.includes(user));
  if (dice < 20 && own.length > 0) return person.sayTo(random.pick(own), place.text(user));
  // Now and then to a room that one is not in, which is refused.
  const room = random.pick((dice < 22 && outside.length > 0) || inside.length === 0 ? outside : inside);
  return person.say(room, place.text(user));
}

function read({ client }: Person, room: string): Doing | undefined {
  const messageId = client.newest.get(room);
  return messageId === undefined ? undefined : client.read(room, messageId);
}

/** The owner of the rooms: invites to the private one, shows people the door, and silences some for a while. */
export class Keeper {
  readonly #http: ClientHttp;
  #muted: { readonly room: string; readonly user: string } | undefined;
  removed = 0;

  constructor(
    stage: { readonly http: string; readonly token: string },
    private readonly random: Random,
    private readonly rooms: readonly RoomPlan[],
    onFault: (fault: string) => void,
  ) {
    this.#http = new ClientHttp({ ...stage, random: random.fork('http') }, onFault);
  }

  get unanswered(): number {
    return this.#http.pending;
  }

  stop(): void {
    this.#http.stop();
  }

  act(people: readonly Person[]): Doing | undefined {
    if (this.unanswered >= PENDING_MAX) return undefined;
    // Nobody is silenced for longer than until the next deed.
    if (this.#muted) return this.#mute(this.#muted, false);
    const { client, user } = this.random.pick(people);
    const dice = this.random.below(100);
    const hidden = this.rooms.find(({ isPrivate }) => isPrivate);
    if (dice < 50 && hidden) return this.#http.command('POST', `/api/rooms/${hidden.room}/invites`, { userId: user });
    const inside = this.rooms.map(({ room }) => room).filter((room) => client.rooms.has(room));
    if (inside.length === 0) return undefined;
    const room = this.random.pick(inside);
    if (dice < 85) {
      this.removed += 1;
      return this.#http.command('DELETE', `/api/rooms/${room}/members/${user}`, undefined);
    }
    return this.#mute({ room, user }, true);
  }

  #mute(who: { readonly room: string; readonly user: string }, muted: boolean): Doing {
    this.#muted = muted ? who : undefined;
    return this.#http.command('PUT', `/api/rooms/${who.room}/members/${who.user}`, { muted });
  }
}
