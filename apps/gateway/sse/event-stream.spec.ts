import type { ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, expect, test } from '@jest/globals';
import { CLOSE, type CloseCode, LIMITS } from '#contract';
import type { Identity } from '#service';
import { EventStream } from './event-stream.js';
import { EVENT_STREAM } from './frames-as-events.js';

const NOW_MS = 1_700_000_000_000;
const STALL_MS = 1_000;

/** A stream whose response keeps what is written to it. */
function opened(identity: Partial<Identity> = {}) {
  const response = new PassThrough();
  const user = { userId: 'ann', sessionId: undefined, expiresAtMs: NOW_MS + 60_000, ...identity };
  const stream = new EventStream(response as unknown as ServerResponse, new Socket(), user);
  const written = (): string => String((response.read() as Buffer | null) ?? '');
  return { stream, response, written };
}

const errorText = (frame: object): string => `event: error\ndata: ${JSON.stringify({ op: 'error', ...frame })}\n\n`;

describe('a stream that is closed', () => {
  const comeBack = { code: 'unavailable', message: 'why', temporary: true, retryMs: 1_000 };
  test.each<[string, CloseCode, object]>([
    ['another epoch', CLOSE.epochChanged, comeBack],
    ['a failed replay', CLOSE.replayFailed, comeBack],
    ['an expired token', CLOSE.tokenExpired, { code: 'token_expired', message: 'why', temporary: false }],
    ['a revoked session', CLOSE.sessionRevoked, { code: 'unauthenticated', message: 'why', temporary: false }],
  ])('for %s says so last', (_, code, frame) => {
    const { stream, response, written } = opened();
    stream.close(code, 'why');
    expect(written()).toBe(errorText(frame));
    expect([response.writableEnded, stream.isOpen]).toEqual([true, false]);
    stream.write(Buffer.from('too late'));
    stream.close(CLOSE.draining, 'again');
    expect(written()).toBe('');
  });

  test('for a drain just ends: the drain itself was an event', () => {
    const { stream, response, written } = opened();
    stream.close(CLOSE.draining, 'draining');
    expect([written(), response.writableEnded, response.destroyed]).toEqual(['', true, false]);
  });

  test('because nobody reads is cut off at once', () => {
    const { stream, response } = opened();
    stream.close(CLOSE.slowReader, 'slow reader');
    expect(response.destroyed).toBe(true);
  });

  test('is cut off when its last event is not taken', () => {
    const { stream, response } = opened();
    stream.close(CLOSE.tokenExpired, 'token expired');
    stream.sweep(performance.now() + 1_000, NOW_MS, STALL_MS);
    expect(response.destroyed).toBe(false);
    stream.sweep(performance.now() + 3_000, NOW_MS, STALL_MS);
    expect(response.destroyed).toBe(true);
  });
});

describe('time', () => {
  test('brings a comment when nothing else was written', () => {
    const { stream, written } = opened();
    stream.sweep(performance.now() + LIMITS.heartbeatMs - 1_000, NOW_MS, STALL_MS);
    expect(written()).toBe('');
    stream.sweep(performance.now() + LIMITS.heartbeatMs + 1, NOW_MS, STALL_MS);
    expect(written()).toBe(':\n\n');
  });

  test('ends a stream with its token', () => {
    const { stream, written } = opened({ expiresAtMs: NOW_MS });
    stream.sweep(performance.now(), NOW_MS - 1, STALL_MS);
    expect(stream.isOpen).toBe(true);
    stream.sweep(performance.now(), NOW_MS, STALL_MS);
    expect(written()).toBe(errorText({ code: 'token_expired', message: 'token expired', temporary: false }));
  });
});

describe('a frame', () => {
  const text = (frame: Parameters<typeof EVENT_STREAM.frame>[0]): string => String(EVENT_STREAM.frame(frame));

  test('has an id only where it has a cursor', () => {
    expect(text({ op: 'cursor', cursor: 'e.1.2' })).toBe(
      'event: cursor\nid: e.1.2\ndata: {"op":"cursor","cursor":"e.1.2"}\n\n',
    );
    expect(text({ op: 'typing', room: 'r', user: 'ann', typing: true })).not.toContain('id:');
  });

  test('is one line, whatever stands in it', () => {
    const lines = text({ op: 'error', code: 'internal', message: 'a\nb\r\nid: x\n\nc', temporary: false }).split(
      /[\r\n]/,
    );
    expect(lines.slice(2)).toEqual(['', '']);
  });

  test('of a drain tells a browser when to come back', () => {
    expect(text({ op: 'drain', retryMs: 700 })).toContain('\nretry: 700\n');
  });
});
