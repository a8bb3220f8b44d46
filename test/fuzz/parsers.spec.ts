/** Whatever parses, by itself: it never throws anything but a refusal with a code of the table, and never lets a wrong shape in. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  clientFrame,
  COMMANDS,
  decodeEvent,
  DomainError,
  encodeEvent,
  fields,
  formatCursor,
  formatPosition,
  isRefusalCode,
  keyTimeMs,
  messageId,
  parseCursor,
  parseLogSubject,
  parseMessageId,
  parseOrRefuse,
  parsePosition,
} from '#contract';
import { parseNotice } from '#event-log';
import { createTokenVerifier, type Identity, loadConfig } from '#service';
import { fixtureEntries } from '#testing';
import { hs256 } from '../http.js';
import { aToken, isSignedBy, tokenText } from './tokens.js';
import { anything, bytesNear, shapedBy, textNear, written } from './values.js';

const RUNS = { numRuns: 400 };

/** What it is refused with; undefined where it is taken. */
function refusalOf(take: () => unknown): DomainError | undefined {
  try {
    take();
    return undefined;
  } catch (error) {
    if (error instanceof DomainError) return error;
    throw error;
  }
}

describe('a body', () => {
  test.each(Object.keys(COMMANDS) as (keyof typeof COMMANDS)[])('of %s is taken or refused in words', (name) => {
    const { schema } = COMMANDS[name];
    fc.assert(
      fc.property(fc.oneof(shapedBy(schema), anything), (body) => {
        const refusal = refusalOf(() => parseOrRefuse(schema, body));
        if (!refusal) return;
        expect(isRefusalCode(refusal.code)).toBe(true);
        expect([refusal.code, refusal.message]).not.toContain('internal');
        expect(refusal.message).not.toBe('');
      }),
      RUNS,
    );
  });
});

test('a frame is taken or not, and what is taken has an op', () => {
  fc.assert(
    fc.property(fc.oneof(shapedBy(clientFrame), anything), (value) => {
      const parsed = clientFrame.safeParse(value);
      if (parsed.success) expect(typeof parsed.data.op).toBe('string');
    }),
    RUNS,
  );
});

describe('an entry of the log', () => {
  const entries = [...fixtureEntries().values()].flat().map(({ data }) => Buffer.from(data));

  test('with changed bytes is an event, unknown or unreadable, and an event can be written again', () => {
    fc.assert(
      fc.property(bytesNear(fc.constantFrom(...entries)), (bytes) => {
        const decoded = decodeEvent(bytes.toString('utf8'));
        if (decoded.kind === 'unreadable') expect(decoded.reason).not.toBe('');
        if (decoded.kind === 'event') expect(decodeEvent(encodeEvent(decoded.event))).toEqual(decoded);
      }),
      { numRuns: 2_000 },
    );
  });

  test('of any value at all is never a crash', () => {
    fc.assert(
      fc.property(anything, (value) => {
        expect(['unknown', 'unreadable']).toContain(decodeEvent(written(value)).kind);
      }),
      RUNS,
    );
  });
});

test.each([
  ['cursor', 'e1.1.20.300', (text: string) => parseCursor(text), formatCursor],
  ['position', '3-1234', (text: string) => parsePosition(text), formatPosition],
  ['message id', 'msg_1025', (text: string) => parseMessageId(text), messageId],
] as const)('a %s is read as it is written, or not at all', (_, right, parse, format) => {
  fc.assert(
    fc.property(fc.oneof(textNear(fc.constant(right)), fc.string({ unit: 'binary' })), (text) => {
      const parsed = parse(text);
      if (parsed !== undefined) expect((format as (value: unknown) => string)(parsed)).toBe(text);
    }),
    { numRuns: 2_000 },
  );
});

test('a subject and a key are read or not, and nothing else', () => {
  fc.assert(
    fc.property(
      textNear(
        fc.constantFrom(
          'chat.0.room.den.member.bob',
          'chat.00.room.den.config',
          'chat..room.den.roster',
          '01890a5d-ac96-7b2e-8000-000000000000',
        ),
      ),
      (text) => {
        const subject = parseLogSubject(text);
        if (subject) expect(text.split('.')[1]).toBe(String(subject.partition));
        const time = keyTimeMs(text);
        if (time !== undefined) expect(Number.isSafeInteger(time)).toBe(true);
      },
    ),
    { numRuns: 2_000 },
  );
});

test('a tails notice is read with places that a mark can move to, and written the same again, or not at all', () => {
  const place = (min: number) =>
    fc.oneof(
      { weight: 12, arbitrary: fc.integer({ min, max: min + 5 }) },
      { weight: 1, arbitrary: fc.oneof(fc.integer(), fc.double(), anything) },
    );
  const pair = fc.oneof(
    { weight: 12, arbitrary: fc.tuple(fc.constant('chat.0.room.den.timeline'), place(5)) },
    { weight: 1, arbitrary: anything },
  );
  const notice = fc.record({
    epoch: fc.constantFrom('e', 'f', 1, null),
    from: place(0),
    to: place(9),
    last: fc.array(pair, { maxLength: 3 }),
  });
  let taken = 0;
  fc.assert(
    fc.property(
      bytesNear(
        fc
          .oneof({ weight: 4, arbitrary: notice }, { weight: 1, arbitrary: anything })
          .map((value) => Buffer.from(written(value))),
      ),
      (bytes) => {
        const parsed = parseNotice(bytes.toString('utf8'));
        if (!parsed) return;
        taken += 1;
        const { from, to, last } = parsed;
        expect(
          [from, to, ...last.map(([, seq]) => seq)].filter((seq) => !Number.isSafeInteger(seq) || seq < 0),
        ).toEqual([]);
        expect(last.filter(([subject, seq]) => subject === '' || seq <= from || seq > to)).toEqual([]);
        expect(from).toBeLessThanOrEqual(to);
        const text = JSON.stringify(parsed);
        expect(JSON.stringify(parseNotice(text))).toBe(text);
      },
    ),
    { numRuns: 4_000 },
  );
  expect(taken).toBeGreaterThan(100);
});

test('a token signs in a user whom the secret has signed for, or is refused as a token', async () => {
  const secret = 'a shared secret that only this spec knows';
  const verifier = createTokenVerifier(loadConfig({ JWT_SECRET: secret }), () =>
    Promise.reject(new Error('no keys here')),
  );
  const good = hs256(secret, { sub: 'ann' });
  let taken = 0;
  await fc.assert(
    fc.asyncProperty(aToken, async (token) => {
      const sent = tokenText(token, good, secret);
      const answer = await verifier.verify(sent).catch((error: unknown) => error);
      if (answer instanceof Error) {
        expect(answer).toBeInstanceOf(DomainError);
        return expect(['unauthenticated', 'token_expired']).toContain((answer as DomainError).code);
      }
      taken += 1;
      const { userId, expiresAtMs } = answer as Identity;
      expect(isSignedBy(secret, sent)).toBe(true);
      expect(fields.userId.parse(userId)).toBe(userId);
      expect(expiresAtMs).toBeGreaterThan(Date.now());
    }),
    { numRuns: 2_000 },
  );
  expect(taken).toBeGreaterThan(20);
});
