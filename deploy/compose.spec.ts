/** docker-compose.yml: it parses, and every service, variable, path, port and file in it exists in the code. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { COMMAND_SERVICES } from '#contract';
import { loadConfig } from '#service';
import { configVariables, drainMaxMs, imageEntries, pathsToGateway } from './code-facts.js';
import { composeText, environmentIn, filled, ourServices, readCompose, secretNames } from './compose-file.js';

const root = join(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

const compose = readCompose();
const ours = ourServices(compose);
const given = Object.fromEntries(secretNames().map((name) => [name, 'p1']));

describe('docker-compose.yml', () => {
  test('has every service of ours, the broker, the database and one proxy', () => {
    const names = [
      ...COMMAND_SERVICES,
      'projection',
      'gateway',
      'api',
      'nats',
      'postgres',
      'proxy',
      'setup',
      'operate',
    ];
    expect(Object.keys(compose.services).sort()).toEqual(names.sort());
    for (const name of COMMAND_SERVICES) expect(compose.services[name]?.environment['COMMANDS']).toBe(name);
  });

  test.each(ours)('%s starts an entry of the image with an environment that the code accepts', (_, each) => {
    expect(imageEntries()).toEqual(expect.arrayContaining(each.command ?? ['nothing']));
    expect(existsSync(join(root, 'apps', String(each.command?.[0]), 'main.ts'))).toBe(true);
    const environment = environmentIn(each, given);
    expect(Object.keys(environment).filter((name) => !configVariables().includes(name))).toEqual([]);
    const config = loadConfig({ ...environment, HOST: '0.0.0.0' });
    expect(config).toMatchObject({ natsUrls: ['nats://nats:4222'], demo: false, natsReplicas: 1 });
    expect(config.databaseUrl).toBe('postgres://parley:p1@postgres:5432/parley');
  });

  test.each(ours)('%s is asked for its health and has the time to drain', (_, each) => {
    expect(each.healthcheck?.test?.join(' ')).toContain('/health/ready');
    expect(Number.parseInt(String(each.stop_grace_period), 10) * 1000).toBeGreaterThan(drainMaxMs());
  });

  test("has the operator's tool, which is started by hand", () => {
    const tool = compose.services['operate'];
    expect(tool).toMatchObject({ profiles: ['operate'], entrypoint: ['parley', 'operate'] });
    expect(read('deploy/docker/entry.sh')).toContain('dist/apps/cli/main.js');
    expect(existsSync(join(root, 'apps/cli/main.ts'))).toBe(true);
  });

  test('has a set-up job, which every service waits for', () => {
    expect(compose.services['setup']).toMatchObject({ command: ['operate', 'setup'], restart: 'no', profiles: [] });
    for (const [, each] of ours)
      expect(each.depends_on['setup']).toEqual({ condition: 'service_completed_successfully' });
    expect(compose.services['setup']?.depends_on).not.toHaveProperty('setup');
  });

  test('waits only for the health of what has a health check, and for the end of what ends', () => {
    for (const each of Object.values(compose.services))
      for (const [other, { condition }] of Object.entries(each.depends_on)) {
        if (condition === 'service_healthy') expect(compose.services[other]).toHaveProperty('healthcheck.test');
        else expect(compose.services[other]).toMatchObject({ restart: 'no' });
      }
  });

  test('keeps the log and the database on named volumes, and mounts files that are there', () => {
    const mounts = Object.values(compose.services).flatMap((each) =>
      each.volumes.map((mount) => String(mount.split(':')[0])),
    );
    const [files, named] = [
      mounts.filter((each) => each.startsWith('.')),
      mounts.filter((each) => !each.startsWith('.')),
    ];
    expect(named.sort()).toEqual(Object.keys(compose.volumes).sort());
    expect(files.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('opens one address for HTTP and one for gRPC, on loopback unless told otherwise', () => {
    const open = Object.values(compose.services).flatMap((each) => each.ports.map((port) => filled(port, {})));
    expect(open).toEqual(['127.0.0.1:3000:8080', '127.0.0.1:50053:8081']);
    const listening = [...read('deploy/docker/proxy.conf').matchAll(/listen (\d+);/g)].map(([, port]) => port);
    expect(open.map((each) => each.split(':').at(-1))).toEqual(listening);
  });

  test('takes every password from the environment, as the script makes them', () => {
    const asked = [...composeText().matchAll(/\$\{(\w+_PASSWORD)/g)].map(([, name]) => name);
    expect([...new Set(asked)].sort()).toEqual(secretNames().sort());
    expect(read('.gitignore').split('\n')).toContain('.env');
    expect(read('.dockerignore').split('\n')).toContain('.env');
  });

  test('the proxy has the two rules', () => {
    const conf = read('deploy/docker/proxy.conf');
    const upstreams = [...conf.matchAll(/set \$(\w+) http:\/\/(\w+):(\d+);/g)];
    expect(upstreams.map(([, variable]) => variable).sort()).toEqual(['api', 'gateway']);
    for (const [, variable, name, port] of upstreams)
      expect([variable, compose.services[String(name)]?.environment['PORT']]).toEqual([name, port]);
    const rules = [...conf.matchAll(/location (?:= )?(\S+) \{\s+proxy_pass \$(\w+);/g)];
    const to = (name: string): unknown[] => rules.filter((rule) => rule[2] === name).map((rule) => rule[1]);
    expect(to('gateway').sort()).toEqual(pathsToGateway());
    expect(to('api')).toEqual(['/']);
    // `$host` would lose the port, and no browser could connect.
    expect(conf).toContain('proxy_set_header Host $http_host;');
    expect(conf).toContain(`grpc://gateway:${compose.services['gateway']?.environment['GRPC_PORT']};`);
  });
});

describe('the Dockerfile', () => {
  const dockerfile = read('deploy/docker/Dockerfile');

  test('copies files that are there, and runs as nobody special', () => {
    const copied = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, paths]) =>
      String(paths).split(' '),
    );
    expect(copied).toContain('package-lock.json');
    expect(copied.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(dockerfile).toMatch(/^USER 1000$/m);
  });

  test('sets variables that the code reads', () => {
    const [, line] = /^ENV (.+)$/m.exec(dockerfile) ?? [];
    const names = String(line)
      .split(' ')
      .map((pair) => String(pair.split('=')[0]));
    expect(names.filter((name) => name !== 'NODE_ENV' && !configVariables().includes(name))).toEqual([]);
  });
});
