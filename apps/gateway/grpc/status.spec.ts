import { status } from '@grpc/grpc-js';
import { expect, test } from '@jest/globals';
import { DomainError } from '#contract';
import { LogUnavailableError } from '#event-log';
import { statusOf, TRAILERS } from './status.js';

function said(error: unknown): { code: number; refusal: unknown; faults: unknown[] } {
  const faults: unknown[] = [];
  const { code, metadata } = statusOf(error, (fault) => faults.push(fault));
  return { code, refusal: metadata.get(TRAILERS.code)[0], faults };
}

test('a refusal has its number and its code', () => {
  expect(said(new DomainError('room_full'))).toEqual({
    code: status.RESOURCE_EXHAUSTED,
    refusal: 'room_full',
    faults: [],
  });
});

test('a log that does not answer is no fault of ours: the caller may ask again', () => {
  const error = new LogUnavailableError('$JS.API.STREAM.MSG.GET.CHAT_0: timeout');
  expect(said(error)).toEqual({ code: status.UNAVAILABLE, refusal: 'unavailable', faults: [] });
  expect(statusOf(error, () => undefined).metadata.get(TRAILERS.retryMs)).toHaveLength(1);
});

test('whatever else is thrown is a fault, and its text is not for callers', () => {
  const error = new Error('a path on our disk');
  expect(said(error)).toEqual({ code: status.INTERNAL, refusal: 'internal', faults: [error] });
  expect(statusOf(error, () => undefined).details).not.toContain('path');
});
