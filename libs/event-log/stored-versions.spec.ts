/** Entries of every version, as bytes of the broker: headers are read, and the payload is. */
import { expect, test } from '@jest/globals';
import type { Msg } from '@nats-io/transport-node';
import { EVENT_VERSION, parseLogSubject } from '#contract';
import { fixtureEntries } from '#testing';
import { storedMessage, toEntry } from './stored-message.js';

const messageOf = (headers: string, data: string): Msg =>
  ({
    _rdata: Buffer.from(headers + data),
    _msg: { hdr: Buffer.byteLength(headers) },
    string: () => data,
  }) as unknown as Msg;

test.each([...fixtureEntries()])('entries of version %i are read from what the broker hands out', (_, entries) => {
  for (const { subject, headers, data } of entries) {
    const stored = storedMessage(messageOf(headers, data));
    if (!stored) throw new Error(`not stored: ${headers}`);
    const entry = toEntry(stored, 0);
    expect(entry).toMatchObject({ subject, decoded: { kind: 'event', event: { v: EVENT_VERSION } } });
    expect([entry.partition, entry.seq > 0, entry.at > 0]).toEqual([parseLogSubject(subject)?.partition, true, true]);
  }
});
