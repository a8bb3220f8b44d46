/**
 * Nest's NATS transport on the process's own connection, for its `@MessagePattern` handlers. Nest's server would open a
 * connection of its own, and end by dropping what is under way: this one drains. A handler's queue group is its `queue`
 * extra: `@MessagePattern(subject, { queue })`. A handler's context is a `RequestContext`, which says when the request was made.
 */
import type { Msg, NatsConnection, Subscription } from '@nats-io/transport-node';
import { ServerNats, type WritePacket } from '@nestjs/microservices';
import { isObservable } from 'rxjs';
import { RequestAges, RequestContext } from './request-age.js';

export class NatsTransport extends ServerNats {
  private readonly serving: Subscription[] = [];
  private readonly underWay = new Set<Promise<unknown>>();
  private readonly ages = new RequestAges();

  constructor(private readonly nats: NatsConnection) {
    super({});
  }

  override createNatsClient(): Promise<NatsConnection> {
    return Promise.resolve(this.nats);
  }

  /** Ready is when the broker knows: then no request finds nobody. */
  override start(callback: (error?: unknown) => void): void {
    this.bindEvents(this.nats);
    this.nats.flush().then(() => callback(), callback);
  }

  override bindEvents(nats: NatsConnection): void {
    for (const [subject, handler] of this.messageHandlers) {
      const callback = this.getMessageHandler(subject).bind(this) as (error: Error | null, message: Msg) => void;
      const queue: unknown = handler.extras?.['queue'];
      this.serving.push(nats.subscribe(subject, { ...(typeof queue === 'string' ? { queue } : {}), callback }));
    }
  }

  override async handleMessage(subject: string, message: Msg): Promise<unknown> {
    const handled = this.answer(subject, message);
    this.underWay.add(handled);
    try {
      return await handled;
    } finally {
      this.underWay.delete(handled);
    }
  }

  /**
   * A request with one answer is answered here, in the packets of Nest's server, for which every answer is a stream that is
   * serialised packet by packet: a fifth of a send. Everything else is left to it.
   */
  private async answer(subject: string, message: Msg): Promise<unknown> {
    const handler = this.messageHandlers.get(subject);
    const packet: unknown = handler === undefined || message.reply === undefined ? undefined : message.json();
    if (handler === undefined || !isRequest(packet)) return super.handleMessage(subject, message);
    const { id, data } = packet;
    const times = this.ages.timesOf(message.reply ?? '');
    const answer: unknown = await handler(data, new RequestContext([message.subject, message.headers], times));
    const respond = (part: WritePacket): void => void message.respond(JSON.stringify({ ...part, id }));
    if (isObservable(answer)) return this.send(answer, respond);
    return message.respond(JSON.stringify({ response: answer, isDisposed: true, id }));
  }

  /** Takes nothing new, answers what has arrived, and leaves the connection to the process. */
  override async close(): Promise<void> {
    if (this.nats.isClosed()) return;
    await Promise.all(this.serving.map((subscription) => subscription.drain()));
    while (this.underWay.size > 0) await Promise.allSettled(this.underWay);
    await this.nats.flush();
  }
}

/** What has no id is an event, to which there is no answer. */
function isRequest(packet: unknown): packet is { readonly id: unknown; readonly data: unknown } {
  return typeof packet === 'object' && packet !== null && 'id' in packet && packet.id !== undefined && 'data' in packet;
}
