/** Live delivery: one message, many sockets. */
import type { Platform } from '#embedded';
import type { Benchmark, Subject } from '../benchmark.js';
import { bareServer, type Server, type Shape, socketIoServer, underLoad } from '../load/fan-out.js';
import { brokerOf, makeRooms, parley, pidOf, seatsOf } from '../parley.js';
import { redisServer } from '../peers/redis-server.js';
import type { Stage } from '../stage.js';

/** With it, a stored event is as long as Parley's frame of one with the usual content: 375 bytes. */
const AS_LONG_CONTENT_BYTES = 292;

const subject = (
  name: string,
  shape: Shape,
  serve: (platform: Platform, stage: Stage) => Promise<Server>,
): Subject => ({
  name,
  start: async (stage) => {
    const platform = await parley(stage, { sync: 'off' });
    stage.say(`  ${name}: ${shape.rooms} x ${shape.socketsEach} sockets come`);
    return underLoad(await serve(platform, stage), brokerOf(platform), shape);
  },
});

const parleySubject = (shape: Shape, name = 'parley'): Subject =>
  subject(name, shape, async (platform) => {
    const rooms = await makeRooms(platform, shape.isAwake ? 'awake' : 'parley', shape.rooms, shape.socketsEach);
    const gateway = pidOf(platform, 'gateway-1');
    return { processes: { gateway }, worker: 'gateway', seats: seatsOf(platform, rooms), stop: async () => undefined };
  });

const bareSubject = (shape: Shape, name = 'bare'): Subject =>
  subject(name, shape, (platform) => bareServer(platform.natsUrls(), shape));

const socketIoSubject = (shape: Shape): Subject =>
  subject('socket.io', shape, (platform) => socketIoServer(platform.natsUrls(), shape));

const twoNodesSubject = (shape: Shape): Subject =>
  subject('socket.io, 2 nodes + redis', shape, async (platform, stage) => {
    const { url } = await stage.once('redis', () => redisServer(stage.folder));
    return socketIoServer(platform.natsUrls(), shape, url);
  });

const fanOutSubjects = (shape: Shape): Subject[] => [
  parleySubject(shape),
  bareSubject(shape),
  bareSubject({ ...shape, contentBytes: AS_LONG_CONTENT_BYTES }, 'bare, frames as long'),
  socketIoSubject(shape),
  twoNodesSubject(shape),
];

/** The same, where no write has to wake who reads it. */
const awakeSubjects = (shape: Shape): Subject[] => [
  parleySubject({ ...shape, isAwake: true }, 'parley, load awake'),
  bareSubject({ ...shape, isAwake: true }, 'bare, load awake'),
];

/** Of one room. */
export const oneRoomSubjects = (shape: Shape): Subject[] => [...fanOutSubjects(shape), ...awakeSubjects(shape)];

export const AWAKE_NOTE =
  'A write to a socket whose reader sleeps wakes it, and that is the dearer part of the write on this machine: the faster the load is through with what has come, the ' +
  'more often it sleeps. *load awake*, where it was measured, is the same with a load that never does.';

const fanOut = (name: string, shape: Shape, sentence: string, goals: readonly string[]): Benchmark => ({
  name,
  sentence,
  figure: 'deliveries/s',
  better: 'higher',
  goals,
  subjects: shape.rooms === 1 ? oneRoomSubjects(shape) : fanOutSubjects(shape),
  notes: [
    ...(shape.rooms === 1 ? [AWAKE_NOTE] : []),
    'The bare server sends the stored event of 200 bytes as it came; Parley’s frame of it has 375 (place, sender, time, id, number in the ' +
      'room). *bare, frames as long* shows what of the difference is bytes. What was tried: [NOTES](NOTES.md).',
  ],
});

const live = { restMs: 0, means: 'live' } as const;
const HOW =
  'Everybody gets the same events by the same means: copies of stored events as the broker republishes them, which the load itself ' +
  'publishes, closed loop; each delivery is counted, and has to be the next one of its socket.';

export const benchmarks: readonly Benchmark[] = [
  fanOut(
    'fan-out-1x1000x4',
    { ...live, rooms: 1, socketsEach: 1_000, outstanding: 4 },
    `Live fan-out, 1 room x 1,000 sockets, 4 messages outstanding. ${HOW}`,
    ['>= 0.9 of bare', '>= 3 x socket.io'],
  ),
  fanOut(
    'fan-out-1x1000x32',
    { ...live, rooms: 1, socketsEach: 1_000, outstanding: 32 },
    `Live fan-out, 1 room x 1,000 sockets, 32 messages outstanding. ${HOW}`,
    ['>= 0.8 of bare', '>= 20 x socket.io'],
  ),
  fanOut(
    'fan-out-100x10x8',
    { ...live, rooms: 100, socketsEach: 10, outstanding: 8 },
    `Live fan-out, 100 rooms x 10 sockets, 8 messages outstanding in each room. ${HOW}`,
    ['>= 0.85 of bare', '>= 5 x socket.io'],
  ),
];
