/**
 * A small world for every interleaving of the write side: command processes over one memory twin, each with its own wire and
 * its own memory, and a few people's commands on their way through them.
 */
import {
  commandKeyId,
  formatPosition,
  newKey,
  type CommandName,
  type CommandReply,
  type CommandResult,
  type RefusalCode,
} from '#contract';
import type { EventLog, StoredEntry } from '#event-log';
import { MemoryLog, type CheckOrder, type MemoryFaults } from '#event-log/memory';
import {
  checkHistory,
  describeViolations,
  ScheduledWire,
  type ClientHistory,
  type Schedule,
  type SendOutcome,
  type Touch,
  type World,
} from '#testing';
import type { Handling } from './handler-fixture.js';

export const ROOM = 'den';

/** What becomes of an append on its way. */
export type Fate = 'well' | 'ack lost' | 'lost' | 'in flight';

export interface Act {
  readonly name: CommandName;
  readonly by: string;
  readonly body: object;
  /** The same key is the same command. */
  readonly key: string;
}

/**
 * One after the other, each by a process. A repeat is the same act again; the answer to what was repeated is `unheard`: whoever
 * asked has given it up.
 */
export type Course = readonly (readonly [process: string, act: Act, unheard?: 'unheard'])[];

export interface Race {
  readonly order: CheckOrder;
  readonly seats: number;
  /** Who is in the room besides its owner, ann. */
  readonly members: readonly string[];
  /** What happened before, in order: it fills memories, and makes them old. */
  readonly before?: Course;
  readonly courses: readonly Course[];
  /** By process: of its appends in the race, in order; those after them go well. */
  readonly fates?: Readonly<Record<string, readonly Fate[]>>;
}

/** Makes a handler over a log; a planted fault makes another one. */
export type Making = (log: EventLog) => Handling;

interface Done {
  readonly act: Act;
  readonly reply: CommandReply;
  readonly heard: boolean;
}

export const send = (by: string, key: string): Act => ({
  name: 'SendMessage',
  by,
  key,
  body: { roomId: ROOM, content: `${by} says ${key}` },
});
const ofRoom = (name: CommandName, by: string, more: object = {}): Act => ({
  name,
  by,
  key: `${name} ${by} ${++acts}`,
  body: { roomId: ROOM, ...more },
});
let acts = 0;
export const join = (by: string): Act => ofRoom('JoinRoom', by);
export const leave = (by: string): Act => ofRoom('LeaveRoom', by);
export const remove = (by: string, userId: string): Act => ofRoom('RemoveMember', by, { userId });
export const mute = (by: string, userId: string): Act => ofRoom('ChangeMember', by, { userId, muted: true });

export const raceOf =
  (race: Race, making: Making) =>
  async (schedule: Schedule<Touch>): Promise<World> => {
    const world = new RaceWorld(race, making, schedule);
    await schedule.finish(world.prepare());
    return world;
  };

class RaceWorld implements World {
  private readonly log: MemoryLog;
  private readonly processes = new Map<string, Handling>();
  private readonly done: Done[] = [];
  private readonly running: Promise<void>[] = [];
  private readonly keys = new Map<string, string>();
  /** Attempts that were given up and are still on their way. */
  private readonly givenUp: Act[] = [];
  private started = false;

  constructor(
    private readonly race: Race,
    private readonly making: Making,
    private readonly schedule: Schedule<Touch>,
  ) {
    this.log = new MemoryLog({ partitions: 1, order: race.order });
  }

  async prepare(): Promise<void> {
    const create = { name: 'CreateRoom', by: 'ann', key: 'create', body: { roomId: ROOM, name: 'Den' } } as const;
    const { seats, members, before = [] } = this.race;
    await this.take('first', { ...create, body: { ...create.body, maxMembers: seats } });
    for (const userId of members) await this.take('first', join(userId));
    for (const [process, act] of before) await this.take(process, act);
    for (const [process] of this.race.courses.flat()) await this.process(process);
  }

  start(): void {
    this.started = true;
    for (const course of this.race.courses) this.running.push(this.run(course));
  }

  async judge(): Promise<string> {
    await Promise.all(this.running);
    const range = { after: 0, upTo: await this.log.lastSequence(0), max: 1_000 };
    const { entries } = await this.log.readSubject(0, '>', range);
    const faults = [...this.processes.values()].flatMap((process) => process.faults);
    const violations = checkHistory({ log: entries, clients: clientsOf(this.done), rooms: [], inboxes: [] });
    const wrong = [describeViolations(violations), ...faults.map(String), ...this.replies(entries)];
    return wrong.filter(Boolean).join('\n');
  }

