import { describe, expect, test } from '@jest/globals';
import { inviteCode, roomOfCode } from './invite-code.js';

describe('invite codes', () => {
  test('name their room', () => {
    expect(roomOfCode(inviteCode('room_1-A'))).toBe('room_1-A');
  });

  test.each(['', 'room1', 'r.', 'r.a b', 'x.room1', `r.${'x'.repeat(65)}`])('%j names none', (code) => {
    expect(() => roomOfCode(code)).toThrow('room not found');
  });
});
