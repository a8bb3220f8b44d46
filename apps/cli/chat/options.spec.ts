import { expect, test } from '@jest/globals';
import { chatOptions, UsageError } from './options.js';
import { displayWidth } from './screen.js';

const USER = ['--user', 'alice'];

test('the defaults', () => {
  expect(chatOptions(USER, {})).toEqual({
    url: 'http://127.0.0.1:3000',
    user: 'alice',
    password: undefined,
    token: undefined,
    room: undefined,
    json: false,
    color: true,
    dumb: false,
    waitMs: 30_000,
  });
});

test('the environment says what the command line does not, and secrets best of all', () => {
  const env = { PARLEY_URL: 'https://chat.example.org/', PARLEY_PASSWORD: 'pw', PARLEY_TOKEN: 't' };
  expect(chatOptions(USER, env)).toMatchObject({ url: 'https://chat.example.org', password: 'pw', token: undefined });
  expect(chatOptions([], env)).toMatchObject({ user: undefined, token: 't' });
  expect(chatOptions([...USER, '--url', 'http://here:1'], env)).toMatchObject({ url: 'http://here:1' });
});

test('colours are off where somebody says so; an empty NO_COLOR says nothing', () => {
  expect(chatOptions(USER, { NO_COLOR: '1' })?.color).toBe(false);
  expect(chatOptions(USER, { NO_COLOR: '' })?.color).toBe(true);
  expect(chatOptions([...USER, '--no-color'], {})?.color).toBe(false);
  expect(chatOptions(USER, { TERM: 'dumb' })?.dumb).toBe(true);
});

test.each([
  [[], 'who are you?'],
  [['--user', 'a', '--token', 't'], 'not both'],
  [[...USER, '--wait', 'long'], '--wait long'],
  [[...USER, '--wait', '-1'], '--wait'],
  [[...USER, '--url', 'ftp://here'], '--url ftp://here'],
  [[...USER, 'hello'], 'hello'],
  [[...USER, '--room'], '--room'],
])('%j is refused', (args, problem) => {
  expect(() => chatOptions(args, {})).toThrow(UsageError);
  expect(() => chatOptions(args, {})).toThrow(problem);
});

test('only the usage was asked for', () => {
  expect(chatOptions(['--help'], {})).toBeUndefined();
});

test.each([
  ['hello', 5],
  ['日本', 4],
  ['e\u0301', 1],
  ['👋', 2],
  ['', 0],
])('%s takes %i columns', (text, width) => {
  expect(displayWidth(text)).toBe(width);
});
