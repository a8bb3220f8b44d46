import { describe, expect, test } from '@jest/globals';
import { LOG_LIMITS, RETRY_PAUSE, retryPauseMs } from './limits.js';
import type { StoredEntry, TailsNotice } from './log.js';
import { matches, partitionOfSubject } from './log-subject.js';
import { differences, streamConfig, type StreamConfig } from './streams.js';
import { parseNotice, TailsCollector } from './tails.js';

const entry = (seq: number, subject: string): StoredEntry => ({
  partition: 0,
  seq,
  subject,
  prev: undefined,
  at: 0,
  decoded: { kind: 'unreadable', reason: 'not needed here' },
});

describe('subjects', () => {
  test.each([
    ['chat.0.room.a.timeline', 'chat.0.room.a.timeline', true],
    ['chat.0.room.*.config', 'chat.0.room.a.config', true],
    ['chat.0.room.*.config', 'chat.0.room.a.b.config', false],
    ['chat.0.room.a.>', 'chat.0.room.a.member.b', true],
    ['chat.0.room.a.>', 'chat.0.room.a', false],
    ['>', 'chat', true],
    ['live.room.*.member.ann', 'live.room.a.member.bob', false],
    ['a.b', 'a.b.c', false],
  ])('%s takes %s: %s', (filter, subject, expected) => {
    expect(matches(filter, subject)).toBe(expected);
  });

  test('the partition stands in the subject; anything else is a mistake of the caller', () => {
    expect(partitionOfSubject('chat.1023.room.a.timeline')).toBe(1023);
    for (const wrong of ['chat.x.room.a.timeline', 'live.0.room.a', 'chat.0', 'chat..room', ''])
      expect(() => partitionOfSubject(wrong)).toThrow(RangeError);
  });
});

describe('pauses between tries', () => {
  test('grow to a limit, and chance shortens them by half at most', () => {
    for (let tries = 0; tries < 40; tries++) {
      const [longest, shortest] = [retryPauseMs(tries, () => 0), retryPauseMs(tries, () => 1)];
      expect(longest).toBeLessThanOrEqual(RETRY_PAUSE.maxMs);
      expect(shortest).toBe(longest / 2);
      if (tries > 0) expect(longest).toBeGreaterThanOrEqual(retryPauseMs(tries - 1, () => 0));
    }
  });
});

describe('tails notices', () => {
  test('are cut by sequence before they grow too large, and join end to end', () => {
    const notices: TailsNotice[] = [];
    const collector = new TailsCollector('e', 10, (notice) => notices.push(notice) > 0);
    const subjects = Array.from({ length: 10_000 }, (_, i) => `chat.0.room.room-with-a-name-${i}.timeline`);
    collector.add(subjects.map((subject, i) => entry(11 + i, subject)));
    collector.flush();
    collector.flush();
    expect(notices.length).toBeGreaterThan(1);
    expect(notices.flatMap(({ last }) => last)).toHaveLength(10_000);
    let from = 10;
    for (const notice of notices) {
      expect(notice.from).toBe(from);
      expect(JSON.stringify(notice).length).toBeLessThan(LOG_LIMITS.tailsNoticeBytesMax + 4_096);
      expect(notice.last.every(([, seq]) => seq > notice.from && seq <= notice.to)).toBe(true);
      expect(parseNotice(JSON.stringify(notice))).toEqual(notice);
      from = notice.to;
    }
    expect(from).toBe(10_010);
  });

  test('grow while they cannot be published', () => {
    const notices: TailsNotice[] = [];
    let up = false;
    const collector = new TailsCollector('e', 0, (notice) => up && notices.push(notice) > 0);
    collector.add([entry(1, 'a'), entry(2, 'b')]);
    collector.flush();
    up = true;
    collector.add([entry(3, 'a')]);
    collector.flush();
    expect(notices).toEqual([
      {
        epoch: 'e',
        from: 0,
        to: 3,
        last: [
          ['a', 3],
          ['b', 2],
        ],
      },
    ]);
  });

  test.each([
    '',
    '[]',
    'null',
    '{"epoch":"e","from":0,"to":1}',
    '{"epoch":"e","from":0,"to":1,"last":[["a"]]}',
    '{"epoch":"e","from":0.5,"to":1,"last":[["a",1]]}',
    '{"epoch":"e","from":-1,"to":1,"last":[["a",1]]}',
    '{"epoch":"e","from":0,"to":1e400,"last":[["a",1]]}',
    '{"epoch":"e","from":0,"to":9007199254740993,"last":[["a",1]]}',
    '{"epoch":"e","from":2,"to":1,"last":[]}',
    '{"epoch":"e","from":0,"to":1,"last":[["a",0.5]]}',
    '{"epoch":"e","from":1,"to":2,"last":[["a",1]]}',
    '{"epoch":"e","from":1,"to":2,"last":[["a",3]]}',
    '{"epoch":"e","from":0,"to":1,"last":[["",1]]}',
  ])('what is none is passed over: %s', (text) => expect(parseNotice(text)).toBeUndefined());
});

describe('an existing stream', () => {
  const shape = { partitions: 4, replicas: 1 };
  const asConfigured = streamConfig(2, shape, 'e');

  test('as it was created differs in nothing', () => {
    expect(differences(asConfigured, shape)).toEqual([]);
    expect(differences(asConfigured, { partitions: 4 })).toEqual([]);
  });

  test.each<[string, Partial<StreamConfig>]>([
    ['storage', { storage: 'memory' }],
    ['dedupe window', { duplicate_window: 60_000_000_000 }],
    ['allow_atomic', { allow_atomic: false }],
    ['allow_direct', { allow_direct: false }],
    ['republish', { republish: { src: 'chat.2.>', dest: 'elsewhere.>' } }],
    ['replicas', { num_replicas: 3 }],
    ['max_age', { max_age: 1 }],
    ['retention', { retention: 'workqueue' }],
    ['subjects', { subjects: ['chat.>'] }],
    ['discard', { discard: 'old' }],
    ['schema', { metadata: { ...asConfigured.metadata, 'parley-schema': '0' } }],
  ])('that differs in %s is named, with what is and what should be', (what, change) => {
    const lines = differences({ ...asConfigured, ...change }, shape);
    expect(lines).toEqual([expect.stringMatching(new RegExp(`^CHAT_2: ${what}.* is .*, configured is `))]);
  });
});
