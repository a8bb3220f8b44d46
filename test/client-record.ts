/** What a test client writes down, whatever it reads by. */
import {
  recordedNow,
  type ClientHistory,
  type ClientStep,
  type MoveRecord,
  type SendOutcome,
  type SendRecord,
} from '#testing';

export class ClientRecord {
  readonly steps: ClientStep[] = [];
  /** What no client should meet. */
  readonly faults: string[] = [];
  /** When its sends were acknowledged, ms. */
  readonly answers: number[] = [];
  readonly #sends: (SendRecord & { outcome: SendOutcome; answeredAt?: number })[] = [];
  readonly #moves: MoveRecord[] = [];

  /** Notes a send before it is tried; gives what to call with what came of it. */
  sending(send: Pick<SendRecord, 'room' | 'key' | 'content'>): (outcome: SendOutcome) => SendOutcome {
    const record: SendRecord & { outcome: SendOutcome; answeredAt?: number } = {
      ...send,
      outcome: { kind: 'unknown' },
      sentAt: recordedNow(),
    };
    this.#sends.push(record);
    return (outcome) => {
      record.outcome = outcome;
      if (outcome.kind === 'unknown') return outcome;
      record.answeredAt = recordedNow();
      if (outcome.kind === 'acknowledged') this.answers.push(record.answeredAt);
      return outcome;
    };
  }

  moved(
    what: MoveRecord['what'],
    room: string,
    { position, changed }: { readonly position?: string | undefined; readonly changed?: boolean | undefined },
    sentAt: number,
  ): void {
    if (position !== undefined && changed !== undefined)
      this.#moves.push({ room, what, position, changed, sentAt, answeredAt: recordedNow() });
  }

  /** Acknowledged, refused, and without an answer. */
  tally(): Record<SendOutcome['kind'], number> {
    const tally = { acknowledged: 0, refused: 0, unknown: 0 };
    for (const { outcome } of this.#sends) tally[outcome.kind] += 1;
    return tally;
  }

  history(): Pick<ClientHistory, 'sends' | 'moves' | 'steps'> {
    return { sends: this.#sends, moves: this.#moves, steps: this.steps };
  }
}
