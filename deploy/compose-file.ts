/** docker-compose.yml as compose reads it: merged keys, variables filled in. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';

const service = z.looseObject({
  image: z.string(),
  command: z.array(z.string()).optional(),
  profiles: z.array(z.string()).default([]),
  environment: z.record(z.string(), z.string()).default({}),
  ports: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  depends_on: z
    .record(z.string(), z.object({ condition: z.enum(['service_healthy', 'service_completed_successfully']) }))
    .default({}),
  restart: z.string().optional(),
  healthcheck: z.looseObject({ test: z.array(z.string()).optional() }).optional(),
  stop_grace_period: z.string().optional(),
});
export type ComposeService = z.output<typeof service>;

const file = z.object({ services: z.record(z.string(), service), volumes: z.record(z.string(), z.unknown()) });
export type ComposeFile = z.output<typeof file>;

export const composeText = (): string => readFileSync(join(import.meta.dirname, '..', 'docker-compose.yml'), 'utf8');

export const readCompose = (): ComposeFile => file.parse(parse(composeText(), { merge: true }));

/** What the image of our own services is called. */
const OUR_IMAGE = 'parley';

/** Those that `docker compose up` starts and that run on: neither the set-up job nor the operator's tool. */
export function ourServices(compose: ComposeFile): [name: string, service: ComposeService][] {
  return Object.entries(compose.services).filter(([, each]) => each.image === OUR_IMAGE && each.restart !== 'no');
}

/** `${NAME:?message}` and `${NAME:-default}`. @throws Error for a variable that has to be given and is not */
export function filled(text: string, given: Readonly<Record<string, string>>): string {
  return text.replaceAll(/\$\{(\w+):([?-])([^}]*)\}/g, (_, name: string, kind: string, rest: string) => {
    const value = given[name] ?? (kind === '-' ? rest : undefined);
    if (value === undefined) throw new Error(`${name}: ${rest}`);
    return value;
  });
}

/** The environment that a service gets. */
export function environmentIn(each: ComposeService, given: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(each.environment).map(([name, value]) => [name, filled(value, given)]));
}

/** The variables that deploy/make-secrets.sh writes into `.env`. */
export function secretNames(): string[] {
  const script = readFileSync(join(import.meta.dirname, 'make-secrets.sh'), 'utf8');
  const [, names] = /names='([^']+)'/.exec(script) ?? [];
  if (names === undefined) throw new Error('deploy/make-secrets.sh names no secrets');
  return names.split(' ');
}
