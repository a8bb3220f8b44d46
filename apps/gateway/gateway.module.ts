/**
 * Live delivery: one feed, and a module for each transport on it. The process provides CONFIG, NATS, EVENT_LOG, DATABASE, HEALTH
 * and COMMAND_BUS globally, and calls `attachSockets(app)` before it listens.
 */
import { Module } from '@nestjs/common';
import { GrpcModule } from './grpc/grpc.module.js';
import { SocketModule } from './socket/socket.module.js';
import { SseModule } from './sse/sse.module.js';

export { attachSockets } from './socket/socket.module.js';

@Module({ imports: [SocketModule, SseModule, GrpcModule] })
export class GatewayModule {}
