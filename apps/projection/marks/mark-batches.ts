/**
 * Read and delivered marks: requests that arrive while one statement runs go together into the next one. Nothing waits for a
 * timer: the first request after a pause is written at once.
 */
import {
  DomainError,
  type MarkReply,
  type MarkRequest,
  markRequest,
  parseMessageId,
  parseOrRefuse,
  type Position,
} from '#contract';
import { type EventLog, LogUnavailableError } from '#event-log';
import { type Database, type MarkInput, type MarkOutcome, type PositionWaiter, writeMarks } from '#read-models';

/** Marks of one statement. */
const BATCH_MAX = 500;
/** Requests that wait, for the view or for their turn; above it they are refused, and may be repeated. */
export const MARKS_WAITING_MAX = 10_000;

interface Waiting {
  readonly mark: MarkInput;
  readonly resolve: (outcome: MarkOutcome) => void;
  readonly reject: (error: unknown) => void;
}

export interface MarksPort {
  readonly database: Database;
  readonly log: EventLog;
  readonly positions: PositionWaiter;
  /** After the commit, when the mark has moved. */
  onMoved(mark: MarkRequest): void;
}

export class MarkBatches {
  private waiting: Waiting[] = [];
  private writing = false;
  private underWay = 0;

  constructor(private readonly port: MarksPort) {}

  /** Answers after the commit; a refusal is an answer. */
  async answer(request: unknown): Promise<MarkReply> {
    if (this.underWay >= MARKS_WAITING_MAX) return { refused: new DomainError('unavailable').toRefusal() };
    this.underWay += 1;
    try {
      return { ok: { ordinal: await this.mark(parseOrRefuse(markRequest, request)) } };
    } catch (error) {
      if (error instanceof DomainError) return { refused: error.toRefusal() };
      if (error instanceof LogUnavailableError) return { refused: new DomainError('unavailable').toRefusal() };
      throw error;
    } finally {
      this.underWay -= 1;
    }
  }

  private async mark(request: MarkRequest): Promise<number> {
    const position = parseMessageId(request.messageId);
    if (position === undefined) throw new DomainError('message_not_found');
    await this.untilVisible(position);
    const outcome = await this.enqueue({
      ...position,
      userId: request.userId,
      roomId: request.roomId,
      kind: request.kind,
    });
    if (outcome.kind !== 'marked') throw new DomainError(outcome.kind);
    if (outcome.moved) this.port.onMoved(request);
    return outcome.ordinal;
  }

  /** A message that was sent a moment ago may not be in the view yet; one beyond the log's end never will be. */
  private async untilVisible(position: Position): Promise<void> {
    const { log, positions } = this.port;
    if (positions.includes(position)) return;
    const last = position.partition < log.partitions ? await log.lastSequence(position.partition) : 0;
    if (position.seq > last) throw new DomainError('message_not_found');
    await positions.waitFor(position);
  }

  private enqueue(mark: MarkInput): Promise<MarkOutcome> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ mark, resolve, reject });
      if (!this.writing) void this.writeAll();
    });
  }

  /** Owns its failures: they are the answers of the requests concerned. */
  private async writeAll(): Promise<void> {
    this.writing = true;
    while (this.waiting.length > 0) {
      const batch = this.waiting.splice(0, BATCH_MAX);
      try {
        const outcomes = await writeMarks(
          this.port.database,
          batch.map(({ mark }) => mark),
        );
        for (const [i, { resolve }] of batch.entries()) resolve(outcomes[i] ?? { kind: 'message_not_found' });
      } catch (error) {
        for (const { reject } of batch) reject(error);
      }
    }
    this.writing = false;
  }
}
