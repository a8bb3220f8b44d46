/**
 * Health: every part of a process registers what it depends on; `/health/live` says that the process runs, `/health/ready`
 * that it can do its work. A part that is degraded (a dead-lettered event) is named, and does not take the process out.
 */
import { createServer, type Server } from 'node:http';
import type { HealthReport, PartHealth } from '#contract';

/** Undefined or a detail means well; a thrown error means not, and its message is the detail. */
type Check = () => Promise<string | undefined> | string | undefined;

/** A check that does not answer within this time counts as failed. */
const CHECK_TIMEOUT_MS = 2_000;

export class Health {
  private readonly checks = new Map<string, { check: Check; required: boolean }>();
  private draining = false;
  private underWay: Promise<HealthReport> | undefined;

  /** Adds a part; a second one of the same name replaces the first. */
  add(part: string, check: Check, options: { required?: boolean } = {}): void {
    this.checks.set(part, { check, required: options.required ?? true });
  }

  /** From here on the process is not ready: balancers send nothing new. */
  drain(): void {
    this.draining = true;
  }

  /** Whoever asks while an answer is being made gets that one: asking often costs nothing. */
  report(): Promise<HealthReport> {
    this.underWay ??= this.look().finally(() => (this.underWay = undefined));
    return this.underWay;
  }

  private async look(): Promise<HealthReport> {
    const parts = await Promise.all(
      [...this.checks].map(async ([part, { check, required }]) => [part, await runCheck(check, required)] as const),
    );
    const ready = !this.draining && parts.every(([, part]) => part.ok || !part.required);
    return { ready, parts: Object.fromEntries(parts) };
  }
}

async function runCheck(check: Check, required: boolean): Promise<PartHealth> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS);
  });
  try {
    const detail = await Promise.race([Promise.resolve().then(check), timeout]);
    return { ok: true, required, ...(detail === undefined ? {} : { detail }) };
  } catch (error) {
    return { ok: false, required, detail: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}

/** The answer of a health path, for `api`'s controller as for the small server below. */
export async function healthAnswer(path: string, health: Health): Promise<{ status: number; body: unknown }> {
  if (path === '/health/ready') {
    const report = await health.report();
    return { status: report.ready ? 200 : 503, body: report };
  }
  if (path === '/health' || path === '/health/live')
    return { status: 200, body: { status: 'ok', time: new Date().toISOString() } };
  return {
    status: 404,
    body: { status: 404, code: 'not_found', detail: 'paths: /health, /health/live, /health/ready' },
  };
}

/** Serves health for a process that has no HTTP of its own. */
export async function serveHealth(health: Health, host: string, port: number): Promise<Server> {
  const server = createServer((request, response) => {
    healthAnswer(new URL(request.url ?? '/', 'http://localhost').pathname, health).then(
      ({ status, body }) => {
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(JSON.stringify(body));
      },
      (error: unknown) => response.destroy(error instanceof Error ? error : new Error(String(error))),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  return server;
}
