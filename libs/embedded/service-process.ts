import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inheritedEnvironment } from './environment.js';
import { HeldProcess, type Child } from './held-process.js';
import { get } from './http-get.js';
import { projectRoot } from './places.js';
import { freePort } from './ports.js';
import { waitUntil } from './wait-until.js';

export interface ServiceProcess extends Child {
  readonly name: string;
  /** `http://127.0.0.1:<port>`, when a port was given or a health path asked for one. */
  readonly url?: string;
  /** The last lines that it has written since its last start. */
  readonly output: readonly string[];
}

export interface ServiceOptions {
  /** For messages, and unique among what one owner starts: `gateway-1`. */
  name: string;
  /** A folder in `apps`: `api`, `gateway`, `commands`, `projection`, `standalone`. */
  app: string;
  /** The whole environment but for PATH, HOME and the like. */
  env: Record<string, string>;
  args?: readonly string[];
  /** Another entry file than the app's. A `.ts` file runs from the sources, nothing being built. */
  main?: string;
  /** Given to the service as PORT. It stays the same over `restart`. */
  port?: number;
  logFile?: string;
  /** How to tell that it is ready: a path that answers 200, or a line of its output. */
  ready: { healthPath: string } | { line: RegExp };
  /** How long it may take until then. */
  readyWithinMs?: number;
}

const READY_WITHIN_MS = 60_000;
const GRACE_SECONDS = 30;
const FROM_SOURCES = ['--conditions=source', '--import', '@swc-node/register/esm-register'];

/** Starts a built app (`npm run build`) as a child process; resolves when it is ready. */
export async function startService(options: ServiceOptions): Promise<ServiceProcess> {
  const main = options.main ?? join(projectRoot(), 'dist', 'apps', options.app, 'main.js');
  if (!existsSync(main)) throw new Error(`${options.name}: there is no ${main}; run npm run build`);
  const port = options.port ?? ('healthPath' in options.ready ? await freePort() : undefined);
  const service = new Service(main, options, port);
  await service.start();
  return service;
}

class Service extends HeldProcess implements ServiceProcess {
  readonly name: string;
  declare readonly url?: string;

  constructor(main: string, options: ServiceOptions, port: number | undefined) {
    const url = port === undefined ? undefined : `http://127.0.0.1:${port}`;
    const { ready, readyWithinMs = READY_WITHIN_MS } = options;
    super(options.name, {
      launch: () => ({
        title: options.name,
        command: process.execPath,
        args: ['--enable-source-maps', ...(main.endsWith('.ts') ? FROM_SOURCES : []), main, ...(options.args ?? [])],
        env: { ...inheritedEnvironment(), ...(port !== undefined && { PORT: String(port) }), ...options.env },
        cwd: projectRoot(),
        ...(options.logFile !== undefined && { logFile: options.logFile }),
        stopSignal: 'SIGTERM',
        graceSeconds: GRACE_SECONDS,
      }),
      ready: async (run, over) => {
        const isReady = async (): Promise<boolean> =>
          'line' in ready
            ? run.log
                .tail()
                .split('\n')
                .some((line) => ready.line.test(line))
            : (await get(`${url}${ready.healthPath}`))?.status === 200;
        await waitUntil(`${options.name} is ready`, readyWithinMs, isReady, over);
      },
      explain: () => undefined,
    });
    this.name = options.name;
    if (url !== undefined) this.url = url;
  }

  get output(): readonly string[] {
    return this.log.trimEnd().split('\n');
  }
}
