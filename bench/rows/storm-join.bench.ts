/** Everybody joins one public room at once. */
import { join } from 'node:path';
import type { Platform } from '#embedded';
import type { Benchmark, Figures, Started, Subject } from '../benchmark.js';
import { doorOf, httpAs } from '../load/as-users.js';
import type { Comer, Joined } from '../load/joiners.js';
import { markedContent } from '../load/marked-frames.js';
import { untilInViews } from '../load/seeds.js';
import { parley, processesOf } from '../parley.js';
import { Program } from '../program.js';
import { tokenFor } from '../tokens.js';

const PEOPLE = 5_000;
const PEOPLE_QUICK = 100;
const ACCEPTED = 202;
const CONTENT_BYTES = 100;
const OWNER = 'storm-owner';

interface Shape {
  readonly by: Comer['by'];
  readonly sync: 'off' | 'always';
}

/** In turn over the two gateways, or over the two processes of the api. */
function comerOf(platform: Platform, { by }: Shape, user: string, index: number): Comer {
  if (by === 'socket') return { by, door: doorOf(platform, user, index % platform.sockets.length) };
  const url = platform.services.get(`api-${1 + (index % 2)}`)?.url ?? '';
  return { by, url, token: tokenFor(user) };
}

/** Whoever is a member twice, or not at all, fails the run. */
async function examineMembers(platform: Platform, room: string, people: number): Promise<void> {
  const http = await httpAs(platform, OWNER);
  try {
    const { text } = await http.ask('GET', `/api/rooms/${room}/users`);
    const { users } = JSON.parse(text()) as { users: readonly { userId: string }[] };
    const different = new Set(users.map(({ userId }) => userId)).size;
    if (users.length !== people + 1 || different !== users.length)
      throw new Error(`${room} has ${users.length} members (${different} different ones), not ${people} and its owner`);
  } finally {
    http.stop();
  }
}

const subject = (name: string, shape: Shape): Subject => ({
  name,
  start: async (stage): Promise<Started> => {
    const { by, sync } = shape;
    const replicas = { commands: 1, projection: 1, gateway: 2, api: 2 };
    const platform = await parley(stage, { sync, replicas }, `parley-${sync}`);
    const people = stage.quick ? PEOPLE_QUICK : PEOPLE;
    const owner = await httpAs(platform, OWNER);
    const load = await Program.start(join(import.meta.dirname, '..', 'load', 'joiners.ts'));
    let room = '';
    let message = 0;
    return {
      processes: () => ({ ...processesOf(platform), load: load.pid }),
      prepare: async ({ number }) => {
        stage.say(`  ${name}: ${people} people sign in`);
        room = `storm-${by}-${number}`;
        const body = { id: room, name: room, maxMembers: people + 1 };
        await owner.timed('POST', '/api/rooms', ACCEPTED, JSON.stringify(body));
        const users = Array.from({ length: people }, (_, i) => `${room}-${i}`);
        await load.call(
          'enter',
          users.map((user, i) => comerOf(platform, shape, user, i)),
        );
      },
      measure: async (): Promise<Figures> => {
        const { seconds, acknowledged, refused, tookMs } = await load.call<Joined>('join', room);
        if (acknowledged !== people) throw new Error(`${acknowledged} of ${people} were acknowledged`);
        const acknowledgedMs = performance.now();
        const content = markedContent(message, CONTENT_BYTES);
        await owner.timed('POST', `/api/rooms/${room}/messages`, ACCEPTED, JSON.stringify({ content }));
        await load.call('untilAllHave', message++);
        const heardMs = performance.now();
        await untilInViews(platform);
        const viewsMs = performance.now();
        await examineMembers(platform, room, people);
        await load.call('leave');
        return {
          's until all are acknowledged': seconds,
          'joins/s': people / seconds,
          'answer p50 ms': tookMs.p50,
          'answer p99 ms': tookMs.p99,
          'told to repeat': refused,
          ...(by === 'socket' && { 's more until a message is with all': (heardMs - acknowledgedMs) / 1_000 }),
          's more until the views have all': (viewsMs - acknowledgedMs) / 1_000,
        };
      },
      stop: async () => {
        owner.stop();
        await load.stop();
      },
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'storm-join',
    sentence:
      `A public room is joined by ${PEOPLE.toLocaleString('en-US')} signed-in people at once, each with a connection of their own: everybody has asked before the ` +
      'first is answered. Every answer is counted; then a message has to reach every socket, and the room has to have these members, each once. Two gateways, ' +
      'two processes of the api, one command service.',
    figure: 's until all are acknowledged',
    better: 'lower',
    goals: [],
    rounds: 2,
    subjects: [
      subject('sockets, sync off', { by: 'socket', sync: 'off' }),
      subject('sockets, sync always', { by: 'socket', sync: 'always' }),
      subject('HTTP, sync off', { by: 'http', sync: 'off' }),
    ],
    notes: [
      'Joins that arrive together share a batch of the log (up to 64 members). An answer over HTTP comes when the views have the member, with the history of the room; ' +
        'one over a socket when the log has them. An answer’s time is from the first request of all, repeats included.',
    ],
  },
];