  private async run(course: Course): Promise<void> {
    for (const [process, act, unheard] of course) await this.take(process, act, unheard === undefined);
  }

  private async take(process: string, act: Act, heard = true): Promise<void> {
    const { handler } = await this.process(process);
    const { name, by, body } = act;
    const alone = !this.givenUp.includes(act);
    if (!heard) this.givenUp.push(act);
    const reply = await handler.answer(name, { actor: { userId: by }, body, key: this.keyOf(act) });
    if (!heard) this.givenUp.splice(this.givenUp.indexOf(act), 1);
    // A refusal says nothing of an earlier attempt that is on its way meanwhile: its sender may come back in time for that.
    this.done.push({ act, reply, heard: heard && alone });
  }

  private async process(name: string): Promise<Handling> {
    const known = this.processes.get(name);
    if (known) return known;
    const wire = new ScheduledWire(this.schedule, name, this.isAlone(name));
    const made = this.making(this.log.connect({ wire, faults: this.faultsOf(name) }));
    this.processes.set(name, made);
    await made.handler.follow();
    return made;
  }

  private isAlone(process: string): boolean {
    return this.race.courses.filter((course) => course.some(([by]) => by === process)).length < 2;
  }

  private faultsOf(process: string): MemoryFaults {
    const fates = [...(this.race.fates?.[process] ?? [])];
    let now: Fate = 'well';
    return {
      // Asked once for every append, before all else.
      unavailable: () => {
        now = (this.started && fates.shift()) || 'well';
        return false;
      },
      inFlight: () => now === 'in flight',
      loseAppend: () => now === 'lost',
      loseAck: () => now === 'ack lost',
    };
  }

  private keyOf({ key }: Act): string {
    const known = this.keys.get(key) ?? newKey(Date.now(), Buffer.from(String(this.keys.size).padEnd(10, '-')));
    this.keys.set(key, known);
    return known;
  }

  /** Every answer against the log, for commands of every kind: by the key that the event carries. */
  private replies(entries: readonly StoredEntry[]): string[] {
    return this.done.flatMap(({ act, reply, heard }) => {
      const id = commandKeyId(act.by, act.name, ROOM, this.keyOf(act));
      const stored = entries.filter(({ decoded }) => decoded.kind === 'event' && decoded.event.key?.id === id);
      const what = `${act.name} of ${act.by} (${act.key})`;
      if (stored.length > 1) return [`${what} is in the log ${stored.length} times`];
      if ('ok' in reply && reply.ok.changed && stored[0]?.seq !== reply.ok.seq)
        return [`${what} was acknowledged at ${reply.ok.seq} and is at ${stored[0]?.seq ?? 'no place'}`];
      if ('ok' in reply && !reply.ok.changed && stored.length > 0) return [`${what} changed nothing and is in the log`];
      if (heard && isRefused(reply) && stored.length > 0) return [`${what} was refused and is in the log`];
      return [];
    });
  }
}

const TEMPORARY: ReadonlySet<RefusalCode> = new Set(['unavailable', 'behind']);
const isRefused = (reply: CommandReply): boolean => 'refused' in reply && !TEMPORARY.has(reply.refused.code);

/** Each person's sends, however often one was repeated. */
function clientsOf(done: readonly Done[]): ClientHistory[] {
  const users = [...new Set(done.map(({ act }) => act.by))];
  return users.map((user) => {
    const own = done.filter(({ act }) => act.by === user && act.name === 'SendMessage');
    const sends = [...new Set(own.map(({ act }) => act.key))].map((key) => ({
      room: ROOM,
      key,
      content: `${user} says ${key}`,
      sentAt: 0,
      outcome: outcomeOf(own.filter(({ act }) => act.key === key)),
    }));
    return { client: user, user, sends, steps: [], complete: false };
  });
}

function outcomeOf(attempts: readonly Done[]): SendOutcome {
  const taken = attempts.flatMap(({ reply }): CommandResult[] => ('ok' in reply ? [reply.ok] : []));
  const [first] = taken;
  if (first) {
    const position = formatPosition({ partition: 0, seq: first.seq });
    return { kind: 'acknowledged', id: first.id, seq: first.seq, position };
  }
  const refused = attempts.find(({ reply, heard }) => heard && isRefused(reply))?.reply;
  return refused && 'refused' in refused ? { kind: 'refused', code: refused.refused.code } : { kind: 'unknown' };
}
