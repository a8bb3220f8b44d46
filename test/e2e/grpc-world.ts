/** A platform whose gRPC port is known, and its clients. */
import { afterAll } from '@jest/globals';
import { freePort } from '#embedded';
import { Grpc } from '../grpc.js';
import { type Person, type World, worldOf } from './world.js';

export interface GrpcWorld {
  readonly world: World;
  /** Without a token. */
  readonly grpc: Grpc;
  as(person: Person): Grpc;
}

export async function grpcWorldOf(env: Readonly<Record<string, string>> = {}): Promise<GrpcWorld> {
  const port = await freePort();
  const world = worldOf({ GRPC_PORT: String(port), ...env });
  const grpc = new Grpc(`127.0.0.1:${port}`);
  const clients = [grpc];
  afterAll(() => clients.forEach((client) => client.close()));
  return {
    world,
    grpc,
    as({ token }) {
      const client = grpc.as(token);
      clients.push(client);
      return client;
    },
  };
}
