/** `chat.proto`, loaded: the service's definition for the server, and its streams' messages as bytes. */
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type Options } from '@grpc/proto-loader';
import { CHAT_PROTO, DomainError, LIMITS } from '#contract';
import type { ChatAction, ChatResponse } from './messages.js';

const OPTIONS: Options = { keepCase: true, longs: Number, defaults: true, arrays: true, objects: true };

export const chatPackage = loadSync(CHAT_PROTO.file, OPTIONS);

const loaded = chatPackage[CHAT_PROTO.service] as ServiceDefinition;

/** One frame of a stream, as it goes over the wire. */
export const encodeAction = (action: ChatAction): Buffer => method('ChatStream').responseSerialize(action);
export const encodeResponse = (response: ChatResponse): Buffer => method('Chat').responseSerialize(response);

/** Stands for a request that is larger than any may be; its bytes are let go at once. */
const TOO_LARGE: object = Object.freeze({});

/**
 * What no handler has to look at: a request that is too large, or one with U+0000 in a text, which no table takes.
 * @throws DomainError `too_large`, `invalid_text`
 */
export function refuseUnfit(request: unknown): void {
  if (request === TOO_LARGE) throw new DomainError('too_large', `a request is at most ${LIMITS.bodyBytes} bytes`);
  if (hasNul(request)) throw new DomainError('invalid_text');
}

function hasNul(value: unknown): boolean {
  if (typeof value === 'string') return value.includes('\0');
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return false;
  return Object.entries(value).some(([name, field]) => name.includes('\0') || hasNul(field));
}

/** Both streams are written in bytes: an event is encoded once, for however many streams. */
const writtenAsTheyAre = { responseSerialize: (bytes: Buffer): Buffer => bytes };

export const chatService: ServiceDefinition = {
  ...Object.fromEntries(Object.keys(loaded).map((name) => [name, limited(method(name))])),
  ShareFile: method('ShareFile'),
  ChatStream: { ...limited(method('ChatStream')), ...writtenAsTheyAre },
  Chat: { ...limited(method('Chat')), ...writtenAsTheyAre },
};

type Method = ServiceDefinition[string];

/** The server's own limit is for pieces of files; up to sixteen messages of a stream may wait to be read. */
function limited(of: Method): Method {
  const requestDeserialize = (bytes: Buffer): object =>
    bytes.length > LIMITS.bodyBytes ? TOO_LARGE : (of.requestDeserialize(bytes) as object);
  return { ...of, requestDeserialize };
}

function method(name: string): Method {
  const found = loaded[name];
  if (found === undefined) throw new Error(`${CHAT_PROTO.file} has no method ${name}`);
  return found;
}
