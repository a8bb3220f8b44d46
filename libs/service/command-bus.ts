/**
 * How an edge (HTTP, socket, gRPC) hands a command on: request/reply in the packet format of Nest's NATS transport. A
 * command without a key gets one here, so that an edge can repeat it when the answer is lost: the log takes it once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Msg } from '@nats-io/transport-node';
import {
  type Actor,
  type CommandName,
  type CommandReply,
  type CommandResult,
  COMMANDS,
  commandSubject,
  DomainError,
} from '#contract';
import { freshKey } from './fresh-key.js';
import { Gate } from './gate.js';
import { ATTEMPT_MS } from './request-age.js';
import { Requester, type RequestConnection } from './requester.js';
import type { Standstill } from './standstill.js';

/** A command that nobody answered for so long is `unavailable`; its caller may repeat it with the same key. */
const GIVE_UP_MS = 15_000;
const RETRY_WAIT_MS = 50;
const RETRY_WAIT_MAX_MS = 1_000;
/** Nest answers only packets that have one; which answer is whose is told by the reply's subject. */
const PACKET_ID = '1';

/**
 * Requests of one process that have no answer yet, and their bytes: as many as the log takes in half a second. A command service that
 * does not answer fills them, and from then on the others are told at once instead of after 15 s.
 */
export const REQUESTS_MAX = 4_096;
export const REQUEST_BYTES_MAX = 64 * 1024 * 1024;

export class CommandBus {
  private readonly gate = new Gate({
    inside: REQUESTS_MAX,
    waiting: 0,
    weight: REQUEST_BYTES_MAX,
    refusal: 'too many requests wait for their answers',
  });
  private readonly requester: Requester;

  /** @param standstill without it, commands are handed on however long they have waited to be read */
  constructor(
    nats: RequestConnection,
    private readonly standstill?: Pick<Standstill, 'isCatchingUp'>,
  ) {
    this.requester = new Requester(nats, ATTEMPT_MS);
  }

  /**
   * For whoever has read a command that will wait before it is run.
   * @throws DomainError `unavailable` while this process reads what came when it stood still: who sent that may have asked elsewhere
   */
  admit(): void {
    if (this.standstill?.isCatchingUp) throw new DomainError('unavailable', 'this process stood still; ask again');
  }

  /**
   * Runs a command and answers with its place in the log.
   * @param key the client's idempotency key, if it gave one
   * @param readAtMs `performance.now()` of when it was read, where it has waited since: what has changed meanwhile may have refused a
   * repeat of it
   * @throws DomainError what the handler refused, or `unavailable` (temporary) when none answered, or as `admit`
   */
  async run(
    name: CommandName,
    actor: Actor,
    body: unknown,
    key?: string,
    readAtMs = performance.now(),
  ): Promise<CommandResult> {
    this.admit();
    const subject = commandSubject(COMMANDS[name].service, name);
    const data = { actor, body, key: key ?? freshKey() };
    const reply = (await this.request(subject, data, readAtMs)) as CommandReply;
    if ('ok' in reply) return reply.ok;
    const { code, detail, retryMs } = reply.refused;
    throw new DomainError(code, detail, retryMs === undefined ? {} : { retryMs });
  }

  /**
   * One request to a Nest handler, repeated while nobody answers, or it comes too late to be decided.
   * @throws DomainError `unavailable`, at once when too many wait already; or `internal` when the handler crashed
   */
  async request(subject: string, data: unknown, readAtMs = performance.now()): Promise<unknown> {
    const packet = written({ pattern: subject, data, id: PACKET_ID });
    return this.gate.run(() => this.untilAnswered(subject, packet, readAtMs), packet.length);
  }

  private async untilAnswered(subject: string, packet: string, readAtMs: number): Promise<unknown> {
    const giveUpAt = performance.now() + GIVE_UP_MS;
    for (let waitMs = RETRY_WAIT_MS; ; waitMs = Math.min(2 * waitMs, RETRY_WAIT_MAX_MS)) {
      const answer = await this.attempt(subject, packet, readAtMs);
      if (answer !== undefined && !asksAgain(answer.response)) return answer.response;
      if (performance.now() + waitMs >= giveUpAt) throw new DomainError('unavailable');
      await delay(waitMs);
    }
  }

  /** Undefined when nobody listens, or the answer did not come: the request may be made again, because every command has a key. */
  private async attempt(
    subject: string,
    packet: string,
    firstAskedAtMs: number,
  ): Promise<{ response: unknown } | undefined> {
    const message = await this.requester.ask(subject, packet, firstAskedAtMs).catch((cause: unknown) => {
      throw new DomainError('unavailable', undefined, { cause });
    });
    if (message === undefined) return undefined;
    const answer = read(message);
    if (answer.err !== undefined) throw new DomainError('internal', undefined, { cause: answer.err });
    return { response: answer.response };
  }
}

/** Nothing was decided; see `CommandReply`. */
const asksAgain = (response: unknown): boolean =>
  typeof response === 'object' && response !== null && 'again' in response && response.again === true;

/** A body of 64 KiB can be nested deeper than it can be written again. */
function written(packet: object): string {
  try {
    return JSON.stringify(packet);
  } catch (error) {
    if (error instanceof RangeError) throw new DomainError('invalid_body', 'nested too deeply', { cause: error });
    throw error;
  }
}

function read(message: Msg): { response?: unknown; err?: unknown } {
  try {
    return message.json<{ response?: unknown; err?: unknown }>();
  } catch (cause) {
    throw new DomainError('unavailable', undefined, { cause });
  }
}
