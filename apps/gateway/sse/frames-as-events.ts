/** The feed as server-sent events: the frames of `parley.v1`, each under its `op` as the event's name. */
import type { ServerFrame } from '#contract';
import type { Encoding } from '../feed/encoding.js';
import { eventFrame, skipFrame } from '../feed/event-frames.js';

/** A comment: nothing to a client, a sign of life to everything in between. */
export const HEARTBEAT = Buffer.from(':\n\n');

/** How long a browser waits before it connects again, ms; its own idea is several seconds. */
const RETRY_MS = 1_000;
export const OPENING = Buffer.from(`retry: ${RETRY_MS}\n\n`);

/**
 * One event. Only a frame with a cursor has an `id`, so that the `Last-Event-ID` that a browser comes back with is always a cursor;
 * a drain also says when to come back, in the words that a browser understands.
 */
function eventText(frame: ServerFrame): Buffer {
  const id = 'cursor' in frame ? `id: ${frame.cursor}\n` : '';
  const retry = frame.op === 'drain' ? `retry: ${frame.retryMs}\n` : '';
  // JSON has no line breaks of its own, so it is one line of data.
  return Buffer.from(`event: ${frame.op}\n${id}${retry}data: ${JSON.stringify(frame)}\n\n`);
}

/** Slots 0 and 1 are the sockets', 3 and 4 those of gRPC. */
export const EVENT_STREAM: Encoding = {
  slot: 2,
  replaysOwn: true,
  readsRoom: () => true,
  event: (event) => {
    const frame = eventFrame(event);
    return frame === undefined ? undefined : eventText(frame);
  },
  skip: (event, key) => eventText(skipFrame(event, key)),
  frame: eventText,
};
