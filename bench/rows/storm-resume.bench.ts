/** Everybody is cut at once and comes back: with their cursors, to the same gateway or, after a kill -9, to the other one. */
import { join } from 'node:path';
import { Subjects } from '#contract';
import type { Platform } from '#embedded';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { withEventLog } from '../load/backlog.js';
import type { Person, Resumed, ResumeOptions } from '../load/crowd.js';
import { markedContent } from '../load/marked-frames.js';
import { doorOf } from '../load/as-users.js';
import { seededRooms } from '../load/seeds.js';
import { brokerOf, parley, PARTITIONS, pidOf } from '../parley.js';
import { Program } from '../program.js';

const ROOMS = 50;
const SOCKETS_EACH = 100;
const SOCKETS_EACH_QUICK = 10;
/** Messages in each room that everybody has, and those that come while nobody is there. */
const BEFORE = 5;
const WHILE_AWAY = 10;
const CONTENT_BYTES = 110;

async function write(platform: Platform, rooms: readonly string[], from: number, count: number): Promise<void> {
  const subjects = new Subjects(PARTITIONS);
  await withEventLog(platform.natsUrls(), PARTITIONS, async (log) => {
    for (let i = from; i < from + count; i += 1)
      await Promise.all(
        rooms.map((room) =>
          log.append({
            subject: subjects.timeline(room),
            event: {
              v: 1,
              type: 'MessageSent',
              actor: `${room}-owner`,
              data: { content: markedContent(i, CONTENT_BYTES), type: 'text' },
            },
          }),
        ),
      );
  });
}

/** @param killed the first gateway, by kill -9; else the load cuts its sockets */
const subject = (name: string, killed: boolean, since: boolean): Subject => ({
  name,
  start: async (stage): Promise<Started> => {
    const platform = await parley(stage, { sync: 'off', replicas: { commands: 1, projection: 1, gateway: 2, api: 1 } });
    const prefix = `storm${killed}${since}`;
    const { ids, members } = await seededRooms(
      platform,
      prefix,
      ROOMS,
      stage.quick ? SOCKETS_EACH_QUICK : SOCKETS_EACH,
    );
    const people = ids.flatMap((room, i): Person[] =>
      (members[i] ?? []).map((user) => ({ room, door: doorOf(platform, user) })),
    );
    const gateways = platform.sockets.map((url) => Number(new URL(url).port));
    let load: Program | undefined;
    let written = 0;
    const more = async (count: number): Promise<void> => {
      await write(platform, ids, written, count);
      written += count;
    };
    return {
      processes: () => ({
        'gateway-1': pidOf(platform, 'gateway-1'),
        'gateway-2': pidOf(platform, 'gateway-2'),
        nats: brokerOf(platform).pid,
        postgres: platform.postgres.pid,
        ...(load !== undefined && { load: load.pid }),
      }),
      prepare: async () => {
        stage.say(`  ${name}: ${people.length} sockets come and are cut`);
        load = await Program.start(join(import.meta.dirname, '..', 'load', 'crowd.ts'));
        await load.call('enter', people);
        await more(BEFORE);
        await load.call('untilAllHave', written - 1);
        if (killed) await platform.services.get('gateway-1')?.kill();
        else await load.call('cut');
        await more(WHILE_AWAY);
      },
      measure: async (): Promise<Figures> => {
        if (load === undefined) throw new Error('no load');
        const port = gateways[killed ? 1 : 0] ?? 0;
        const { seconds, recovered, count, tookMs, repeats } = await load.call<Resumed>('resume', {
          port,
          since,
        } satisfies ResumeOptions);
        if (since) await load.call('untilAllHave', written - 1);
        return {
          's until all are caught up': seconds,
          'resumes/s': count / seconds,
          'recovered %': (recovered / count) * 100,
          'p50 ms': tookMs.p50,
          'p99 ms': tookMs.p99,
          'repeats/socket': repeats / count,
        };
      },
      stop: async () => void (await load?.stop()),
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'storm-resume',
    sentence:
      `${(ROOMS * SOCKETS_EACH).toLocaleString('en-US')} sockets of as many users in ${ROOMS} rooms are cut at once; ${WHILE_AWAY} messages come in each ` +
      'room while nobody is there; then all resume, 500 at a time. Every socket has to have every message, in order. Sync off.',
    figure: 's until all are caught up',
    better: 'lower',
    goals: ['recovered % >= 100 %'],
    rounds: 1,
    subjects: [subject('cut, same gateway', false, true), subject('gateway killed, the other one', true, true)],
  },
];
