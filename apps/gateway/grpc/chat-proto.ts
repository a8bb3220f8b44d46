/** `chat.proto`, loaded: the service's definition for the server, and its streams' messages as bytes. */
import type { ServiceDefinition } from '@grpc/grpc-js';
import { loadSync, type Options } from '@grpc/proto-loader';
import { CHAT_PROTO } from '#contract';
import type { ChatAction, ChatResponse } from './messages.js';

const OPTIONS: Options = { keepCase: true, longs: Number, defaults: true, arrays: true, objects: true };

export const chatPackage = loadSync(CHAT_PROTO.file, OPTIONS);

const loaded = chatPackage[CHAT_PROTO.service] as ServiceDefinition;

/** One frame of a stream, as it goes over the wire. */
export const encodeAction = (action: ChatAction): Buffer => method('ChatStream').responseSerialize(action);
export const encodeResponse = (response: ChatResponse): Buffer => method('Chat').responseSerialize(response);

/** Both streams are written in bytes: an event is encoded once, for however many streams. */
const asTheyAre = { responseSerialize: (bytes: Buffer): Buffer => bytes };

export const chatService: ServiceDefinition = {
  ...loaded,
  ChatStream: { ...method('ChatStream'), ...asTheyAre },
  Chat: { ...method('Chat'), ...asTheyAre },
};

function method(name: string): ServiceDefinition[string] {
  const found = loaded[name];
  if (found === undefined) throw new Error(`${CHAT_PROTO.file} has no method ${name}`);
  return found;
}
