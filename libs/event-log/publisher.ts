/**
 * The thin publisher: the only thing that publishes to the log.
 *
 * The library's `js.publish` costs a timer, a subscription entry and 25 us of CPU a call. Here one inbox subscription
 * takes all answers, the last token of the reply subject says whose it is, and one sweep serves all time-outs: entries
 * wait in the order they were sent and all for the same time, so the sweep looks at the oldest only.
 *
 * States of a message: sent -> answered | silent. It is silent after `ackMs`, or at once when the connection breaks,
 * because its answer cannot arrive any more. What could not be sent at all is `nobody`: nothing is stored.
 */
import { MsgHdrsImpl, type Msg, type NatsConnection } from '@nats-io/transport-node';
import { HEADERS } from '#contract';
import type { Answer } from './append-answer.js';
import type { OutgoingEntry } from './appending.js';
import { ownInbox, type ConnectionWatch } from './connection.js';
import { LOG_LIMITS } from './limits.js';
import { Turns } from './turns.js';

interface Waiting {
  readonly deadline: number;
  readonly bytes: number;
  readonly answer: (answer: Answer) => void;
}

const SILENT: Answer = { kind: 'silent' };
const NOBODY: Answer = { kind: 'nobody' };
const SWEEP_MS = 100;

type Field = readonly [name: string, value: string];

export class Publisher {
  readonly #nc: NatsConnection;
  readonly #inbox: string;
  readonly #waiting = new Map<string, Waiting>();
  readonly #batches = new Turns(LOG_LIMITS.batchesInFlightMax, LOG_LIMITS.batchesWaitingMax);
  #sweep: NodeJS.Timeout | undefined;
  #sent = 0;
  #bytes = 0;

  constructor(private readonly connection: ConnectionWatch) {
    this.#nc = connection.nc;
    this.#inbox = `${ownInbox(this.#nc)}.`;
    this.#nc.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => this.#take(error, message),
    });
    connection.onDown(() => this.#silenceAll());
  }

  /** Never rejects: whatever happens is an answer. */
  publish(entry: OutgoingEntry, messageId: string): Promise<Answer> {
    return this.#send([entry], (reply) => this.#put(entry, [[HEADERS.messageId, messageId]], reply));
  }

  /**
   * An atomic batch, when its turn comes. All its messages share one reply subject: those that the broker took are
   * answered with nothing, the first real answer is the batch's. A part that is refused says why; the commit after it
   * would only say "incomplete".
   */
  publishBatch(entries: readonly OutgoingEntry[], batchId: string): Promise<Answer> {
    const sent = this.#batches.take(() => this.#sendBatch(entries, batchId));
    return sent ?? Promise.resolve(overloaded(`${LOG_LIMITS.batchesWaitingMax} batches wait for their turn`));
  }

  #sendBatch(entries: readonly OutgoingEntry[], batchId: string): Promise<Answer> {
    return this.#send(entries, (reply) => {
      for (const [i, entry] of entries.entries()) {
        const commit: Field[] = i === entries.length - 1 ? [[HEADERS.batchCommit, '1']] : [];
        this.#put(entry, [[HEADERS.batchId, batchId], [HEADERS.batchSequence, String(i + 1)], ...commit], reply);
      }
    });
  }

  #put({ subject, payload, fence }: OutgoingEntry, fields: readonly Field[], reply: string): void {
    const record: Record<string, string[]> = {};
    for (const [name, value] of fields) record[name] = [value];
    if (fence) {
      record[HEADERS.expectedLastSubjectSequence] = [String(fence.seq)];
      record[HEADERS.expectedLastSubjectSequenceSubject] = [fence.subject];
    }
    // Straight from a record: the library's `append` checks and searches on every call, at twice the cost of all the
    // rest.
    this.#nc.publish(subject, payload, { headers: MsgHdrsImpl.fromRecord(record), reply });
  }

  #send(entries: readonly OutgoingEntry[], publish: (reply: string) => void): Promise<Answer> {
    if (!this.connection.up) return Promise.resolve(NOBODY);
    if (this.#waiting.size >= LOG_LIMITS.inFlightMax)
      return Promise.resolve(overloaded(`${this.#waiting.size} appends wait for the broker`));
    const bytes = entries.reduce((sum, { payload }) => sum + payload.length, 0);
    // One that is alone goes, whatever its size: the broker has the last word on that.
    if (this.#waiting.size > 0 && this.#bytes + bytes > LOG_LIMITS.inFlightBytesMax)
      return Promise.resolve(overloaded(`${this.#bytes} bytes wait for the broker`));
    const token = (this.#sent++).toString(36);
    return new Promise<Answer>((answer) => {
      this.#waiting.set(token, { deadline: performance.now() + LOG_LIMITS.ackMs, bytes, answer });
      this.#bytes += bytes;
      this.#sweep ??= setInterval(() => this.#sweepOld(), SWEEP_MS);
      try {
        publish(this.#inbox + token);
      } catch (cause) {
        this.#settled(token);
        // The library throws for a closed connection, where nothing was sent, and for a payload over the server's
        // limit.
        answer(this.connection.up ? refused(400, String(cause)) : NOBODY);
      }
    });
  }

  #take(error: Error | null, message: Msg): void {
    if (error) return this.#silenceAll();
    const token = message.subject.slice(this.#inbox.length);
    const waiting = this.#waiting.get(token);
    if (!waiting) return;
    const answer = parseAnswer(message);
    if (!answer) return;
    this.#settled(token);
    waiting.answer(answer);
  }

  #sweepOld(): void {
    const now = performance.now();
    for (const [token, waiting] of this.#waiting) {
      if (waiting.deadline > now) return;
      this.#settled(token);
      waiting.answer(SILENT);
    }
    clearInterval(this.#sweep);
    this.#sweep = undefined;
  }

  #settled(token: string): void {
    const bytes = this.#waiting.get(token)?.bytes;
    if (this.#waiting.delete(token)) this.#bytes -= bytes ?? 0;
  }

  #silenceAll(): void {
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#bytes = 0;
    for (const { answer } of waiting) answer(SILENT);
  }
}

const overloaded = (description: string): Answer => ({ kind: 'overloaded', description });

const refused = (status: number, description: string): Answer => ({ kind: 'refused', status, code: 0, description });

interface Acknowledgement {
  readonly seq?: number;
  readonly duplicate?: boolean;
  readonly error?: { readonly code: number; readonly err_code: number; readonly description: string };
}

/** Undefined for the empty acknowledgement of a message inside a batch. */
function parseAnswer(message: Msg): Answer | undefined {
  if (message.data.length === 0) return message.headers?.code === 503 ? NOBODY : undefined;
  let ack: Acknowledgement;
  try {
    ack = message.json<Acknowledgement>();
  } catch {
    return refused(500, `not an acknowledgement: ${message.string()}`);
  }
  if (ack.error) {
    const { code, err_code, description } = ack.error;
    return { kind: 'refused', status: code, code: err_code, description };
  }
  if (!ack.seq) return refused(500, `no sequence: ${message.string()}`);
  return { kind: 'stored', seq: ack.seq, duplicate: ack.duplicate === true };
}
