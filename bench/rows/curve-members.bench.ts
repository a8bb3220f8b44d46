/** What a room's size costs: a join, a send, its delivery to one reader, and the list of members. */
import { join } from 'node:path';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { doorOf, httpAs, postingTo } from '../load/as-users.js';
import { seededRooms } from '../load/seeds.js';
import type { SendersOptions, SendersResult } from '../load/senders.js';
import { repeated } from '../load/timing.js';
import { brokerOf, parley, pidOf, withCommands } from '../parley.js';
import { Program } from '../program.js';

const SECONDS = 2;
const SECONDS_QUICK = 0.5;
const JOINS = 100;
const JOINS_QUICK = 10;
const PAGES = 20;
const PAGES_QUICK = 3;
const CONTENT_BYTES = 100;

const subject = (members: number): Subject => ({
  name: members.toLocaleString('en-US'),
  start: async (stage): Promise<Started> => {
    const platform = await parley(stage, { sync: 'off' });
    const seeded = await seededRooms(platform, `members${members}`, 1, members);
    const room = seeded.ids[0] ?? '';
    const [sender = '', reader = ''] = seeded.members[0] ?? [];
    const load = await Program.start(join(import.meta.dirname, '..', 'load', 'senders.ts'));
    const listener = { kind: 'parley' as const, room, door: doorOf(platform, reader) };
    await load.call('enter', { ways: [postingTo(platform, room, sender)], listener });
    const http = await httpAs(platform, reader);
    const run = (quick: boolean): Promise<SendersResult> =>
      load.call('run', {
        seconds: quick ? SECONDS_QUICK : SECONDS,
        contentBytes: CONTENT_BYTES,
      } satisfies SendersOptions);
    let comers = 0;
    return {
      processes: () => ({
        ...Object.fromEntries(
          ['commands', 'projection', 'gateway', 'api'].map((app) => [app, pidOf(platform, `${app}-1`)]),
        ),
        nats: brokerOf(platform).pid,
        postgres: platform.postgres.pid,
      }),
      warm: async ({ quick }) => void (await run(quick)),
      measure: async ({ quick }): Promise<Figures> => {
        const { answerMs, arrivalMs } = await run(quick);
        const joins = await withCommands(platform, (bus) =>
          repeated(quick ? JOINS_QUICK : JOINS, async () => {
            const startMs = performance.now();
            const { changed } = await bus.run('JoinRoom', { userId: `${room}-comer-${comers++}` }, { roomId: room });
            if (changed === false) throw new Error('somebody was a member already');
            return performance.now() - startMs;
          }),
        );
        const path = `/api/rooms/${room}/users`;
        const list = await repeated(quick ? PAGES_QUICK : PAGES, () => http.timed('GET', path, 200));
        return {
          'send p50 ms': answerMs.p50,
          'delivery p50 ms': arrivalMs.p50,
          'delivery p99 ms': arrivalMs.p99,
          'join p50 ms': joins.p50,
          'members list p50 ms': list.p50,
          'list us/member': (list.p50 * 1_000) / members,
        };
      },
      stop: async () => {
        http.stop();
        await load.stop();
      },
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'curve-members',
    sentence:
      'One room by its number of members: one sender over HTTP, one member who reads by a socket, joins one after the other, and the list of ' +
      'members. Sync off.',
    figure: 'send p50 ms',
    better: 'lower',
    goals: [],
    rounds: 1,
    subjects: [10, 100, 1_000, 10_000].map(subject),
    notes: [
      'The list of members is whole, as the contract has it, so it grows with the members; per member it has to be flat. 100 join, after the sends and before the lists.',
    ],
  },
];
