/** What the number of rooms costs: a send to one of them, the page of a list of them, the broker's memory, the start of a gateway. */
import { randomInt } from 'node:crypto';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { residentBytes } from '../cpu.js';
import { withEventLog } from '../load/backlog.js';
import { httpAs } from '../load/as-users.js';
import { seedRooms, untilProjected } from '../load/seeds.js';
import { repeated } from '../load/timing.js';
import { brokerOf, parley, PARTITIONS, pidOf } from '../parley.js';
import type { Stage } from '../stage.js';

const SIZES = [10, 100, 1_000, 10_000, 100_000];
const SIZES_QUICK = [10, 50, 100, 500, 1_000];
/** A user may be in 5,000 rooms; each owns at most a thousand of them here. */
const OWNERS = 100;
const MEMBERS_EACH = 2;
const SENDS = 1_000;
const SENDS_QUICK = 50;
const PAGES = 200;
const PAGES_QUICK = 10;
const ACCEPTED = 202;
const SEATS = 10;

const nameOf = (i: number): string => `room-${i}`;
const ownerOf = (i: number): string => `owner-${i % OWNERS}`;

/** One platform whose rooms become more. */
async function growing(stage: Stage) {
  const platform = await parley(stage, { sync: 'off' });
  return stage.once('growing', async () => {
    const emptyBytes = residentBytes(brokerOf(platform).pid);
    let rooms = 0;
    const grow = async (size: number): Promise<void> => {
      const indexes = Array.from({ length: size - rooms }, (_, i) => rooms + i);
      rooms = size;
      const ids = indexes.map(nameOf);
      const members = ids.map((id) => Array.from({ length: MEMBERS_EACH }, (_, i) => `${id}-${i}`));
      const seeded = { ids, members, owners: indexes.map(ownerOf) };
      await withEventLog(platform.natsUrls(), PARTITIONS, (log) => seedRooms(log, seeded, SEATS));
      await untilProjected(platform);
    };
    return { platform, emptyBytes, grow, stop: async () => undefined };
  });
}

const subject = (wanted: number, index: number): Subject => ({
  name: wanted.toLocaleString('en-US'),
  start: async (stage): Promise<Started> => {
    const { platform, emptyBytes, grow } = await growing(stage);
    const size = stage.quick ? (SIZES_QUICK[index] ?? wanted) : wanted;
    const broker = brokerOf(platform).pid;
    const body = JSON.stringify({ content: 'x'.repeat(100) });
    return {
      label: size.toLocaleString('en-US'),
      processes: () => ({
        api: pidOf(platform, 'api-1'),
        commands: pidOf(platform, 'commands-1'),
        nats: broker,
        postgres: platform.postgres.pid,
      }),
      prepare: async () => {
        stage.say(`  ${size} rooms are written and projected`);
        await grow(size);
      },
      measure: async ({ quick }): Promise<Figures> => {
        const brokerBytes = residentBytes(broker) - emptyBytes;
        const clients = await Promise.all(Array.from({ length: OWNERS }, (_, i) => httpAs(platform, ownerOf(i))));
        const sends = await repeated(quick ? SENDS_QUICK : SENDS, () => {
          const room = randomInt(size);
          return clients[room % OWNERS]!.timed('POST', `/api/rooms/${nameOf(room)}/messages`, ACCEPTED, body);
        });
        const pages = await repeated(quick ? PAGES_QUICK : PAGES, () =>
          clients[0]!.timed('GET', '/api/rooms?limit=50', 200),
        );
        for (const client of clients) client.stop();
        const startMs = performance.now();
        await platform.services.get('gateway-1')?.restart();
        return {
          'send p50 ms': sends.p50,
          'send p99 ms': sends.p99,
          'rooms page p50 ms': pages.p50,
          'broker MB': brokerBytes / 1_048_576,
          'broker KB/room': brokerBytes / size / 1_024,
          'gateway start s': (performance.now() - startMs) / 1_000,
        };
      },
      stop: async () => undefined,
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'curve-rooms',
    sentence:
      'One platform by its number of rooms, three members each: sends over HTTP to random rooms one after the other, a page of 50 of the list of rooms, ' +
      'the broker’s resident memory above the empty broker’s, and a restart of the gateway. Sync off.',
    figure: 'send p50 ms',
    better: 'lower',
    goals: [],
    rounds: 1,
    subjects: SIZES.map(subject),
    notes: [
      'A room of three members is five subjects in the log (config, roster, three memberships). The broker’s memory holds the ids of the last two minutes too, about 100 bytes each.',
      'With few rooms every send finds its room in the command service’s cache; with many nearly every one loads config, roster and membership first.',
    ],
  },
];
