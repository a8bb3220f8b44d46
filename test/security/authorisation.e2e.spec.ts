/**
 * Who may do what, on every way in: made of the contract, so that nothing can be forgotten. What is expected stands in `rules.ts` and
 * `operations.ts`; docs/AUTHORISATION.md shows it.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { CLIENT_FRAMES, ROUTES } from '#contract/descriptions';
import { chatService } from '../grpc.js';
import { connect } from '../socket.js';
import { askHttp, askRpc, askStream, askUnsigned, askUpgrade, type Outcome, requestOf, SOCKET_WAYS } from './asking.js';
import { type MatrixWorld, startMatrixWorld } from './matrix-world.js';
import { faultsOf, inParallel, runMatrix, type Asked } from './matrix.js';
import { type Case, FRAMES, HTTP, RPCS } from './operations.js';
import { NOT_INSIDE } from './rules.js';
import type { BadToken } from './tokens.js';

const AT_ONCE = 16;
let world: MatrixWorld;
let matrix: Asked[];

beforeAll(async () => {
  world = await startMatrixWorld();
}, 120_000);
afterAll(() => world?.stop(), 60_000);

describe('the matrix covers', () => {
  test('every route of the contract, and nothing else', () => {
    expect(Object.keys(HTTP).sort()).toEqual(ROUTES.map(({ method, path }) => `${method} ${path}`).sort());
  });
  test('every frame', () => {
    expect(Object.keys(FRAMES).sort()).toEqual(Object.keys(CLIENT_FRAMES).sort());
  });
  test('every RPC', () => {
    expect(Object.keys(RPCS).sort()).toEqual(Object.keys(chatService).sort());
  });
  test('what the descriptions say of signing in', () => {
    const said = ROUTES.filter(({ signIn }) => signIn === 'none').map(({ method, path }) => `${method} ${path}`);
    const open = Object.entries(HTTP).filter(([, { rule }]) => rule === 'open');
    // Signing out takes one of two tokens.
    expect([...open.map(([route]) => route), 'POST /api/auth/logout'].sort()).toEqual(said.sort());
  });
});

describe('everybody', () => {
  test('may do on every way in what the rules say, and nothing else', async () => {
    matrix = await runMatrix(world);
    expect(matrix.length).toBeGreaterThan(700);
    expect(faultsOf(matrix.map((each) => ({ ...each, who: `${each.caller}, ${each.kind} room` })))).toBe('');
  }, 240_000);

  test('is told the same of a private room that they are not in and of one that there is not', () => {
    const hidden = matrix.filter(({ ofNoRoom }) => ofNoRoom !== undefined);
    expect(hidden.length).toBeGreaterThan(50);
    for (const { what, caller, outcome, ofNoRoom } of hidden)
      expect({ what, caller, ...outcome }).toEqual({ what, caller, ...ofNoRoom });
  });
});

describe('nobody', () => {
  const cases = (): Case => ({ ...world.shared.public, me: 'owner' });
  const who = ({ what }: BadToken): string => what;

  test('is let in on any route with a token that is not good', async () => {
    const closed = Object.entries(HTTP).filter(([, { rule, absent }]) => rule !== 'open' && absent !== true);
    const all = closed.flatMap(([route]) => world.bad.map((bad) => ({ route, bad })));
    const asked = await inParallel(all, AT_ONCE, async ({ route, bad }) => ({
      what: route,
      who: who(bad),
      expected: bad.code,
      outcome: await askHttp(world.platform.http, { route, given: cases(), token: bad.token }),
    }));
    expect(asked.length).toBeGreaterThan(400);
    expect(faultsOf(asked)).toBe('');
  }, 120_000);

  test('is let in on any RPC with a token that is not good', async () => {
    const closed = Object.entries(RPCS).filter(([, { rule }]) => rule !== 'open');
    const clients = world.bad.map((bad) => ({
      bad,
      grpc: bad.token === undefined ? world.grpc : world.grpc.as(bad.token),
    }));
    const all = closed.flatMap(([name, operation]) => clients.map((client) => ({ name, operation, ...client })));
    const asked = await inParallel(all, AT_ONCE, async ({ name, operation, bad, grpc }) => {
      const isStream = operation.actions !== undefined;
      const outcome = isStream
        ? await askStream(grpc, name as 'Chat' | 'ChatStream')
        : await askRpc(grpc, name, requestOf(operation, cases()));
      return { what: name, who: who(bad), expected: bad.code, outcome };
    });
    for (const { bad, grpc } of clients) if (bad.token !== undefined) grpc.close();
    expect(asked.length).toBeGreaterThan(250);
    expect(faultsOf(asked)).toBe('');
  }, 120_000);

  test('is let in on a socket with a token that is not good, in whichever way it comes', async () => {
    const all = SOCKET_WAYS.flatMap((way) => world.bad.map((bad) => ({ way, bad })));
    const asked = await inParallel(all, AT_ONCE, async ({ way, bad }) => ({
      what: `socket, token by ${way}`,
      who: who(bad),
      expected: closeOf(way, bad),
      outcome: await askUpgrade(world.platform.sockets[0] ?? '', way, bad.token),
    }));
    expect(faultsOf(asked)).toBe('');
  }, 60_000);

  test('is heard on a socket before a hello', async () => {
    const frames = Object.keys(FRAMES).filter((op) => op !== 'hello');
    const asked = await inParallel(frames, AT_ONCE, async (op) => ({
      what: `frame ${op}`,
      who: 'before signing in',
      expected: '4502',
      outcome: await askUnsigned(world.platform.sockets[0] ?? '', op, cases()),
    }));
    expect(faultsOf(asked)).toBe('');
  });

  test('acts in the name of somebody else', async () => {
    const token = world.token('owner');
    const grpc = world.grpc.as(token);
    const routes = Object.entries(HTTP).flatMap(([route, { asAnother }]) =>
      asAnother === undefined
        ? []
        : [
            {
              what: route,
              ask: () => askHttp(world.platform.http, { route, given: cases(), token, body: asAnother(cases()) }),
            },
          ],
    );
    const rpcs = Object.entries(RPCS).flatMap(([name, { asAnother }]) =>
      asAnother === undefined ? [] : [{ what: `rpc ${name}`, ask: () => askRpc(grpc, name, asAnother(cases())) }],
    );
    expect(rpcs.map(({ what }) => what).sort()).toEqual(
      namesItsCaller()
        .map((name) => `rpc ${name}`)
        .sort(),
    );
    const all: { what: string; ask: () => Promise<Outcome> }[] = [...routes, ...rpcs];
    const asked = await inParallel(all, AT_ONCE, async ({ what, ask }) => ({
      what,
      who: 'owner, in the name of guest',
      expected: 'forbidden',
      outcome: await ask(),
    }));
    grpc.close();
    expect(faultsOf(asked)).toBe('');
  });

  test('needs a token where none is asked for', async () => {
    const open = Object.entries(HTTP).filter(([, { rule, absent }]) => rule === 'open' && absent !== true);
    for (const [route] of open) {
      const { verdict } = await askHttp(world.platform.http, { route, given: cases() });
      expect({ route, verdict }).toEqual({
        route,
        verdict: expect.not.stringMatching(/^(unauth|forbidden|not_found)/),
      });
    }
    expect((await askRpc(world.grpc, 'HealthCheck', {})).verdict).toBe('ok');
  });

  test('finds the demo where it is off', async () => {
    const absent = Object.entries(HTTP).filter(([, operation]) => operation.absent === true);
    for (const [route] of absent)
      expect(await askHttp(world.platform.http, { route, given: cases() })).toMatchObject({ verdict: 'not_found' });
  });
});

describe('a private room leaves no trace', () => {
  const secret = (): string => world.shared.private.room;

  test.each(NOT_INSIDE)('in what %s, who is not in it, can list, search or read', async (caller) => {
    const given = { ...world.shared.private, me: caller };
    const token = world.token(caller);
    const found: string[] = [];
    const look = (what: string, { verdict, shown }: Outcome): void => {
      expect({ what, verdict }).toEqual({ what, verdict: 'ok' });
      if (shown.includes(secret())) found.push(what);
    };
    for (const route of ['GET /api/inbox', 'GET /api/me', 'GET /api/users/:userId', 'POST /api/connections'])
      look(route, await askHttp(world.platform.http, { route, given, token }));
    const { text } = await world.http(caller).get(`/api/rooms?q=Called+${secret()}`);
    look('GET /api/rooms', { verdict: 'ok', shown: text });
    const grpc = world.grpc.as(token);
    look('GetRooms', await askRpc(grpc, 'GetRooms', { user_id: caller }));
    look('ListRooms', await askRpc(grpc, 'ListRooms', { user_id: caller, include_private: true }));
    look('SearchMessages', await askRpc(grpc, 'SearchMessages', { query: 'matrix', user_id: caller }));
    grpc.close();
    expect(found).toEqual([]);
    // Those who are in it do find it, so there was something to be found.
    expect((await world.http('member').get(`/api/rooms?q=Called+${secret()}`)).text).toContain(secret());
  });

  test('on the sockets of those who are not in it: no event, no typing, nobody’s presence', async () => {
    const url = world.platform.sockets[0] ?? '';
    const [member, ...outside] = await Promise.all(
      (['member', 'guest', ...NOT_INSIDE] as const).map((caller) => connect(url, world.token(caller))),
    );
    if (member === undefined) throw new Error('there is no member');
    for (const socket of outside)
      expect(await socket.request({ op: 'watch', users: ['target'] })).toMatchObject({ op: 'ack' });
    const owner = await connect(url, world.token('owner'));
    owner.send({ op: 'typing', room: secret(), typing: true });
    await member.frame('the owner types', ({ op, room }) => op === 'typing' && room === secret());
    await owner.request({ op: 'send', room: secret(), content: 'between us' });
    await member.frame('what the owner said', ({ type, room }) => type === 'message.sent' && room === secret());
    for (const socket of outside) {
      await socket.pong();
      expect(JSON.stringify(socket.frames)).not.toContain(secret());
    }
    // The guest alone shares no other room with the target.
    expect(outside[0]?.frames.filter(({ op }) => op === 'presence')).toEqual([]);
    for (const socket of outside) socket.cut();
    for (const socket of [member, owner]) socket.cut();
  });
});

/** By the header it is refused before the upgrade, where a program can read the answer; a browser needs a close code. */
function closeOf(way: (typeof SOCKET_WAYS)[number], { code, token }: BadToken): string {
  if (way === 'header' && token !== undefined) return 'refused with 401';
  return code === 'token_expired' ? '4501' : '4500';
}

/** RPCs whose request says who acts; those about another user's profile do not. */
function namesItsCaller(): string[] {
  const aboutOthers = new Set(['GetUser', 'GetUserProfile']);
  return Object.entries(chatService)
    .filter(([name, { requestStream, responseStream }]) => !aboutOthers.has(name) && !(requestStream && responseStream))
    .filter(([, method]) => /"(user_id|created_by)"|ChatMessage"/.test(JSON.stringify(requestTypeOf(method))))
    .map(([name]) => name);
}

/** As the loader describes it beside what gRPC itself needs to know. */
const requestTypeOf = (method: object): unknown => ('requestType' in method ? method.requestType : undefined);
