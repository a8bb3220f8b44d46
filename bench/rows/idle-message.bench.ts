/** One message to a thousand sockets of a platform at rest: no timer may add delay here. */
import type { Benchmark } from '../benchmark.js';
import { AWAKE_NOTE, oneRoomSubjects } from './fan-out.bench.js';

const REST_MS = 20;

export const benchmarks: readonly Benchmark[] = [
  {
    name: 'idle-message-1x1000',
    sentence:
      'One message to 1,000 sockets, with nothing else to do: the time from publishing it to the last socket. Then a rest of 20 ms, and the next one.',
    figure: 'p50 ms',
    better: 'lower',
    goals: ['<= 1.1 x bare'],
    subjects: oneRoomSubjects({ rooms: 1, socketsEach: 1_000, outstanding: 1, restMs: REST_MS, means: 'live' }),
    notes: [AWAKE_NOTE],
  },
];
