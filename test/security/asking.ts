/** How each way in is asked, and what its answer comes to: `ok`, or the code of a refusal. */
import { REFUSALS } from '#contract';
import { waitUntil } from '#embedded';
import { type Grpc, type GrpcAnswer, type GrpcStream, methodOf } from '../grpc.js';
import { type Fields, type Http } from '../http.js';
import { type Frame, Socket, WAIT_MS } from '../socket.js';
import { type Case, type FrameOperation, FRAMES, HTTP, type HttpOperation, type RpcOperation } from './operations.js';

/** What came: what it comes to, and all of it, for comparing. */
export interface Outcome {
  readonly verdict: string;
  readonly shown: string;
}

const UPGRADE_REQUIRED = 426;

export interface HttpAsk {
  readonly route: string;
  readonly given: Case;
  readonly token?: string | undefined;
  readonly body?: object | undefined;
}

/** One request to a route of the contract. */
export async function askHttp(http: Http, { route, given, token, body }: HttpAsk): Promise<Outcome> {
  const operation = HTTP[route];
  const [method = '', template = ''] = route.split(' ');
  if (operation === undefined) throw new Error(`nothing is known of ${route}`);
  const query = operation.query === undefined ? '' : `?${new URLSearchParams(operation.query(given)).toString()}`;
  const url = `${pathOf(template, operation, given)}${query}`;
  if (operation.streams === true || operation.absent === true) return headOf(`${http.url}${url}`, method, token);
  const options = { body: body ?? operation.body?.(given), headers: { accept: 'application/json' } };
  const { status, text, json } = await http.as(token).call(method, url, options);
  const isOk = status < 300 || status === UPGRADE_REQUIRED;
  return { verdict: isOk ? 'ok' : String(json['code'] ?? status), shown: `${status} ${text}` };
}

function pathOf(template: string, { user }: HttpOperation, given: Case): string {
  const names: Readonly<Record<string, string>> = {
    roomId: given.room,
    userId: user?.(given) ?? given.target,
    messageId: given.message,
    code: `r.${given.room}`,
  };
  return template.replace(/:([A-Za-z]+)/g, (_, name: string) => encodeURIComponent(names[name] ?? ''));
}

/** What never ends is looked at and let go; what is not there is not described either. */
async function headOf(url: string, method: string, token: string | undefined): Promise<Outcome> {
  const ended = new AbortController();
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(url, { method, headers, signal: ended.signal });
  const { status } = response;
  if (status < 300) {
    ended.abort();
    return { verdict: 'ok', shown: String(status) };
  }
  const text = await response.text();
  const code = (JSON.parse(text) as { code?: string }).code ?? String(status);
  return { verdict: code, shown: `${status} ${text}` };
}

/** One frame on a socket that is up; those without an answer of their own are followed by a ping. */
export async function askFrame(socket: Socket, op: string, given: Case): Promise<Outcome> {
  const { frame } = FRAMES[op] as FrameOperation;
  if (op === 'hello') return { verdict: 'ok', shown: 'welcome' }; // the socket is up
  const isAnswered = op !== 'typing' && op !== 'ping';
  if (isAnswered) return frameOutcome(await socket.request({ op, ...frame(given) }));
  const before = socket.frames.length;
  socket.send({ op, ...frame(given) });
  await socket.pong();
  const refused = socket.frames.slice(before).find((each) => each.op === 'error');
  return refused === undefined ? { verdict: 'ok', shown: 'pong' } : frameOutcome(refused);
}

function frameOutcome({ id: _request, ...frame }: Frame): Outcome {
  return { verdict: frame.op === 'error' ? String(frame['code']) : 'ok', shown: JSON.stringify(frame) };
}

