/** What a process does as `projection`: leads the partitions that nobody else leads, and stands by for the others. */
import { type LoggerService } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { formatPosition, TRANSIENT } from '#contract';
import type { EventLog } from '#event-log';
import { type Database, listDeadLetters, type Writer } from '#read-models';
import type { Health } from '#service';
import { Leadership } from './leading/leadership.js';
import { type LeaderPort, PartitionLeader } from './leading/partition-leader.js';
import { TailsRole } from './leading/tails-role.js';
import type { Rebuilds } from './rebuild/rebuilds.js';

/** Positions that health names; there may be more. */
const NAMED_MAX = 5;

export interface ProjectionPort {
  readonly nats: NatsConnection;
  readonly log: EventLog;
  readonly database: Database;
  readonly retryAttempts: number;
  readonly logger: LoggerService;
  readonly rebuilds: Rebuilds;
}

export class ProjectionRole {
  private readonly stopping = new AbortController();
  private readonly leaders = new Map<number, PartitionLeader>();
  private readonly tails: TailsRole;
  private readonly leadership: Leadership;
  private ended: Promise<void> | undefined;

  constructor(private readonly port: ProjectionPort) {
    const { database, log, logger } = port;
    this.tails = new TailsRole(log, logger);
    const role = {
      lead: (partition: number, writer: Writer, signal: AbortSignal) => this.lead(partition, writer, signal),
      // Ends after its last notice; nothing here has to wait for that.
      onOther: (partition: number) => void this.tails.end(partition),
    };
    this.leadership = new Leadership(database, log.partitions, role, logger);
  }

  start(): void {
    this.ended ??= this.leadership.run(this.stopping.signal);
  }

  /** Gives every partition up; a standby takes them over within 100 ms. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
    await this.tails.endAll();
  }

  addTo(health: Health): void {
    health.add('projection', () => {
      const waits = [...this.leaders.values()].flatMap(({ waitsFor }) => waitsFor ?? []);
      const troubles = [...this.leadership.troubles, ...waits];
      if (troubles.length > 0) throw new Error(troubles.join('; '));
      return `leads ${this.leadership.led.join(', ') || 'nothing: stands by'}`;
    });
    health.add('dead letters', () => this.deadLetters(), { required: false });
  }

  private async lead(partition: number, writer: Writer, signal: AbortSignal): Promise<void> {
    const leader = new PartitionLeader(this.leaderPort(), partition);
    this.leaders.set(partition, leader);
    this.tails.begin(partition);
    try {
      await leader.lead(writer, signal);
    } finally {
      this.leaders.delete(partition);
    }
  }

  private leaderPort(): LeaderPort {
    const { nats, log, retryAttempts, logger, rebuilds } = this.port;
    return {
      log,
      retryAttempts,
      logger,
      onApplied: (checkpoint) => nats.publish(TRANSIENT.views(checkpoint.partition), JSON.stringify(checkpoint)),
      onDeadLetter: (letter) =>
        nats.publish(
          TRANSIENT.deadLetter(letter.partition),
          JSON.stringify({ position: formatPosition(letter), subject: letter.subject, reason: letter.reason }),
        ),
      onMissing: (models) => rebuilds.missing(models),
    };
  }

  private async deadLetters(): Promise<string> {
    const letters = await listDeadLetters(this.port.database, NAMED_MAX + 1);
    if (letters.length === 0) return 'none';
    const named = letters.slice(0, NAMED_MAX).map(formatPosition).join(', ');
    const more = letters.length > NAMED_MAX ? ' and more' : '';
    throw new Error(`events at ${named}${more} are not in the views: see \`parley projections status\``);
  }
}
