/** What is attacked. */
import type { NatsConnection } from '@nats-io/transport-node';

export interface Target {
  readonly http: string;
  readonly socket: string;
  readonly grpc: string;
  readonly token: string;
  readonly nats: NatsConnection;
  readonly partitions: number;
}

/** An answer takes that long at most; a machine may have other things to do. */
export const ANSWER_MS = 30_000;
