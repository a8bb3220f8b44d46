/** What the validation of a command costs, where nothing else is done with it. */
import { join } from 'node:path';
import type { Benchmark, Figures, Round, Started, Subject } from '../benchmark.js';
import type { PostsOptions, PostsResult } from '../load/posts.js';
import { Program } from '../program.js';

const CONNECTIONS = 64;
const SECONDS = 4;
const SECONDS_QUICK = 0.5;

const subject = (name: string, path: string): Subject => ({
  name,
  start: async (): Promise<Started> => {
    const server = await Program.start(join(import.meta.dirname, '..', 'peers', 'nest-posts.ts'));
    const load = await Program.start(join(import.meta.dirname, '..', 'load', 'posts.ts'));
    const url = await server.call<string>('listen');
    const run = async ({ quick }: Round): Promise<Figures> => {
      const seconds = quick ? SECONDS_QUICK : SECONDS;
      const options: PostsOptions = { url, path, connections: CONNECTIONS, seconds };
      const { perSecond, p50Ms, p99Ms } = await load.call<PostsResult>('run', options);
      return { 'posts/s': perSecond, 'p50 ms': p50Ms, 'p99 ms': p99Ms };
    };
    return {
      processes: () => ({ server: server.pid, load: load.pid }),
      worker: 'server',
      warm: async (round) => void (await run(round)),
      measure: run,
      stop: async () => {
        await load.stop();
        await server.stop();
      },
    };
  },
});

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'validation',
    sentence:
      `Posts a second of Nest on Fastify, ${CONNECTIONS} connections with one message of 100 characters on its way each: with our ` +
      'validation of a send (the schema that the send handler has, which zod compiles), and with none.',
    figure: 'posts/s',
    better: 'higher',
    goals: ['>= 0.85 of no pipe'],
    subjects: [subject('our validation', '/rooms/room-1/validated'), subject('no pipe', '/rooms/room-1/unread')],
    notes: ['In Parley it is done by the send handler, not by `api`: HTTP, sockets and gRPC share it.'],
  },
];
