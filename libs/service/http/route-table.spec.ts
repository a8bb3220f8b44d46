import { describe, expect, test } from '@jest/globals';
import Fastify from 'fastify';
import { RouteTable } from './route-table.js';

describe('the table of routes', () => {
  const table = new RouteTable();
  const server = Fastify();
  table.listenTo(server);
  const nothing = (): void => undefined;
  server.get('/api/rooms/:roomId', nothing);
  server.delete('/api/rooms/:roomId', nothing);
  server.get('/api/rooms/:roomId/messages/:messageId', nothing);
  server.get('/.well-known/jwks.json', nothing);

  test('knows the methods of a path, whatever its parameters are', () => {
    expect(table.methodsOf('/api/rooms/room1')).toEqual(['DELETE', 'GET']);
    expect(table.methodsOf('/api/rooms/a%20b/messages/msg_1')).toEqual(['GET']);
    expect(table.methodsOf('/.well-known/jwks.json')).toEqual(['GET']);
  });

  test('a parameter is one segment, and a dot is a dot', () => {
    expect(table.methodsOf('/api/rooms')).toEqual([]);
    expect(table.methodsOf('/api/rooms/')).toEqual([]);
    expect(table.methodsOf('/api/rooms/a/b')).toEqual([]);
    expect(table.methodsOf('/xwell-known/jwks.json')).toEqual([]);
  });
});
