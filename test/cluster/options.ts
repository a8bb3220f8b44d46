/** The command line of the cluster runner, and the processes that it keeps. */
import { parseArgs } from 'node:util';
import type { Child, Platform } from '#embedded';

export const USAGE = `npm run cluster -- [options]     Parley as a cluster, on this machine and without containers

  --port <n>        where HTTP and sockets are, or the next free port: 3000
  --nodes <1|3>     NATS nodes; with three every stream has three replicas: 3
  --folder <path>   keeps data and logs there, and goes on with what is in it; else all is thrown away at the end
  --help

NATS with the users and rights of deploy/nats, PostgreSQL, two processes of each service, and a proxy in front of them. A process
that dies is started again.`;

export interface RunnerOptions {
  readonly port: number;
  readonly nodes: 1 | 3;
  readonly folder: string | undefined;
}

/** A wrong command line; `message` is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const PORT = 3_000;
const PORT_MAX = 65_535;

/** @throws UsageError */
export function optionsOf(args: readonly string[]): RunnerOptions | 'help' {
  const values = read(args);
  if (values.help === true) return 'help';
  const { port = String(PORT), nodes = '3', folder } = values;
  if (!/^\d+$/.test(port) || Number(port) < 1 || Number(port) > PORT_MAX)
    throw new UsageError(`--port ${port}: takes 1 to ${PORT_MAX}`);
  if (nodes !== '1' && nodes !== '3') throw new UsageError(`--nodes ${nodes}: takes 1 or 3`);
  return { port: Number(port), nodes: nodes === '1' ? 1 : 3, folder };
}

function read(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    const options = { port: text, nodes: text, folder: text, help: { type: 'boolean', short: 'h' } } as const;
    return parseArgs({ args: [...args], options, strict: true }).values;
  } catch (error) {
    const [message = ''] = (error instanceof Error ? error.message : String(error)).split('. ');
    throw new UsageError(`${message} (--help)`, { cause: error });
  }
}

/** By the name of its log. Services come first. */
export function childrenOf({ services, nats, postgres }: Platform): Map<string, Child> {
  const nodes: [string, Child][] =
    'nodes' in nats ? nats.nodes.map((node, index) => [`node-${index}`, node]) : [['nats', nats]];
  return new Map<string, Child>([...services, ...nodes, ['postgres', postgres]]);
}
