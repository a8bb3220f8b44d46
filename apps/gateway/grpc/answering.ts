/**
 * From a call to an answer: what every RPC has in common. A handler is a plain async function (or a generator, for a stream of
 * answers); refusals become statuses here and nowhere else; what was cancelled or is past its deadline is not answered any more.
 */
import { setTimeout as delay } from 'node:timers/promises';
import {
  type handleClientStreamingCall,
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  type sendUnaryData,
  type ServerWritableStream,
} from '@grpc/grpc-js';
import { Logger } from '@nestjs/common';
import { DomainError, LIMITS } from '#contract';
import { Gate } from '#service';
import { refuseUnfit } from './chat-proto.js';
import { statusOf } from './status.js';

/** A list that nobody takes for so long is given up: there is nothing in it that could not be asked for again. */
const LIST_STALL_MS = 30_000;

/** Calls of this process that are being answered, streams not among them; above it the next one is refused for now. */
export const CALLS_MAX = 4_096;
export const calls = new Gate({ inside: CALLS_MAX, waiting: 0, refusal: 'too many calls at once' });

const logger = new Logger('Grpc');
export const onFault = (error: unknown): void => logger.error(error);

/** What a handler may know of its call. */
export interface Call {
  readonly metadata: Metadata;
  /** Goes out with the answer. */
  readonly trailer: Metadata;
  /** Aborts when the call is over: its caller has the answer, has cancelled, or the deadline has passed. */
  readonly signal: AbortSignal;
  /** How long this call may wait for the views: the platform's limit, or what is left of the caller's deadline. */
  waitMs(): number;
}

interface ServerCall {
  readonly metadata: Metadata;
  readonly cancelled: boolean;
  getDeadline(): Date | number;
  once(event: 'cancelled', listener: () => void): unknown;
}

export function callOf(call: ServerCall): Call {
  const ended = new AbortController();
  call.once('cancelled', () => ended.abort());
  const deadline = call.getDeadline();
  const deadlineMs = typeof deadline === 'number' ? deadline : deadline.getTime();
  return {
    metadata: call.metadata,
    trailer: new Metadata(),
    signal: ended.signal,
    waitMs: () => Math.max(1, Math.min(LIMITS.positionWaitMs, deadlineMs - Date.now())),
  };
}

export function unary<Q, A>(answer: (request: Q, call: Call) => Promise<A>): handleUnaryCall<Q, A> {
  return (call, callback) => {
    const context = callOf(call);
    settle(
      calls.run(() => answered(call.request, context, answer)),
      context,
      callback,
    );
  };
}

async function answered<Q, A>(request: Q, context: Call, answer: (request: Q, call: Call) => Promise<A>): Promise<A> {
  refuseUnfit(request);
  return answer(request, context);
}

/** The handler reads the requests; what it leaves unread is let go, so that the caller is not held up before it is told. */
export function reading<Q, A>(
  answer: (requests: AsyncIterator<Q>, call: Call) => Promise<A>,
): handleClientStreamingCall<Q, A> {
  return (call, callback) => {
    const context = callOf(call);
    const requests = call.iterator({ destroyOnReturn: false }) as AsyncIterableIterator<Q>;
    const letGo = async (): Promise<void> => {
      await requests.return?.();
      call.resume();
    };
    settle(calls.run(() => answer(requests, context)).finally(letGo), context, callback);
  };
}

function settle<A>(answer: Promise<A>, { trailer, signal }: Call, callback: sendUnaryData<A>): void {
  answer.then(
    (value) => callback(null, value, trailer),
    (error: unknown) => callback(statusOf(error, faultOf(signal))),
  );
}

/** What fails because its caller has gone is nobody's fault. */
const faultOf = (signal: AbortSignal) => (signal.aborted ? () => undefined : onFault);

/** Answers one after the other, each when the network has taken the one before. */
export function listing<Q, A>(answer: (request: Q, call: Call) => AsyncIterable<A>): handleServerStreamingCall<Q, A> {
  return (call) => {
    const context = callOf(call);
    const written = calls.run(() => writeAll(call, answer, context));
    written.then(
      () => call.end(context.trailer),
      (error: unknown) => call.emit('error', statusOf(error, faultOf(context.signal))),
    );
  };
}

async function writeAll<Q, A>(
  call: ServerWritableStream<Q, A>,
  answer: (request: Q, call: Call) => AsyncIterable<A>,
  context: Call,
): Promise<void> {
  refuseUnfit(call.request);
  for await (const item of answer(call.request, context)) {
    if (context.signal.aborted) return;
    if (!call.write(item)) await drained(call, context.signal);
  }
}

async function drained<Q, A>(call: ServerWritableStream<Q, A>, signal: AbortSignal): Promise<void> {
  const done = new AbortController();
  const until = AbortSignal.any([signal, done.signal]);
  call.once('drain', () => done.abort());
  const stalled = await delay(LIST_STALL_MS, true, { signal: until }).catch(() => false);
  if (stalled) throw new DomainError('unavailable', 'slow reader: ask again');
}
