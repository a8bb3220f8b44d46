/** socket.io 4 as its documentation has it: websocket transport, a room a room, and, with a Redis, its adapter between nodes. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAdapter } from '@socket.io/redis-adapter';
import { connect } from '@nats-io/transport-node';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { LIVE } from '#contract';
import { natsOptions } from '#embedded';
import { serve } from '../program.js';

export interface SocketIoOptions {
  readonly natsUrls: readonly string[];
  /** Rooms whose messages this node takes from the broker and emits; the others' come by the adapter. */
  readonly roomIds: readonly string[];
  /** `redis://...`: several nodes, joined by the adapter. */
  readonly redisUrl?: string;
}

async function listen({ natsUrls, roomIds, redisUrl }: SocketIoOptions): Promise<number> {
  const http = createServer();
  const io = new Server(http, { transports: ['websocket'], perMessageDeflate: false, serveClient: false });
  if (redisUrl !== undefined) {
    const publisher = createClient({ url: redisUrl });
    const subscriber = publisher.duplicate();
    await Promise.all([publisher.connect(), subscriber.connect()]);
    io.adapter(createAdapter(publisher, subscriber));
  }
  io.on('connection', async (socket) => {
    await socket.join(String(socket.handshake.query.room));
    socket.emit('joined');
  });
  const nats = await connect({ ...natsOptions(natsUrls), name: 'socket.io' });
  for (const id of roomIds)
    nats.subscribe(LIVE.room(id), {
      callback: (_, message) => void io.to(id).emit('message', JSON.parse(message.string())),
    });
  await nats.flush();
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return (http.address() as AddressInfo).port;
}

serve({ listen });
