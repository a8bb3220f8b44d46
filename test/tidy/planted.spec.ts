/** The rules themselves, on small planted sources: each finds what it is for, and leaves alone what is right. */
import { describe, expect, test } from '@jest/globals';
import { boundaryFindings } from './boundaries.js';
import { dependencyFindings, unusedDependencies } from './dependencies.js';
import { importFindings } from './import-direction.js';
import { parseSource } from './source.js';
import { FILE_LINES_MAX, laterFindings, styleFindings } from './style.js';

const imports = (path: string, text: string) => importFindings(parseSource(path, text)).map((each) => each.problem);
const boundaries = (path: string, text: string) =>
  boundaryFindings(parseSource(path, text)).map((each) => each.problem);
const style = (path: string, text: string, long = {}) =>
  styleFindings(parseSource(path, text), long).map((each) => each.problem);

describe('import direction', () => {
  test.each([
    ['libs/contract/a.ts', `import { decide } from '#domain';`],
    ['libs/domain/a.ts', `import type { EventLog } from '#event-log';`],
    ['libs/domain/a.ts', `export * from '#service';`],
    ['libs/service/a.ts', `import { memoryLog } from '#event-log/memory';`],
    ['libs/read-models/a.ts', `const log = await import('#event-log');`],
    ['libs/embedded/a.ts', `import { loadConfig } from '#service';`],
    ['libs/domain/a.ts', `type Log = import('#event-log').EventLog;`],
    ['apps/api/a.ts', `import { startNatsServer } from '#embedded';`],
    ['apps/web/a.ts', `import { decide } from '#domain';`],
    ['apps/cli/chat/a.ts', `import { loadConfig } from '#service';`],
    ['examples/page/a.ts', `import { given } from '#embedded';`],
  ])('%s refuses %s', (path, text) => {
    expect(imports(path, text)).toEqual([expect.stringContaining('may not import')]);
  });

  test.each([
    ['libs/domain/a.ts', `import type { ChatEvent } from '#contract';`],
    ['libs/service/a.ts', `import { DomainError } from '#contract';`],
    ['apps/commands/send/a.ts', `import { decide } from '#domain'; import { x } from '#event-log';`],
    ['apps/standalone/a.ts', `import { startPostgres } from '#embedded';`],
    ['libs/event-log/a.int.spec.ts', `import { startNatsServer } from '#embedded'; import { given } from '#testing';`],
    ['libs/event-log/a.spec.ts', `import { memoryLog } from '#event-log/memory';`],
    ['apps/cli/chat/a.ts', `import { ChatClient } from '#client';`],
    ['test/kill/a.ts', `import { checkHistory } from '#testing'; import { Client } from '#client';`],
  ])('%s allows %s', (path, text) => {
    expect(imports(path, text)).toEqual([]);
  });

  test('no path leads into a library or into another app', () => {
    expect(imports('apps/api/a.ts', `import { x } from '../../libs/contract/subjects.js';`)).toEqual([
      'reaches into libs/contract by path: import #contract',
    ]);
    expect(imports('apps/api/a.ts', `import { x } from '../gateway/feed/feed.js';`)).toHaveLength(1);
    expect(imports('test/e2e/a.e2e.spec.ts', `import { x } from '../../apps/api/main.js';`)).toHaveLength(1);
    expect(imports('apps/standalone/main.ts', `import { x } from '../gateway/gateway.module.js';`)).toEqual([]);
    expect(imports('apps/gateway/feed/a.ts', `import { x } from '../socket/socket.js';`)).toEqual([]);
  });

  test('what is shipped takes nothing from tests, nor a library from itself by name', () => {
    expect(imports('libs/domain/a.ts', `import { x } from './room.spec.js';`)).toEqual([
      'imports test code (libs/domain/room.spec.js)',
    ]);
    expect(imports('libs/domain/a.ts', `import { x } from '../../test/kill/talk.js';`)).toHaveLength(1);
    expect(imports('apps/api/a.ts', `import { x } from './test-platform.js';`)).toHaveLength(1);
    expect(imports('apps/api/test-people.ts', `import { x } from './test-platform.js';`)).toEqual([]);
    expect(imports('libs/domain/a.ts', `import { x } from '#domain';`)).toHaveLength(1);
  });

  test('the browser takes types and constant tables, no schemas', () => {
    expect(imports('libs/client/a.ts', `import { CLOSE } from '#contract/protocol';`)).toEqual([]);
    expect(imports('libs/client/a.ts', `import type { ServerFrame } from '#contract';`)).toEqual([]);
    expect(imports('libs/client/a.ts', `import { type A, type B } from '#contract';`)).toEqual([]);
    expect(imports('libs/client/a.ts', `export type { A } from '#contract';`)).toEqual([]);
    expect(imports('libs/client/a.ts', `import { type A, fields } from '#contract';`)).toHaveLength(1);
    expect(imports('libs/client/a.ts', `import '#contract';`)).toHaveLength(1);
    expect(imports('apps/web/a.ts', `import { COMMANDS } from '#contract';`)).toHaveLength(1);
  });
});