/** Every way a token can come to a socket, and what the platform says to it. */
export async function askUpgrade(url: string, way: SocketWay, token: string | undefined): Promise<Outcome> {
  const socket = new Socket(url, optionsOf(way, token));
  await waitUntil('an upgrade, or its refusal', WAIT_MS, () => socket.isClosed || socket.protocol !== '');
  if (!socket.isClosed) socket.send({ op: 'hello', ...(way === 'hello' && token !== undefined ? { token } : {}) });
  await waitUntil('a welcome or a close', WAIT_MS, () => socket.isClosed || socket.frames.length > 0);
  if (!socket.isClosed) {
    socket.cut();
    return { verdict: 'ok', shown: JSON.stringify(socket.frames) };
  }
  const { code, reason } = await socket.closed();
  const said = socket.frames.length === 0 ? '' : ` ${JSON.stringify(socket.frames)}`;
  return { verdict: code === 1006 ? reason : String(code), shown: `${code} ${reason}${said}` };
}

export const SOCKET_WAYS = ['header', 'subprotocol', 'hello'] as const;
export type SocketWay = (typeof SOCKET_WAYS)[number];

function optionsOf(way: SocketWay, token: string | undefined): ConstructorParameters<typeof Socket>[1] {
  const protocols = ['parley.v1'];
  if (way === 'header') return { protocols, token };
  if (way === 'subprotocol' && token !== undefined) return { protocols: [...protocols, `bearer.${token}`] };
  return { protocols };
}

/** A frame before anybody has signed in: how the connection ends. */
export async function askUnsigned(url: string, op: string, given: Case): Promise<Outcome> {
  const socket = await new Socket(url, { protocols: ['parley.v1'] }).opened();
  socket.send({ op, id: 'a', ...(FRAMES[op] as FrameOperation).frame(given) });
  const { code, reason } = await socket.closed();
  return { verdict: String(code), shown: reason };
}

/** A unary RPC, a list, or an upload. */
export async function askRpc(grpc: Grpc, name: string, request: object): Promise<Outcome> {
  const { requestStream } = methodOf(name);
  return rpcOutcome(requestStream ? await grpc.upload([request]) : await grpc.call(name, request));
}

function rpcOutcome({ code, details, trailers, value, values }: GrpcAnswer): Outcome {
  if (code === 0) return { verdict: 'ok', shown: JSON.stringify([value, values]) };
  const said = trailers['parley-code'];
  return { verdict: typeof said === 'string' ? said : `grpc ${code}`, shown: `${code} ${details} ${String(said)}` };
}

/** How a stream that is never let in ends. */
export async function askStream(grpc: Grpc, name: 'Chat' | 'ChatStream'): Promise<Outcome> {
  const stream = grpc.stream(name);
  const { code, details, metadata } = await stream.ended();
  return rpcOutcome({ code, details, trailers: metadata.getMap(), value: {}, values: [] });
}

/** One action on an open stream. An action that nobody knows is always refused: it marks the end of what the first one led to. */
export async function askAction(stream: GrpcStream, type: string, given: Case): Promise<Outcome> {
  const { me, room } = given;
  const before = stream.came.length;
  const message = type === 'send' ? { message: { user_id: me, room_id: room, content: 'hello' } } : {};
  stream.send({ user_id: me, room_id: room, action_type: type, ...message });
  stream.send({ user_id: me, room_id: room, action_type: MARKER });
  const isMarker = ({ metadata }: Fields): boolean => textIn(metadata, 'message').startsWith('action_type takes');
  await waitUntil(`the answer to ${type}`, WAIT_MS, () => stream.came.slice(before).some(isMarker));
  const refused = stream.came.slice(before).find((each) => each['action_type'] === 'error' && !isMarker(each));
  if (refused === undefined) return { verdict: 'ok', shown: type };
  const { metadata } = refused;
  return { verdict: codeOf(textIn(metadata, 'code'), textIn(metadata, 'message')), shown: JSON.stringify(metadata) };
}

const MARKER = 'nothing-we-know';
const textIn = (metadata: unknown, name: string): string => String((metadata as Fields | undefined)?.[name] ?? '');

/** A stream's refusals carry the number and the text alone. */
function codeOf(number: string, text: string): string {
  const known = Object.entries(REFUSALS).find(
    ([, { grpc, detail }]) => String(grpc) === number && detail.toLowerCase() === text.toLowerCase(),
  );
  return known?.[0] ?? `grpc ${number} ${text}`;
}

/** The request of an RPC that has one. */
export function requestOf({ request }: RpcOperation, given: Case): object {
  if (request === undefined) throw new Error('this RPC is a stream of actions');
  return request(given);
}
