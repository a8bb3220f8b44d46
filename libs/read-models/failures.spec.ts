import { expect, test } from '@jest/globals';
import { isAway, isDataError } from './failures.js';

const failed = (code: string, message = 'failed'): Error => Object.assign(new Error(message), { code });

test.each([
  ['no connection', 'ECONNREFUSED'],
  ['a connection that was lost', '08006'],
  ['a server that shuts down', '57P01'],
  ['a statement that took too long', '57014'],
  ['too many connections', '53300'],
  ['a disk that is full', '53100'],
  ['no memory left', '53200'],
  ['a disk that fails', '58030'],
  ['a server that only reads: a standby, or one whose storage is full', '25006'],
])('%s may be over later', (_, code) => {
  expect([isAway(failed(code)), isDataError(failed(code))]).toEqual([true, false]);
});

test.each([
  ['a statement that is wrong', '42601', false],
  ['a value that does not fit', '22001', true],
  ['a key that is there', '23505', true],
])('%s will not', (_, code, isData) => {
  expect([isAway(failed(code)), isDataError(failed(code))]).toEqual([false, isData]);
});

test('a driver that says it in words alone', () => {
  expect(isAway(new Error('Connection terminated unexpectedly'))).toBe(true);
  expect(isAway(new Error('what is this?'))).toBe(false);
});