describe('boundaries', () => {
  test('only the event log touches JetStream', () => {
    const text = `import { jetstream } from '@nats-io/jetstream';`;
    expect(boundaries('libs/event-log/streams.ts', text)).toEqual([]);
    expect(boundaries('apps/projection/a.ts', text)).toHaveLength(1);
    expect(boundaries('apps/projection/a.ts', `nats.request('$JS.API.INFO');`)).toHaveLength(1);
    expect(boundaries('libs/event-log/a.ts', `nats.request('$JS.API.INFO');`)).toEqual([]);
  });

  test('the environment is read in one place', () => {
    expect(boundaries('apps/api/a.ts', `const port = process.env.PORT;`)).toHaveLength(1);
    expect(boundaries('apps/api/a.ts', `const { PORT } = process.env;`)).toHaveLength(1);
    for (const path of ['libs/service/config.ts', 'apps/api/main.ts', 'apps/cli/chat/main.ts', 'libs/embedded/a.ts'])
      expect(boundaries(path, `const port = process.env.PORT;`)).toEqual([]);
  });

  test.each(['`chat.${p}.room`', `'chat.0.room.a.timeline'`, `'live.>'`, '`tails.${p}`', `'Nats-Msg-Id'`, `'CHAT_0'`])(
    'nobody but the contract spells %s',
    (literal) => {
      expect(boundaries('apps/gateway/a.ts', `subscribe(${literal});`)).toHaveLength(1);
      expect(boundaries('libs/contract/subjects.ts', `subscribe(${literal});`)).toEqual([]);
    },
  );

  test('a gRPC package, a frame type and a word of prose are no subjects', () => {
    expect(boundaries('apps/gateway/a.ts', `f('chat.ChatService', 'room.created', 'typing', 'live', 'chat');`)).toEqual(
      [],
    );
  });

  test('rules and contract load nothing', () => {
    expect(boundaries('libs/domain/a.ts', `import { randomUUID } from 'node:crypto';`)).toHaveLength(1);
    expect(boundaries('libs/contract/a.ts', `import { connect } from '@nats-io/transport-node';`)).toHaveLength(1);
    expect(boundaries('libs/contract/schemas.ts', `import { z } from 'zod';`)).toEqual([]);
    expect(boundaries('libs/contract/protocol.ts', `import { z } from 'zod';`)).not.toEqual([]);
    expect(boundaries('libs/contract/protocol.ts', `import { x } from './ids.js';`)).toHaveLength(1);
  });
});

describe('dependencies', () => {
  const packages = { dependencies: { ws: '1', '@nats-io/kv': '3' }, devDependencies: { yaml: '2' } };
  const found = (path: string, text: string) => dependencyFindings(parseSource(path, text), packages);

  test('what is shipped loads dependencies only', () => {
    expect(found('libs/x/a.ts', `import WebSocket from 'ws'; import { Kvm } from '@nats-io/kv/internal';`)).toEqual([]);
    expect(found('libs/x/a.ts', `import { parse } from 'yaml';`)).toHaveLength(1);
    expect(found('libs/x/a.ts', `import { join } from 'path';`)).toHaveLength(1);
    expect(found('libs/x/a.ts', `import type { Node } from 'yaml';`)).toEqual([]);
    expect(found('libs/x/a.spec.ts', `import { parse } from 'yaml';`)).toEqual([]);
  });

  test('a dependency that nothing loads is found', () => {
    const sources = [parseSource('libs/x/a.ts', `import WebSocket from 'ws';`)];
    expect(unusedDependencies(sources, packages, {})).toEqual(['@nats-io/kv']);
    expect(unusedDependencies(sources, packages, { '@nats-io/kv': 'loaded by Nest' })).toEqual([]);
  });
});

