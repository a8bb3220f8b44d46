/** What a broker that has stopped leaves in memory. */
import { describe, expect, test } from '@jest/globals';
import type { Msg } from '@nats-io/transport-node';
import type { ConnectionWatch } from './connection.js';
import { LOG_LIMITS } from './limits.js';
import { Publisher } from './publisher.js';

type Take = (error: Error | null, message: Msg) => void;

/** A broker that takes everything and answers when it is told to. */
class Stopped {
  readonly replies: string[] = [];
  private take: Take = () => undefined;
  readonly up = true;
  readonly nc = {
    subscribe: (_subject: string, { callback }: { callback: Take }) => void (this.take = callback),
    publish: (_subject: string, _payload: string, { reply }: { reply: string }) => void this.replies.push(reply),
  };
  readonly onDown = (): void => undefined;

  acknowledge(count: number): void {
    for (const [i, subject] of this.replies.splice(0, count).entries())
      this.take(null, { subject, data: Buffer.from('x'), json: () => ({ seq: i + 1 }) } as unknown as Msg);
  }
}

const entryOf = (bytes: number) => ({
  subject: 'chat.0.room.a.timeline',
  payload: 'x'.repeat(bytes),
  fence: undefined,
});
const OVERLOADED = { kind: 'overloaded', description: expect.stringMatching(/ wait for the broker$/) };

describe('appends without an answer', () => {
  test('are so many at most, and then so many again', async () => {
    const broker = new Stopped();
    const publisher = new Publisher(broker as unknown as ConnectionWatch);
    const sent = Array.from({ length: LOG_LIMITS.inFlightMax }, (_, i) => publisher.publish(entryOf(1), `id${i}`));
    expect(await publisher.publish(entryOf(1), 'more')).toEqual(OVERLOADED);
    broker.acknowledge(1);
    expect(await sent[0]).toMatchObject({ kind: 'stored' });
    const next = publisher.publish(entryOf(1), 'next');
    expect(await publisher.publish(entryOf(1), 'more')).toEqual(OVERLOADED);
    broker.acknowledge(LOG_LIMITS.inFlightMax);
    expect(await next).toMatchObject({ kind: 'stored' });
    await Promise.all(sent);
  });

  test('are so many bytes at most; a single one always goes', async () => {
    const broker = new Stopped();
    const publisher = new Publisher(broker as unknown as ConnectionWatch);
    const half = entryOf(LOG_LIMITS.inFlightBytesMax / 2);
    const sent = [publisher.publish(half, 'a'), publisher.publish(half, 'b')];
    expect(await publisher.publish(entryOf(1), 'c')).toEqual(OVERLOADED);
    expect(await publisher.publishBatch([entryOf(1)], 'd')).toEqual(OVERLOADED);
    broker.acknowledge(2);
    await Promise.all(sent);
    const huge = publisher.publish(entryOf(LOG_LIMITS.inFlightBytesMax + 1), 'e');
    expect(await publisher.publish(entryOf(1), 'f')).toEqual(OVERLOADED);
    broker.acknowledge(1);
    expect(await huge).toMatchObject({ kind: 'stored' });
    const small = publisher.publish(entryOf(1), 'g');
    broker.acknowledge(1);
    expect(await small).toMatchObject({ kind: 'stored' });
  });
});
