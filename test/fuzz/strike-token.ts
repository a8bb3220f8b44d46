/** Brings a token on one of the ways in, and says what is wrong with what came of it: only what the secret has signed lets anybody in. */
import { Client, credentials, Metadata, type StatusObject } from '@grpc/grpc-js';
import { WebSocket, type ClientOptions } from 'ws';
import { BEARER_SUBPROTOCOL_PREFIX, CLOSE, SUBPROTOCOL } from '#contract';
import { checkFrame } from '../described.js';
import { chatService } from '../grpc.js';
import { SECRET } from '../platform.js';
import type { Attack } from './attacks.js';
import { isSignedBy, tokenText } from './tokens.js';
import { ANSWER_MS, type Target } from './target.js';

/** What came of it; anything else is told in words. */
type Outcome = 'in' | 'refused' | { readonly wrong: string };

/** The last is for a hello that is too large to be read. */
const REFUSED_BY: ReadonlySet<number> = new Set([CLOSE.signInRefused, CLOSE.tokenExpired, CLOSE.frameTooLarge]);
const UNAUTHENTICATED = 16;
/** Of gRPC: unknown, too late, internal, unavailable. */
const FAULTS: ReadonlySet<number> = new Set([2, 4, 13, 14]);
/** More in a header is refused by Node before anybody looks at it. */
const HEADER_CHARACTERS = 6_000;
const QUERY_CHARACTERS = 1_500;
/** What the protocols' libraries let a header hold; the rest never leaves a client. */
const inHeader = (text: string): string => text.replace(/[^\x21-\x7e]/g, '').slice(0, HEADER_CHARACTERS);
const inSubprotocol = (text: string): string =>
  text.replace(/[^!#$%&'*+\-.^_`|~0-9A-Za-z]/g, '').slice(0, HEADER_CHARACTERS);

export async function strikeByToken(target: Target, { way, token }: Extract<Attack, { by: 'token' }>): Promise<string> {
  const whole = tokenText(token, target.token, SECRET);
  const { sent, outcome } = await bring(target, way, whole);
  if (typeof outcome === 'object') return `token by ${way}: ${outcome.wrong}`;
  const mayCome = way !== 'query' && isSignedBy(SECRET, sent);
  return outcome === 'in' && !mayCome ? `token by ${way}: let in with ${sent}` : '';
}

async function bring(
  target: Target,
  way: Extract<Attack, { by: 'token' }>['way'],
  whole: string,
): Promise<{ readonly sent: string; readonly outcome: Outcome }> {
  const header = inHeader(whole);
  const bearer = { headers: { authorization: `Bearer ${header}` } };
  switch (way) {
    case 'hello':
      return { sent: whole, outcome: await overSocket(target.socket, [SUBPROTOCOL], {}, whole) };
    case 'subprotocol': {
      const sent = inSubprotocol(whole);
      const protocols = [SUBPROTOCOL, `${BEARER_SUBPROTOCOL_PREFIX}${sent}`];
      return { sent, outcome: await overSocket(target.socket, protocols, {}, undefined) };
    }
    case 'upgrade':
      return { sent: header, outcome: await overSocket(target.socket, [SUBPROTOCOL], bearer, undefined) };
    case 'query': {
      // No way in at all: what stands in addresses stands in logs.
      const named = header.slice(0, QUERY_CHARACTERS);
      const query = new URLSearchParams({ token: named, access_token: named });
      return { sent: header, outcome: await overSocket(`${target.socket}?${query}`, [], {}, undefined) };
    }
    case 'header':
      return { sent: header, outcome: await overHttp(target.http, bearer.headers) };
    case 'grpc':
    case 'grpc stream':
      // HTTP/2 drops a field that ends with a space, and a call without one is a demo guest's, who may come in.
      return { sent: header, outcome: await overGrpc(target.grpc, way, bearer.headers.authorization.trimEnd()) };
  }
}

/** @param hello its token; undefined for a hello without one */
function overSocket(
  url: string,
  protocols: string[],
  options: ClientOptions,
  hello: string | undefined,
): Promise<Outcome> {
  const connection = new WebSocket(url, protocols, { perMessageDeflate: false, ...options });
  return new Promise((resolve) => {
    const deadline = setTimeout(() => end({ wrong: 'neither let in nor refused' }), ANSWER_MS);
    const end = (outcome: Outcome): void => {
      clearTimeout(deadline);
      connection.terminate();
      resolve(outcome);
    };
    connection.on('open', () => connection.send(JSON.stringify({ op: 'hello', token: hello })));
    connection.on('message', (data: Buffer) => {
      const frame = JSON.parse(data.toString('utf8')) as { op: string };
      checkFrame(frame);
      if (frame.op === 'welcome') end('in');
    });
    connection.on('unexpected-response', (_, { statusCode = 0 }) =>
      end(statusCode === 401 ? 'refused' : { wrong: `the upgrade is answered ${statusCode}` }),
    );
    connection.on('close', (code) => end(REFUSED_BY.has(code) ? 'refused' : { wrong: `closed with ${code}` }));
    connection.on('error', (error) => end({ wrong: `the socket failed: ${error.message}` }));
  });
}

async function overHttp(url: string, headers: Record<string, string>): Promise<Outcome> {
  const { status } = await fetch(`${url}/api/rooms`, { headers, signal: AbortSignal.timeout(ANSWER_MS) });
  if (status === 200) return 'in';
  return status === 401 ? 'refused' : { wrong: `answered ${status}` };
}

function overGrpc(address: string, way: 'grpc' | 'grpc stream', authorization: string): Promise<Outcome> {
  const client = new Client(address, credentials.createInsecure());
  const metadata = new Metadata();
  metadata.set('authorization', authorization);
  const { path } = chatService[way === 'grpc' ? 'GetRooms' : 'ChatStream']!;
  return new Promise((resolve) => {
    const end = (outcome: Outcome): void => {
      client.close();
      resolve(outcome);
    };
    const same = (raw: Buffer): Buffer => raw;
    const call = client.makeBidiStreamRequest(path, same, same, metadata, { deadline: Date.now() + ANSWER_MS });
    // The status is the last word; an error comes with it, or not, and so does an end.
    call.on('error', () => undefined);
    // Who was given anything was let in, however it ends.
    let isServed = false;
    call.on('data', () => (isServed = true));
    call.on('status', ({ code, details }: StatusObject) => {
      if (code === UNAUTHENTICATED) return end(isServed ? 'in' : 'refused');
      end(FAULTS.has(code) ? { wrong: `ends with ${code} ${details}` } : 'in');
    });
    call.write(Buffer.alloc(0));
    call.end();
  });
}
