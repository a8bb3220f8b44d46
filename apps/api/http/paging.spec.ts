import { describe, expect, test } from '@jest/globals';
import { DomainError, listQuery, messagesQuery, parseOrRefuse } from '#contract';
import { clamped, pathId } from './paging.js';

describe('paging of the participant contract', () => {
  const size = { min: 1, max: 100, otherwise: 50 };
  test.each([
    [undefined, 50],
    ['', 50],
    ['many', 50],
    ['NaN', 50],
    [['1', '2'], 50],
    ['0', 1],
    ['-7', 1],
    ['1', 1],
    ['99.9', 99],
    ['100', 100],
    ['101', 100],
    ['1e9', 100],
    ['Infinity', 100],
  ])('takes a size of %p as %p', (text, expected) => {
    expect(clamped(text, size)).toBe(expected);
  });
});

describe('paging elsewhere', () => {
  test('has defaults', () => {
    expect(parseOrRefuse(listQuery, {})).toEqual({ limit: 50 });
    expect(parseOrRefuse(messagesQuery, {})).toEqual({ limit: 50, order: 'desc' });
  });

  test.each([
    [{ limit: '0' }, /^limit: /],
    [{ limit: '101' }, /^limit: /],
    [{ limit: '' }, /^limit: /],
    [{ limit: 'x' }, /^limit: /],
    [{ limit: ['1', '2'] }, /^limit: /],
    [{ before: '12' }, /^before: must be a message id/],
    [{ after: 'msg_' }, /^after: must be a message id/],
    [{ order: 'up' }, /^order: /],
    [{ cursor: '' }, /^cursor: /],
    [{ thread: 'msg_1' }, /^thread: is not served/],
  ])('refuses %p', (query, detail) => {
    expect(() => parseOrRefuse(messagesQuery, query)).toThrow(detail);
  });
});

describe('ids in paths', () => {
  test('are as the contract spells them', () => {
    expect(pathId('roomId', 'room-1_A')).toBe('room-1_A');
    expect(pathId('userId', 'https://issuer/çelik')).toBe('https://issuer/çelik'.normalize('NFC'));
    expect(pathId('messageId', 'msg_1024')).toBe('msg_1024');
  });

  test.each([
    ['roomId', 'a b', 'invalid_body'],
    ['roomId', 'x'.repeat(65), 'invalid_body'],
    ['userId', 'a\0b', 'invalid_text'],
    ['userId', '\ud800', 'invalid_text'],
    ['messageId', 'msg_0', 'invalid_body'],
  ] as const)('%s %j is refused by name', (kind, value, code) => {
    const refused = thrownBy(() => pathId(kind, value));
    expect(refused.code).toBe(code);
    expect(refused.message.startsWith(`${kind}: `)).toBe(true);
  });
});

function thrownBy(act: () => unknown): DomainError {
  try {
    act();
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
  throw new Error('nothing was refused');
}
