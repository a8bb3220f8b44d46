/** The machine, what runs on it, and the commit: without these a figure says nothing. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { natsServerBinary, projectRoot } from '#embedded';
import type { Machine } from './section.js';

const GIGABYTE = 1024 ** 3;
const PACKAGES = ['@nats-io/transport-node', '@nestjs/core', 'fastify', 'pg', 'socket.io', 'typeorm', 'ws'];

export async function thisMachine(): Promise<Machine> {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memory: `${Math.round(totalmem() / GIGABYTE)} GB`,
    system: `${type()} ${release()}`,
    versions: {
      node: process.versions.node,
      'nats-server': (/v?(\d+\.\d+\.\d+)/.exec(run(await natsServerBinary(), '--version')) ?? [])[1] ?? 'unknown',
      ...Object.fromEntries(PACKAGES.map((name) => [name, installed(name)])),
    },
  };
}

/** Short; with a word more where the tree is not what the commit says. */
export function presentCommit(): string {
  const commit = run('git', 'rev-parse', '--short', 'HEAD');
  const changed = run('git', 'status', '--porcelain', '--untracked-files=no', '--', 'apps', 'libs', 'bench/*.ts');
  return changed === '' ? commit : `${commit}, changed`;
}

function installed(name: string): string {
  const file = join(projectRoot(), 'node_modules', name, 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { cwd: projectRoot(), encoding: 'utf8' }).trim();
