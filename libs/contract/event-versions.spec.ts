/** Events of older versions are read, and a version does not change once it has been written. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { z } from 'zod';
import { fixtureEntries, FIXTURES } from '#testing';
import { upcast, type RawEvent, type Upcasts } from './event-versions.js';
import { chatEvent, decodeEvent, encodeEvent, EVENT_VERSION } from './events.js';

const versions = [...fixtureEntries()];
const today = fixtureEntries().get(EVENT_VERSION) ?? [];

describe.each(versions)('entries of version %i', (version, entries) => {
  test('are read', () => {
    for (const { data } of entries)
      expect(decodeEvent(data)).toMatchObject({ kind: 'event', event: { v: EVENT_VERSION } });
  });

  test('carry their version', () => {
    for (const { data } of entries) expect(JSON.parse(data)).toHaveProperty('v', version);
  });
});

describe('the version that is written today', () => {
  test('has a fixture, as has every one before it, with an entry of every type', () => {
    expect(versions.map(([version]) => version).sort()).toEqual(Array.from({ length: EVENT_VERSION }, (_, i) => i + 1));
    const types = new Set(today.map(({ data }) => (JSON.parse(data) as { type: string }).type));
    expect([...types].sort()).toEqual(chatEvent.options.map((option) => option.shape.type.value).sort());
  });

  test('is written as its fixture was', () => {
    for (const { data } of today) {
      const decoded = decodeEvent(data);
      if (decoded.kind !== 'event') throw new Error(`${decoded.kind}: ${data}`);
      expect(JSON.parse(encodeEvent(decoded.event))).toEqual(JSON.parse(data));
    }
  });

  // It does not, where somebody changed what an event holds: see "A new version of an event" in CONTRIBUTING.md.
  test('has the schema that its fixture was written by', () => {
    const written: unknown = JSON.parse(readFileSync(join(FIXTURES, `schema-v${EVENT_VERSION}.json`), 'utf8'));
    expect(z.toJSONSchema(chatEvent, { io: 'input', unrepresentable: 'any' })).toEqual(written);
  });
});

describe('an older version', () => {
  /** As if, before version 1, a message had been a text, and before that had no type. */
  const upcasts: Upcasts = new Map<number, (event: RawEvent) => RawEvent>([
    [-1, (event) => ({ ...event, type: 'MessageSent' })],
    [0, ({ text, ...event }) => ({ ...event, data: { content: text, type: 'text' } })],
  ]);
  const event = { v: 1, type: 'MessageSent', actor: 'ann', data: { content: 'hello', type: 'text' } };

  test('is raised one version at a time', () => {
    expect(decodeEvent('{"v":0,"type":"MessageSent","actor":"ann","text":"hello"}', upcasts)).toEqual({
      kind: 'event',
      event,
    });
    expect(decodeEvent('{"v":-1,"actor":"ann","text":"hello"}', upcasts)).toEqual({ kind: 'event', event });
  });

  test('is unreadable without what raises it, as a newer one is', () => {
    expect(decodeEvent('{"v":0,"type":"MessageSent","actor":"ann","text":"hello"}').kind).toBe('unreadable');
    expect(decodeEvent(JSON.stringify({ ...event, v: EVENT_VERSION + 1 }), upcasts).kind).toBe('unreadable');
  });

  test.each([null, 7, 'v', [], {}, { v: '0' }])('%j is let through as it is', (value) => {
    expect(upcast(value, 1, upcasts)).toBe(value);
  });
});
