/** The matrix: every case of every operation, asked side by side, and what came that the rules do not say. */
import type { Grpc, GrpcStream } from '../grpc.js';
import { connect, type Socket } from '../socket.js';
import { askAction, askFrame, askHttp, askRpc, type Outcome, requestOf } from './asking.js';
import type { MatrixWorld } from './matrix-world.js';
import { type Case, FRAMES, HTTP, RPCS } from './operations.js';
import {
  type Caller,
  CALLERS,
  expected,
  NOT_INSIDE,
  ROOM_KINDS,
  type RoomKind,
  type RuleName,
  ruleOf,
} from './rules.js';

/** Cases under way: enough to keep the platform busy. */
const AT_ONCE = 16;

/** One case that was asked. */
export interface Asked {
  readonly what: string;
  readonly caller: Caller;
  readonly kind: RoomKind;
  readonly expected: string;
  readonly outcome: Outcome;
  /** Where a private room must not exist: what the same question about no room at all comes to. */
  readonly ofNoRoom: Outcome | undefined;
}

type Ask = (given: Case) => Promise<Outcome>;

interface Job {
  readonly what: string;
  readonly rule: RuleName;
  readonly changes: boolean;
  readonly caller: Caller;
  readonly kind: RoomKind;
  readonly ask: Ask;
}

/** Runs all of it; a rule that no room decides is tried with one kind of room. */
export async function runMatrix(world: MatrixWorld): Promise<Asked[]> {
  const clients = await Promise.all(CALLERS.map((caller) => openClients(world, caller)));
  try {
    const all = clients.flatMap((each) => jobsOf(world, each)).filter(isWorthwhile);
    const [single, ordered] = [
      all.filter(({ what }) => !ORDERED.test(what)),
      all.filter(({ what }) => ORDERED.test(what)),
    ];
    const asked = await inParallel(single, AT_ONCE, (job) => run(world, job));
    // What has no answer of its own is told by what comes next on its connection: one at a time for each caller.
    const lines = CALLERS.map((caller) => ordered.filter((job) => job.caller === caller));
    const rest = await inParallel(lines, AT_ONCE, async (line) => {
      const done: Asked[] = [];
      for (const job of line) done.push(await run(world, job));
      return done;
    });
    return [...asked, ...rest.flat()];
  } finally {
    for (const { close } of clients) close();
  }
}

const ORDERED = /^(frame (typing|ping)|rpc (Chat|ChatStream) )/;

const isWorthwhile = ({ rule, kind }: Job): boolean => ruleOf(rule).rooms !== undefined || kind === 'public';

async function run(world: MatrixWorld, { what, rule, changes, caller, kind, ask }: Job): Promise<Asked> {
  const me = caller;
  const place = changes ? await world.fresh(kind, caller) : world.shared[kind];
  const outcome = await ask({ ...place, me });
  const isHidden = kind === 'private' && NOT_INSIDE.includes(caller) && what !== 'rpc GetFile';
  const room = 'r'.repeat(place.room.length);
  const ofNoRoom = isHidden ? await ask({ ...place, me, room }) : undefined;
  return { what, caller, kind, expected: expected(rule, caller, kind), outcome, ofNoRoom };
}

interface Clients {
  readonly caller: Caller;
  readonly token: string;
  readonly socket: Socket;
  readonly grpc: Grpc;
  readonly streams: Readonly<Record<string, GrpcStream>>;
  readonly close: () => void;
}

async function openClients(world: MatrixWorld, caller: Caller): Promise<Clients> {
  const token = world.token(caller);
  const grpc = world.grpc.as(token);
  const socket = await connect(world.platform.sockets[0] ?? '', token);
  const streams = { Chat: grpc.stream('Chat'), ChatStream: grpc.stream('ChatStream') };
  const close = (): void => {
    socket.cut();
    for (const stream of Object.values(streams)) stream.call.cancel();
    grpc.close();
  };
  return { caller, token, socket, grpc, streams, close };
}

function jobsOf({ platform }: MatrixWorld, { caller, token, socket, grpc, streams }: Clients): Job[] {
  const http = Object.entries(HTTP)
    .filter(([, { rule, absent }]) => rule !== 'open' && absent !== true)
    // Signing out is for sessions of its own (accounts' specs).
    .filter(([route]) => route !== 'POST /api/auth/logout')
    .map(([route, { rule, changes }]) => ({
      what: route,
      rule,
      changes: changes === true,
      ask: (given: Case) => askHttp(platform.http, { route, given, token }),
    }));
  const frames = Object.entries(FRAMES).map(([op, { rule, changes }]) => ({
    what: `frame ${op}`,
    rule,
    changes: changes === true,
    ask: (given: Case) => askFrame(socket, op, given),
  }));
  const rpcs = Object.entries(RPCS).flatMap(([name, operation]) => {
    const { rule, changes, actions } = operation;
    if (rule === 'open') return [];
    if (actions === undefined) {
      const ask: Ask = (given) => askRpc(grpc, name, requestOf(operation, given));
      return [{ what: `rpc ${name}`, rule, changes: changes === true, ask }];
    }
    return Object.entries(actions).map(([action, ruleOfAction]) => ({
      what: `rpc ${name} ${action}`,
      rule: ruleOfAction,
      changes: action === 'join' || action === 'leave',
      ask: (given: Case) => askAction(streams[name] as GrpcStream, action, given),
    }));
  });
  return [...http, ...frames, ...rpcs].flatMap((job) => ROOM_KINDS.map((kind) => ({ ...job, caller, kind })));
}

/** As many at once as are given; results in the order of the items. */
export async function inParallel<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  const rest = items.entries();
  const worker = async (): Promise<void> => {
    for (const [i, item] of rest) results[i] = await work(item);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  return results;
}

/** What is not as it should be, as a table to read; empty when all is well. */
export function faultsOf(asked: readonly { what: string; who: string; expected: string; outcome: Outcome }[]): string {
  const wrong = asked.filter(({ outcome, expected: wanted }) => outcome.verdict !== wanted);
  if (wrong.length === 0) return '';
  const lines = wrong.map(({ what, who, expected: wanted, outcome: { verdict, shown } }) =>
    [what.padEnd(50), who.padEnd(44), wanted.padEnd(16), verdict.padEnd(16), shown.slice(0, 120)].join(' '),
  );
  const heading = ['what', 'who', 'expected', 'came'].map((word, i) => word.padEnd([50, 44, 16, 16][i] ?? 0)).join(' ');
  return [`${wrong.length} of ${asked.length} cases are not as the rules say`, heading, ...lines].join('\n');
}
