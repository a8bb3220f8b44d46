/** How events change the timeline: every message is a row, once. */
import { eventsOf, type ReadModel } from '../read-model.js';

export const timeline: ReadModel = {
  name: 'timeline',
  tables: ['messages'],
  needs: ['rooms'],
  async apply(db, batch) {
    const sent = eventsOf(batch, 'timeline');
    if (sent.length === 0) return;
    await db.query(
      'timeline-messages',
      `insert into messages (partition, room_id, seq, ordinal, at, sender, type, content, metadata, mentions, reply_to)
       select $1, * from unnest($2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::text[], $7::text[], $8::text[],
         $9::jsonb[], $10::jsonb[], $11::text[])
       on conflict (room_id, seq) do nothing`,
      [
        batch.partition,
        sent.map(({ subject }) => subject.roomId),
        sent.map(({ seq }) => seq),
        sent.map(({ ordinal }) => ordinal),
        sent.map(({ at }) => at),
        sent.map(({ event }) => event.actor),
        sent.map(({ event }) => event.data.type),
        sent.map(({ event }) => event.data.content),
        sent.map(({ event }) => json(event.data.metadata)),
        sent.map(({ event }) => json(event.data.mentions)),
        sent.map(({ event }) => event.data.replyTo ?? null),
      ],
    );
  },
};

const json = (value: object | undefined): string | null => (value === undefined ? null : JSON.stringify(value));