describe('style', () => {
  test.each([
    'libs/x/utils.ts',
    'libs/shared/a.ts',
    'apps/api/room-manager.ts',
    'libs/x/base.service.ts',
    'libs/x/roomLog.ts',
  ])('refuses the name %s', (path) => {
    expect(style(path, '')).toHaveLength(1);
  });

  test('takes a name for what is inside', () => {
    for (const path of [
      'libs/x/room-log.ts',
      'libs/x/shared-decision.ts',
      'apps/api/http/rooms.controller.ts',
      'jest.config.js',
      'a/1700-first.ts',
    ])
      expect(style(path, '')).toEqual([]);
  });

  test('a file longer than the limit needs an exception, which only shrinks', () => {
    const lines = (count: number) => 'x;\n'.repeat(count);
    const path = 'libs/x/long.ts';
    expect(style(path, lines(FILE_LINES_MAX))).toEqual([]);
    expect(style(path, lines(FILE_LINES_MAX + 1))).toHaveLength(1);
    expect(style(path, lines(500), { [path]: 500 })).toEqual([]);
    expect(style(path, lines(501), { [path]: 500 })).toHaveLength(1);
    expect(style(path, lines(499), { [path]: 500 })).toHaveLength(1);
    expect(style(path, lines(10), { [path]: 500 })).toHaveLength(1);
  });

  test('finds any, Impl, IThing and synchronize in code, not in words', () => {
    expect(style('libs/x/a.ts', `const a: any = 1;`)).toHaveLength(1);
    expect(style('libs/x/a.ts', `const a = b as Record<string, any>;`)).toHaveLength(1);
    expect(style('libs/x/a.ts', `/** any */ const any = 'any';`)).toEqual([]);
    expect(style('libs/x/a.ts', `class LogImpl {}`)).toHaveLength(1);
    expect(style('libs/x/a.ts', `interface ILog {}`)).toHaveLength(1);
    expect(style('libs/x/a.ts', `interface Id {} interface IdsByKind {} class Implicit {}`)).toEqual([]);
    expect(style('libs/x/a.ts', `new DataSource({ synchronize: true })`)).toHaveLength(1);
  });

  test.each([
    `await new Promise((resolve) => setTimeout(resolve, 100));`,
    `await new Promise<void>((done) => { setTimeout(() => done(), 100); });`,
    `await new Promise(function (go) { globalThis.setTimeout(go, 5) });`,
    `import { setTimeout as delay } from 'node:timers/promises';`,
  ])('a test may not sleep: %s', (text) => {
    expect(style('libs/x/a.spec.ts', text)).toEqual(['sleeps: wait for a condition with a deadline']);
    expect(style('libs/x/a.ts', text)).toEqual([]);
  });

  test.each([
    `await new Promise((_, reject) => { timer = setTimeout(() => reject(new Error('late')), 100); });`,
    `await new Promise((resolve) => server.listen(0, resolve));`,
    `await new Promise((resolve, reject) => { socket.once('open', resolve); setTimeout(reject, 100); });`,
  ])('a deadline is no sleep: %s', (text) => {
    expect(style('libs/x/a.spec.ts', text)).toEqual([]);
  });

  test('nothing is left for later', () => {
    const word = ['TO', 'DO'].join('');
    expect(laterFindings('a.md', `done\n${word}: the rest\n`)).toEqual([
      { path: 'a.md', line: 2, problem: `leaves a ${word}` },
    ]);
    expect(laterFindings('a.md', 'todos, mastodon, a to-do list')).toEqual([]);
  });
});
