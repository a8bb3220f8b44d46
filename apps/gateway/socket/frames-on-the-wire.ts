/** The two encodings of sockets. Frames are made here once, header and all, and written beneath `ws`. */
import { type ChannelMessage, isChannelRoomId, messageId, type ServerFrame } from '#contract';
import type { Encoding } from '../feed/encoding.js';
import { eventFrame, skipFrame } from '../feed/event-frames.js';
import type { RoomEvent } from '../feed/room-event.js';

const FINAL_TEXT = 0x81;
const SHORT_MAX = 125;
const MEDIUM_MAX = 0xffff;

/** A ping without a payload; every client answers it by itself. */
export const PING_FRAME = Buffer.from([0x89, 0x00]);

/** One unmasked, uncompressed text frame (RFC 6455, section 5.2), in memory of its own because it may be kept. */
export function textFrame(value: unknown): Buffer {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafeSlow(headerBytes(length) + length);
  writeFrame(frame, 0, text, length);
  return frame;
}

/** Several, one behind the other, to be written and let go. */
export function textFrames(values: readonly unknown[]): Buffer {
  const texts = values.map((value) => JSON.stringify(value));
  const lengths = texts.map((text) => Buffer.byteLength(text));
  const frames = Buffer.allocUnsafe(lengths.reduce((sum, length) => sum + headerBytes(length) + length, 0));
  let at = 0;
  for (const [i, text] of texts.entries()) at = writeFrame(frames, at, text, lengths[i] ?? 0);
  return frames;
}

const headerBytes = (length: number): number => (length <= SHORT_MAX ? 2 : length <= MEDIUM_MAX ? 4 : 10);

/** @returns where the next one begins */
function writeFrame(into: Buffer, at: number, text: string, length: number): number {
  const header = headerBytes(length);
  into[at] = FINAL_TEXT;
  if (header === 2) into[at + 1] = length;
  else if (header === 4) {
    into[at + 1] = 126;
    into.writeUInt16BE(length, at + 2);
  } else {
    into[at + 1] = 127;
    into.writeBigUInt64BE(BigInt(length), at + 2);
  }
  into.write(text, at + header);
  return at + header + length;
}

/** `parley.v1`: one JSON object a frame. */
export const PARLEY: Encoding = {
  slot: 0,
  replaysOwn: true,
  readsRoom: () => true,
  event: (event) => {
    const frame = eventFrame(event);
    return frame === undefined ? undefined : textFrame(frame);
  },
  joined: (events) => textFrames(events.map(eventFrame).filter((frame) => frame !== undefined)),
  skip: (event, key) => textFrame(skipFrame(event, key)),
  frame: (frame: ServerFrame) => textFrame(frame),
};

/** Without a subprotocol: the messages of participant channels, as plain objects, and nothing else. */
export const PLAIN: Encoding = {
  slot: 1,
  replaysOwn: false,
  readsRoom: isChannelRoomId,
  event: (event) => {
    const message = plainMessage(event);
    return message === undefined ? undefined : textFrame(message);
  },
  skip: () => undefined,
  frame: () => undefined,
};

function plainMessage(place: RoomEvent): ChannelMessage | undefined {
  const { event, participants } = place;
  if (event?.type !== 'MessageSent') return undefined;
  return {
    id: messageId(place),
    sender: event.actor,
    content: event.data.content,
    participants: participants ?? [],
    created_at: new Date(place.at).toISOString(),
  };
}
