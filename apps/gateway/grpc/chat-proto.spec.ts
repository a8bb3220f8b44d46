import { expect, test } from '@jest/globals';
import { refuseUnfit } from './chat-proto.js';

/** What PostgreSQL takes in no text, wherever in a request it stands. */
const NUL = '\u0000';

test.each([
  { user_id: NUL },
  { message: { metadata: { color: `red${NUL}` } } },
  { status: { [`mood${NUL}`]: 'good' } },
  { message: { mentions: ['ann', `bob${NUL}`] } },
])('a request with U+0000 in a text is refused: %j', (request) => {
  expect(() => refuseUnfit(request)).toThrow(expect.objectContaining({ code: 'invalid_text' }));
});

test('bytes and all other texts are let through', () => {
  expect(() => refuseUnfit({ data: Buffer.from([0, 1]), user_id: 'ann', limit: 0, message: null })).not.toThrow();
});
