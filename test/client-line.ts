/** The two ways on which the frames of `parley.v1` reach a test client: a socket, which also carries requests, and server-sent events. */
import { EventStream } from './event-stream.js';
import { Socket, type Frame } from './socket.js';

export interface Line {
  send(frame: object): void;
  cut(): void;
  pause(): void;
  resume(): void;
}

export interface LineEvents {
  readonly onOpen: () => void;
  readonly onFrame: (frame: Frame) => void;
  /** Something came, if only a comment. */
  readonly onSign: () => void;
  readonly onClose: (code: number) => void;
}

/** What a connection that ended without a close frame is said to have ended with. */
const CUT_OFF = 1006;

export function openSocket(url: string, token: string, events: LineEvents): Line {
  return new Socket(url, {
    token,
    protocols: ['parley.v1'],
    onFrame: events.onFrame,
    onOpen: events.onOpen,
    onClose: ({ code }) => events.onClose(code),
    keep: false,
  });
}

/** @param socketUrl of the gateway's sockets: its events are beside them */
export function openEvents(socketUrl: string, token: string, since: string | undefined, events: LineEvents): Line {
  const url = socketUrl.replace(/^ws/, 'http').replace(/\/ws$/, '');
  const stream = new EventStream(url, {
    token,
    ...(since === undefined ? {} : { lastEventId: since }),
    onFrame: events.onFrame,
    onComment: events.onSign,
    onClose: () => events.onClose(CUT_OFF),
    keep: false,
  });
  return {
    send: () => undefined, // there is nothing to say on a stream of events
    cut: () => stream.cut(),
    pause: () => stream.pause(),
    resume: () => stream.resume(),
  };
}
