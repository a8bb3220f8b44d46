/**
 * What the people of a soak were told of what they sent, to be compared with the log in the end. Every message carries a number of its
 * own, so the comparison needs neither the people nor what they saw.
 */
import type { EventLog } from '#event-log';

export type Told = 'acknowledged' | 'refused' | 'unknown';

const READ_MAX = 1_000;
const MARK = /^soak (\d+)(?: |$)/;

export class Ledger {
  /** By number: what its sender was told, and where it stands by that. */
  private readonly sends = new Map<number, { told: Told; place: string }>();
  private numbers = 0;

  /** The text of a new message; `told` says later what became of it. */
  next(padding = ''): { readonly number: number; readonly content: string } {
    const number = ++this.numbers;
    this.sends.set(number, { told: 'unknown', place: '' });
    return { number, content: padding === '' ? `soak ${number}` : `soak ${number} ${padding}` };
  }

  /** @param position `<partition>-<sequence>` of an acknowledgement */
  told(number: number, told: Told, position = ''): void {
    this.sends.set(number, { told, place: position });
  }

  count(told: Told): number {
    return [...this.sends.values()].filter((send) => send.told === told).length;
  }

  /** Every acknowledged message stands once, where it was said to; every other at most once; a refused one nowhere. */
  async compare(log: EventLog): Promise<string[]> {
    const found = new Map<number, string[]>();
    for (let partition = 0; partition < log.partitions; partition++)
      await eachMessage(log, partition, (content, place) => {
        const number = Number(MARK.exec(content)?.[1] ?? 0);
        if (this.sends.has(number)) found.set(number, [...(found.get(number) ?? []), place]);
      });
    return [...this.sends].flatMap(([number, { told, place }]) =>
      faultOf(number, told, place, found.get(number) ?? []),
    );
  }
}

function faultOf(number: number, told: Told, place: string, places: readonly string[]): string[] {
  const at = places.length === 0 ? 'nowhere' : `at ${places.join(' and ')}`;
  if (told === 'acknowledged' && (places.length !== 1 || places[0] !== place))
    return [`message ${number} was acknowledged as ${place} and stands ${at}`];
  if (places.length > 1) return [`message ${number} stands ${at}`];
  return told === 'refused' && places.length > 0 ? [`message ${number} was refused and stands ${at}`] : [];
}

async function eachMessage(
  log: EventLog,
  partition: number,
  take: (content: string, place: string) => void,
): Promise<void> {
  const upTo = await log.lastSequence(partition);
  for (let after = 0; after < upTo;) {
    const range = { after, upTo, max: READ_MAX };
    const { entries, complete } = await log.readSubject(partition, `chat.${partition}.room.*.timeline`, range);
    for (const { seq, decoded } of entries)
      if (decoded.kind === 'event' && decoded.event.type === 'MessageSent')
        take(decoded.event.data.content, `${partition}-${seq}`);
    after = complete ? upTo : (entries.at(-1)?.seq ?? upTo);
  }
}
