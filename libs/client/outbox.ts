/**
 * What the application has asked for and the server has not answered yet. Every request keeps its key for ever, so that it can
 * be made again after a lost connection and is done once.
 *
 * States of a request: *waiting* (for a connection, or for the one before it in its lane) -> *sent* -> answered and gone. A lost
 * connection, or a temporary refusal, makes it *waiting* again. A lane is a room: its requests go one after the other, so that
 * what was written offline arrives in order.
 */
import type { ServerFrameOf } from '#contract';
import { ClosedError, LimitError, RefusedError } from './errors.js';

export type Ack = ServerFrameOf<'ack'>;

/** A frame for the server, without its `id`; `key` for what must happen once. */
export type RequestFrame = { readonly op: string; readonly key?: string } & Readonly<Record<string, unknown>>;

export interface Request {
  readonly id: string;
  readonly lane: string;
  readonly frame: RequestFrame;
  readonly resolve: (ack: Ack) => void;
  readonly reject: (error: Error) => void;
  sent: boolean;
  /** Its connection was lost before an answer: it may have been done. */
  unknown: boolean;
  /** A temporary refusal: not before this time, ms of the client's clock. */
  notBeforeMs: number;
}

/** Requests that may wait; one more is refused to the application. */
export const REQUESTS_MAX = 1_000;

export class Outbox {
  /** In the order in which they were made. */
  private readonly requests = new Map<string, Request>();
  private ids = 0;

  get pending(): readonly Request[] {
    return [...this.requests.values()];
  }

  /** Adds a request; its promise is settled by the server's answer, however many connections that takes. */
  add(lane: string, frame: RequestFrame): Promise<Ack> {
    if (this.requests.size >= REQUESTS_MAX) return Promise.reject(new LimitError('outbox', REQUESTS_MAX));
    return new Promise((resolve, reject) => {
      const id = String(++this.ids);
      this.requests.set(id, { id, lane, frame, resolve, reject, sent: false, unknown: false, notBeforeMs: 0 });
    });
  }

  /** What may be sent now: the first of each lane, unless it is on its way or has been told to wait. */
  due(nowMs: number): Request[] {
    const lanes = new Set<string>();
    const due: Request[] = [];
    for (const request of this.requests.values()) {
      if (lanes.has(request.lane)) continue;
      lanes.add(request.lane);
      if (!request.sent && request.notBeforeMs <= nowMs) due.push(request);
    }
    return due;
  }

  /** When the next request that has to wait may go, ms; undefined for none. */
  nextDueMs(nowMs: number): number | undefined {
    const times = this.pending
      .filter(({ sent, notBeforeMs }) => !sent && notBeforeMs > nowMs)
      .map(({ notBeforeMs }) => notBeforeMs);
    return times.length === 0 ? undefined : Math.min(...times);
  }

  /** The connection is gone: what was sent may have been done or not, and is sent again with its key. */
  connectionLost(): void {
    for (const request of this.requests.values()) {
      request.unknown ||= request.sent;
      request.sent = false;
    }
  }

  acknowledged(ack: Ack): Request | undefined {
    const request = this.take(ack.id);
    request?.resolve(ack);
    return request;
  }

  refused({ id, code, message, temporary, retryMs }: ServerFrameOf<'error'>, nowMs: number): void {
    const request = id === undefined ? undefined : this.requests.get(String(id));
    if (request === undefined) return;
    if (temporary) {
      request.sent = false;
      request.notBeforeMs = nowMs + (retryMs ?? 1_000);
      return;
    }
    this.requests.delete(request.id);
    request.reject(new RefusedError(code, message, temporary, retryMs));
  }

  /** The application takes a request back; false where it is on its way, or may have been done. */
  cancel(id: string): boolean {
    const request = this.requests.get(id);
    if (request === undefined || request.sent || request.unknown) return false;
    this.requests.delete(id);
    request.reject(new ClosedError('taken back'));
    return true;
  }

  close(error: ClosedError): void {
    const requests = this.pending;
    this.requests.clear();
    for (const request of requests) request.reject(error);
  }

  private take(id: string | number): Request | undefined {
    const request = this.requests.get(String(id));
    this.requests.delete(String(id));
    return request;
  }
}
