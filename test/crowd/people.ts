/** Who the crowd is: people on sockets, on sockets but sending over HTTP, on server-sent events, and on gRPC streams. */
import type { SendOutcome } from '#testing';
import { TestClient } from '../client.js';
import { GrpcClient } from '../grpc-client.js';
import { tokenFor } from '../platform.js';
import type { Random } from '../random.js';
import type { Channel } from './rooms.js';

/** Where a platform is reached. */
export interface Stage {
  /** HTTP. */
  readonly url: string;
  /** One a gateway. */
  readonly sockets: readonly string[];
  readonly grpc?: readonly string[];
}

export const WAYS = ['socket', 'http', 'events', 'grpc'] as const;
export type Way = (typeof WAYS)[number];

export class Person {
  private constructor(
    readonly client: TestClient | GrpcClient,
    readonly way: Way,
    readonly random: Random,
  ) {}

  static of(stage: Stage, way: Way, user: string, random: Random, patient: boolean): Person {
    const common = { name: user, user, token: tokenFor(user), http: stage.url, random: random.fork('client'), patient };
    if (way === 'grpc') return new Person(new GrpcClient({ ...common, grpc: stage.grpc ?? [] }), way, random);
    const { sockets } = stage;
    return new Person(new TestClient({ ...common, sockets, via: way === 'events' ? 'events' : 'socket' }), way, random);
  }

  get user(): string {
    return this.client.options.user;
  }

  say(room: string, content: string): Promise<SendOutcome> {
    const { client } = this;
    return this.way === 'http' && client instanceof TestClient
      ? client.sendOverHttp(room, content)
      : client.send(room, content);
  }

  /** Over gRPC a channel is a room, once somebody has made it. */
  sayTo({ room, participants }: Channel, content: string): Promise<SendOutcome> {
    const { client } = this;
    return client instanceof TestClient ? client.sendTo(participants, content) : client.sendToChannel(room, content);
  }

  describe(): string {
    const { isUp, cursor, unanswered, faults } = this.client;
    return `${this.user} (${this.way}): ${isUp ? 'up' : 'not up'}, ${unanswered} unanswered, cursor ${cursor}, ${faults.length} faults`;
  }
}
