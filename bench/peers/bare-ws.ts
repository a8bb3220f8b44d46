/**
 * The floor of live delivery: `ws`, one NATS subscription, rooms as sets of sockets. A payload is framed once as it came, what
 * a room receives in a tick is joined, and every socket gets one write of the same buffer. No sign-in, no membership, no parsing.
 */
import { createServer } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { connect } from '@nats-io/transport-node';
import * as ws from 'ws';
import { LIVE } from '#contract';
import { natsOptions } from '#embedded';
import { serve } from '../program.js';

interface Room {
  readonly sockets: Set<Socket>;
  pending: Buffer[];
}

const rooms = new Map<string, Room>();
const FRAME = { fin: true, rsv1: false, opcode: 1, mask: false, readOnly: true };

/** `ws` exports it, its types do not say so. */
const { frame } = (ws as unknown as { Sender: { frame(data: Buffer, options: typeof FRAME): Buffer[] } }).Sender;

let dirty: Room[] = [];

function receive(room: Room, payload: Uint8Array): void {
  if (room.pending.length === 0) {
    if (dirty.length === 0) setImmediate(flush);
    dirty.push(room);
  }
  room.pending.push(...frame(Buffer.from(payload), FRAME));
}

function flush(): void {
  const now = dirty;
  dirty = [];
  for (const room of now) {
    const joined = Buffer.concat(room.pending);
    room.pending = [];
    for (const socket of room.sockets) socket.write(joined);
  }
}

serve({
  /** @returns the port */
  listen: async ({
    natsUrls,
    roomIds,
  }: {
    natsUrls: readonly string[];
    roomIds: readonly string[];
  }): Promise<number> => {
    const nats = await connect({ ...natsOptions(natsUrls), name: 'bare' });
    for (const id of roomIds) {
      const room: Room = { sockets: new Set(), pending: [] };
      rooms.set(id, room);
      nats.subscribe(LIVE.room(id), { callback: (_, message) => receive(room, message.data) });
    }
    await nats.flush();
    const http = createServer();
    const server = new ws.WebSocketServer({ server: http, perMessageDeflate: false });
    server.on('connection', (client: ws.WebSocket, request) => {
      const room = rooms.get(new URL(request.url ?? '/', 'ws://bare').searchParams.get('room') ?? '');
      if (room === undefined) return client.close(1008, 'no such room');
      room.sockets.add(request.socket);
      client.on('close', () => room.sockets.delete(request.socket));
    });
    await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
    return (http.address() as AddressInfo).port;
  },
});
