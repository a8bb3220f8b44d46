/** The AsyncAPI 3 description of `/ws` (`parley.v1`, and the plain mode) and of `/api/events`, made of the contract's frames. */
import { z } from 'zod';
import { channelMessage } from '../answers.js';
import { type CommandName, COMMAND_NAMES, COMMANDS } from '../commands.js';
import { clientFrame, EVENT_DATA, serverFrame } from '../frames.js';
import { BEARER_SUBPROTOCOL_PREFIX, CLOSE, SUBPROTOCOL } from '../protocol.js';
import { roomId } from '../schemas.js';
import { Components, type Json } from './json-schema.js';
import { CONTRACT_VERSION } from './openapi.js';
import { bodyWithout } from './route.js';

type Frames = Readonly<Record<string, z.ZodType>>;

/** What a stream of server-sent events never carries: it answers nothing, and watches nobody. */
const SOCKET_ONLY = new Set(['ack', 'pong', 'presence']);

/** By name of the message: what a client sends. A frame that carries a command has its fields. */
export const CLIENT_FRAMES: Frames = Object.fromEntries(
  clientFrame.options.map((option): [string, z.ZodType] => {
    const op = opOf(option);
    const name = COMMAND_NAMES.find((each) => commandOp(each) === op);
    if (name === undefined) return [op, z.strictObject(option.shape)];
    const { id, key } = option.shape as Readonly<Record<string, z.ZodType>>;
    const hasRoom = 'room' in option.shape;
    const envelope = {
      op: z.literal(op),
      id: known(id),
      key: known(key),
      ...(hasRoom ? { room: optionalRoom(op) } : {}),
    };
    return [op, bodyWithout(COMMANDS[name].schema, ['roomId'], envelope)];
  }),
);

/** By name of the message: what a client is sent. An event has a message for each type, because its `data` is its own. */
export const SERVER_FRAMES: Frames = Object.fromEntries(
  serverFrame.options.flatMap((option): [string, z.ZodType][] => {
    const op = opOf(option);
    if (op !== 'event') return [[op, z.strictObject(option.shape)]];
    return Object.entries(EVENT_DATA).map(([type, data]) => [
      `event.${type}`,
      z.strictObject({ ...option.shape, type: z.literal(type), data }),
    ]);
  }),
);

/** The name of the message that a frame is. */
export const nameOfFrame = ({ op, type }: { readonly op: string; readonly type?: unknown }): string =>
  op === 'event' ? `event.${String(type)}` : op;

function opOf(option: { readonly shape: { readonly op: { readonly values: ReadonlySet<string> } } }): string {
  const [op = ''] = option.shape.op.values;
  return op;
}

function commandOp(name: CommandName): string | undefined {
  const entry = COMMANDS[name];
  return 'op' in entry ? entry.op : undefined;
}

/** A send may name participants instead. */
function optionalRoom(op: string): z.ZodType {
  return op === 'send' ? roomId.optional() : roomId;
}

function known(schema: z.ZodType | undefined): z.ZodType {
  if (schema === undefined) throw new Error('a frame that carries a command has an id and may have a key');
  return schema;
}

export function asyncApi(): Json {
  const components = new Components({}, 'draft-7');
  const sent = messages(CLIENT_FRAMES, 'client', (frame) => components.taken(frame));
  const received = messages(SERVER_FRAMES, 'server', (frame) => components.written(frame));
  const plain = { 'server.plain': message('plain', components.written(channelMessage)) };
  const streamed = Object.keys(received).filter((name) => !SOCKET_ONLY.has(name.replace(/^server\./, '')));
  return {
    asyncapi: '3.0.0',
    info: { title: 'Parley, live', version: CONTRACT_VERSION, description: ABOUT, license: { name: 'MIT' } },
    defaultContentType: 'application/json',
    channels: {
      socket: {
        address: '/ws',
        title: `The socket protocol ${SUBPROTOCOL}`,
        description: ABOUT_SOCKET,
        messages: { ...references(Object.keys(sent)), ...references(Object.keys(received)) },
        bindings: { ws: { method: 'GET', bindingVersion: '0.1.0' } },
      },
      participants: {
        address: '/ws',
        title: 'A socket without a subprotocol',
        description: 'Only listens: the messages of the user’s participant channels.',
        messages: references(Object.keys(plain)),
      },
      events: {
        address: '/api/events',
        title: 'Server-sent events',
        description:
          'The same frames, each under its `op` as the event’s name; `id` is a cursor, on frames that have one.',
        messages: references(streamed),
      },
    },
    operations: {
      send: operation('receive', 'socket', Object.keys(sent), 'What a client sends'),
      hear: operation('send', 'socket', Object.keys(received), 'What a client is sent'),
      listen: operation('send', 'participants', Object.keys(plain), 'What a client that only listens is sent'),
      follow: operation('send', 'events', streamed, 'What a stream carries'),
    },
    components: { messages: { ...sent, ...received, ...plain } },
  };
}

const ABOUT =
  'Events of a room come in the order of the log. A client takes a timeline event when `prev` is at most the last `seq` that it has, and resumes with a cursor.';
const ABOUT_SOCKET = `One JSON object a frame. Sign in by the Authorization header, by a second subprotocol \`${BEARER_SUBPROTOCOL_PREFIX}<token>\`, or by \`token\` in hello. Close codes 4000-4499 say: reconnect and resume; 4500-4999 do not. ${Object.entries(
  CLOSE,
)
  .map(([name, code]) => `${code} ${name}`)
  .join(', ')}.`;

type Described = Readonly<Record<string, Json>>;

function messages(frames: Frames, side: string, describe: (frame: z.ZodType) => Json): Described {
  return Object.fromEntries(
    Object.entries(frames).map(([name, frame]) => [`${side}.${name}`, message(name, describe(frame))]),
  );
}

const message = (name: string, payload: Json): Json => ({ name, payload });

const references = (names: readonly string[]): Json =>
  Object.fromEntries(names.map((name) => [name, { $ref: `#/components/messages/${name}` }]));

const operation = (action: 'send' | 'receive', channel: string, names: readonly string[], title: string): Json => ({
  action,
  title,
  channel: { $ref: `#/channels/${channel}` },
  messages: names.map((name) => ({ $ref: `#/channels/${channel}/messages/${name}` })),
});
