/** A platform that is right by construction, for the checker's own specs. */
import { messageId, parseLogSubject } from '#contract';
import type { StoredEntry } from '#event-log';
import { cursorAt, eventFrame, frameStep, LogWriter, skipFrame, welcome } from './history-example.js';
import type { ClientStep, History, SendRecord } from './history.js';

export const USERS = ['ann', 'bob', 'cid'] as const;
export const ROOMS = ['tea', 'shed', 'attic'] as const;

export type Act =
  | { readonly act: 'join' | 'leave' | 'say'; readonly user: number; readonly room: number }
  | { readonly act: 'cut' | 'resume' | 'cursor'; readonly user: number };

interface Simulated {
  readonly steps: ClientStep[];
  readonly sends: SendRecord[];
  up: boolean;
  cursor: string;
  /** How many entries of the log the cursor covers. */
  covered: number;
}

/** A platform without a fault. */
export class Simulation {
  readonly writer = new LogWriter();
  readonly clients = USERS.map((name): Simulated => {
    return {
      steps: [frameStep(welcome(name, cursorAt({}), false))],
      sends: [],
      up: true,
      cursor: cursorAt({}),
      covered: 0,
    };
  });
  readonly #members = new Set<string>();
  readonly #ordinals = new Map<number, number>();
  readonly #counts = new Map<string, number>();

  run(all: readonly Act[]): History {
    all.forEach((act, i) => this.#do(act, i));
    USERS.forEach((_, index) => this.#resume(index));
    const clients = this.clients.map(({ steps, sends }, index) => {
      const name = USERS[index] ?? '';
      return { client: name, user: name, sends, steps, complete: true };
    });
    return { log: this.writer.log, clients, rooms: [], inboxes: [] };
  }

  #do(act: Act, i: number): void {
    const client = this.clients[act.user];
    const name = USERS[act.user] ?? '';
    if (!client) return;
    if (act.act === 'cut' && client.up) {
      client.up = false;
      client.steps.push({ kind: 'closed', at: 0, code: 1006 });
    }
    if (act.act === 'resume') this.#resume(act.user);
    if (act.act === 'cursor' && client.up) this.#cover(client, 'cursor');
    if (!('room' in act)) return;
    const where = ROOMS[act.room] ?? '';
    const inside = this.#members.has(`${where} ${name}`);
    if (act.act === 'say' && inside) {
      const entry = this.writer.say(where, name, `message ${i}`);
      const outcome =
        i % 2 ? { kind: 'unknown' as const } : { kind: 'acknowledged' as const, seq: entry.seq, id: messageId(entry) };
      client.sends.push({ room: where, key: `${i}`, content: `message ${i}`, sentAt: 0, outcome });
      this.#count(where);
      this.#deliver();
    } else if (act.act === 'join' && !inside) {
      this.#members.add(`${where} ${name}`);
      this.writer.join(where, name);
      this.#deliver();
    } else if (act.act === 'leave' && inside) {
      this.writer.leave(where, name);
      this.#deliver();
      this.#members.delete(`${where} ${name}`);
    }
  }

  #count(where: string): void {
    const ordinal = (this.#counts.get(where) ?? 0) + 1;
    this.#counts.set(where, ordinal);
    this.#ordinals.set(this.writer.log.length - 1, ordinal);
  }

  #deliver(): void {
    const index = this.writer.log.length - 1;
    this.clients.forEach((client, i) => client.up && this.#show(client, USERS[i] ?? '', index, false));
  }

  #resume(index: number): void {
    const client = this.clients[index];
    const name = USERS[index] ?? '';
    if (!client) return;
    if (!client.up) {
      client.up = true;
      client.steps.push(frameStep(welcome(name, client.cursor, true)));
      for (let at = client.covered; at < this.writer.log.length; at += 1) this.#show(client, name, at, true);
    }
    this.#cover(client, 'caught_up');
  }

  /** Whether the user was in the room is asked of the log as it stood at the entry. */
  #show(client: Simulated, name: string, index: number, replay: boolean): void {
    const entry = this.writer.log[index];
    const subject = entry && parseLogSubject(entry.subject);
    if (!entry || !subject || !('roomId' in subject) || subject.kind === 'roster') return;
    if (!this.#wasIn(name, subject.roomId, index)) return;
    const own = entry.decoded.kind === 'event' && entry.decoded.event.actor === name;
    const held = subject.kind === 'timeline' && own && !replay;
    client.steps.push(frameStep(held ? skipFrame(entry) : eventFrame(entry, this.#ordinals.get(index) ?? 0)));
  }

  #wasIn(name: string, where: string, index: number): boolean {
    const about = (entry: StoredEntry): boolean => {
      const subject = parseLogSubject(entry.subject);
      return subject?.kind === 'member' && subject.roomId === where && subject.userToken === name;
    };
    const last = this.writer.log.slice(0, index).findLast(about);
    const joined = last?.decoded.kind === 'event' && last.decoded.event.type === 'MemberJoined';
    return joined || about(this.writer.log[index] as StoredEntry);
  }

  #cover(client: Simulated, op: 'cursor' | 'caught_up'): void {
    const ends: Record<number, number> = {};
    for (const { partition, seq } of this.writer.log) ends[partition] = seq;
    client.cursor = cursorAt(ends);
    client.covered = this.writer.log.length;
    client.steps.push(frameStep({ op, cursor: client.cursor }));
  }
}
