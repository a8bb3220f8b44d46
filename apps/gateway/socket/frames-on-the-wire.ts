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

/** One unmasked, uncompressed text frame (RFC 6455, section 5.2). */
export function textFrame(value: unknown): Buffer {
  const text = JSON.stringify(value);
  const length = Buffer.byteLength(text);
  const header = length <= SHORT_MAX ? 2 : length <= MEDIUM_MAX ? 4 : 10;
  const frame = Buffer.allocUnsafeSlow(header + length);
  frame[0] = FINAL_TEXT;
  if (header === 2) frame[1] = length;
  else if (header === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, header);
  return frame;
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
