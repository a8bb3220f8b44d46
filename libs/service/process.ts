/**
 * The life of a service process: start, a line when it is ready, drain on SIGTERM or SIGINT, exit. A failure to start is one
 * line that says what is wrong; a programmer's error crashes, and whoever started the process starts it again.
 */
import { ConsoleLogger, type LogLevel } from '@nestjs/common';
import { type Config, ConfigError, loadConfig } from './config.js';

/** A drain that takes longer is cut off: Kubernetes would kill the process soon after. */
const DRAIN_MAX_MS = 20_000;

/** What a service has started; `stop` drains it. */
export interface Running {
  /** Shown in the ready line. */
  readonly address?: string;
  stop(): Promise<void>;
}

/** What Nest says of its own wiring at every start is for whoever debugs the wiring. */
const WIRING = new Set([
  'NestFactory',
  'InstanceLoader',
  'RoutesResolver',
  'RouterExplorer',
  'NestApplication',
  'NestMicroservice',
  'WebSocketsController',
]);

class ServiceLogger extends ConsoleLogger {
  override log(message: unknown, ...rest: unknown[]): void {
    const context = rest.at(-1);
    if (typeof context === 'string' && WIRING.has(context)) this.debug(message, ...rest);
    else super.log(message, ...rest);
  }
}

export function createLogger(config: Pick<Config, 'logLevel' | 'logFormat'>, name: string): ConsoleLogger {
  const levels: LogLevel[] = ['fatal', 'error', 'warn', 'log', 'debug'];
  return new ServiceLogger(name, {
    json: config.logFormat === 'json',
    colors: config.logFormat === 'text' && process.stdout.isTTY === true,
    logLevels: levels.slice(0, levels.indexOf(config.logLevel) + 1),
  });
}

/**
 * Runs a service as this process: `runService('api', startApi)`.
 * @param defaults values for variables that the environment does not have
 */
export async function runService(
  name: string,
  start: (config: Config, logger: ConsoleLogger) => Promise<Running>,
  defaults: Readonly<Record<string, string>> = {},
): Promise<void> {
  let running: Running;
  try {
    const config = loadConfig({ ...defaults, ...process.env });
    running = await start(config, createLogger(config, name));
  } catch (error) {
    process.stderr.write(`parley ${name}: ${startFailure(error)}\n`);
    process.exit(1);
  }
  process.stdout.write(`parley ${name} ready${running.address === undefined ? '' : ` ${running.address}`}\n`);
  let stopping = false;
  const stop = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), DRAIN_MAX_MS).unref();
    running.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`parley ${name}: drain failed: ${String(error)}\n`);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
}

/** One line for what an operator can mend; the whole stack for what only we can. */
function startFailure(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const expected = error instanceof ConfigError || error.constructor !== TypeError;
  return expected ? error.message : (error.stack ?? error.message);
}
