/** The Kustomize base, rendered: every object fits its schema, and every name in it exists in the code. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { COMMAND_SERVICES } from '#contract';
import { Health, healthAnswer, loadConfig } from '#service';
import { configVariables, drainMaxMs, imageEntries, pathsToGateway } from './code-facts.js';
import { schemaFaults } from './object-schemas.js';
import { type KubernetesObject, parseObjects, render } from './render.js';
import { containersOf, environmentOf, podOf, type Secrets } from './workloads.js';

const root = join(import.meta.dirname, '..');
const base = join(import.meta.dirname, 'k8s', 'base');
const OUR_SERVICES = [...COMMAND_SERVICES, 'projection', 'gateway', 'api'];

const objects = render(base);
const secret = parseObjects(run('sh', 'deploy/make-secrets.sh', 'k8s'))[0] as KubernetesObject;
const secrets = secret['stringData'] as Secrets;
const named = (kind: string, name: string): KubernetesObject => {
  const found = objects.find((each) => each.kind === kind && each.metadata.name === name);
  if (!found) throw new Error(`the base has no ${kind} ${name}`);
  return found;
};
const ofKind = (kind: string): KubernetesObject[] => objects.filter((each) => each.kind === kind);

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What kubectl makes of the base; undefined where there is none. */
function renderWithKubectl(): KubernetesObject[] | undefined {
  try {
    return parseObjects(run('kubectl', 'kustomize', base));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

describe('the rendered base', () => {
  test('is what kubectl renders, where there is a kubectl', () => {
    const reference = renderWithKubectl();
    const byName = (list: readonly KubernetesObject[]): Record<string, KubernetesObject> =>
      Object.fromEntries(list.map((each) => [`${each.kind} ${each.metadata.name}`, each]));
    // kubectl adds a hash to the names of generated config maps, and puts them where they are used.
    const plain = JSON.parse(
      JSON.stringify(reference ?? objects).replaceAll(/"nats-[a-z0-9]{10}"/g, '"nats"'),
    ) as KubernetesObject[];
    expect(byName(plain)).toEqual(byName(objects));
  });

  test('fits the schemas of Kubernetes, and so does the secret that the script makes', () => {
    expect(schemaFaults([...objects, secret])).toEqual([]);
  });

  test('the check of the schemas finds a wrong type, a missing field, an unknown one and an unknown kind', () => {
    const service = named('Service', 'api');
    const planted = (change: object): KubernetesObject => ({ ...service, ...change });
    for (const fault of [
      planted({ spec: { ports: [{ port: '80' }] } }),
      planted({ spec: { ports: [{}] } }),
      planted({ spec: { ports: [{ port: 80 }], selektor: {} } }),
    ])
      expect(schemaFaults([fault])).not.toEqual([]);
    expect(() => schemaFaults([planted({ kind: 'Servise' })])).toThrow();
  });

  test('has a Deployment for each command service, projection, gateway and api', () => {
    expect(
      ofKind('Deployment')
        .map((each) => each.metadata.name)
        .sort(),
    ).toEqual([...OUR_SERVICES].sort());
    for (const service of COMMAND_SERVICES)
      expect(environmentOf(named('Deployment', service), objects, secrets)['COMMANDS']).toBe(service);
  });

  test('keeps the log and the database on volumes that outlive their pods', () => {
    for (const name of ['nats', 'postgres'])
      expect(named('StatefulSet', name)).toHaveProperty('spec.volumeClaimTemplates.0.spec.resources.requests.storage');
    expect(named('StatefulSet', 'nats')).toHaveProperty('spec.replicas', 3);
  });

  test('holds no secret', () => {
    expect(ofKind('Secret')).toEqual([]);
    for (const value of Object.values(secrets)) expect(value).toMatch(/^p[0-9a-f]{48}$/);
    expect(new Set(Object.values(secrets)).size).toBe(Object.keys(secrets).length);
  });
});

describe.each(OUR_SERVICES)('%s', (name) => {
  let environment: Readonly<Record<string, string>>;
  let container: ReturnType<typeof containersOf>[number];
  beforeAll(() => {
    environment = environmentOf(named('Deployment', name), objects, secrets);
    container = containersOf(named('Deployment', name))[0] as typeof container;
  });

  test('has an environment that the code reads and accepts', () => {
    const read = [...configVariables(), 'POSTGRES_PASSWORD'];
    expect(Object.keys(environment).filter((variable) => !read.includes(variable))).toEqual([]);
    const config = loadConfig(environment);
    expect(config).toMatchObject({ host: '0.0.0.0', demo: false, natsReplicas: 3, identity: 'accounts' });
    expect(config.databaseUrl).toBe(`postgres://parley:${secrets['POSTGRES_PASSWORD']}@postgres:5432/parley`);
  });

  test('starts an entry that exists', () => {
    const [app] = container.args ?? [];
    expect(existsSync(join(root, 'apps', String(app), 'main.ts'))).toBe(true);
    expect(imageEntries()).toContain(app);
  });

  test('is probed on the port that it listens on, at paths that exist', async () => {
    const config = loadConfig(environment);
    const listens = ['gateway', 'api'].includes(name) ? config.port : config.healthPort;
    const grpc = name === 'gateway' ? [{ name: 'grpc', containerPort: config.grpcPort }] : [];
    expect(container.ports).toEqual([{ name: 'http', containerPort: listens }, ...grpc]);
    for (const probe of [container.startupProbe, container.livenessProbe, container.readinessProbe]) {
      expect(probe?.httpGet?.port).toBe('http');
      expect((await healthAnswer(String(probe?.httpGet?.path), new Health())).status).toBe(200);
    }
    expect(container.readinessProbe?.httpGet?.path).toBe('/health/ready');
    expect(container.livenessProbe?.httpGet?.path).toBe('/health/live');
  });

  test('may drain, and runs without rights that it does not need', () => {
    const pod = podOf(named('Deployment', name));
    expect(Number(pod.terminationGracePeriodSeconds) * 1000).toBeGreaterThan(drainMaxMs());
    expect(pod.securityContext).toMatchObject({ runAsNonRoot: true });
    expect(container.securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
    expect(container.resources).toHaveProperty('limits.memory');
  });

  test('loses one pod at a time', () => {
    expect(named('PodDisruptionBudget', name)).toHaveProperty('spec.selector.matchLabels.app', name);
  });
});

describe('the set-up job', () => {
  const job = named('Job', 'setup');
  const [container] = containersOf(job);

  test('runs `parley setup` with the environment of the services and a user of its own', () => {
    expect(container?.args?.slice(0, 2)).toEqual(['operate', 'setup']);
    const { NATS_USER, NATS_PASSWORD, ...environment } = environmentOf(job, objects, secrets);
    expect({ NATS_USER, NATS_PASSWORD }).toEqual({ NATS_USER: 'setup', NATS_PASSWORD: secrets['NATS_SETUP_PASSWORD'] });
    const api = environmentOf(named('Deployment', 'api'), objects, secrets);
    for (const [name, value] of Object.entries(environment)) expect([name, api[name]]).toEqual([name, value]);
  });

  test('ends, is tried again, and makes room for the next version', () => {
    expect(podOf(job)).toMatchObject({ restartPolicy: 'OnFailure', securityContext: { runAsNonRoot: true } });
    expect(container?.securityContext).toMatchObject({ allowPrivilegeEscalation: false, readOnlyRootFilesystem: true });
    expect(job).toHaveProperty('spec.ttlSecondsAfterFinished');
  });
});

describe('the way in', () => {
  test('leads /ws and /api/events to the gateway and the rest to api', () => {
    const [rule] = (named('Ingress', 'parley')['spec'] as { rules: { http: { paths: unknown[] } }[] }).rules;
    const paths = rule?.http.paths as { path: string; pathType: string; backend: { service: { name: string } } }[];
    const to = (service: string): string[] =>
      paths.filter((each) => each.backend.service.name === service).map((each) => each.path);
    expect(to('gateway').sort()).toEqual(pathsToGateway());
    expect(to('api')).toEqual(['/']);
  });

  test('every Service selects a workload and a port of it that exist', () => {
    for (const service of ofKind('Service')) {
      const { selector, ports } = service['spec'] as { selector: { app: string }; ports: { targetPort: string }[] };
      const workload = [...ofKind('Deployment'), ...ofKind('StatefulSet')].find(
        (each) => each.metadata.name === selector.app,
      );
      const names = workload
        ? containersOf(workload)
            .flatMap((each) => each.ports ?? [])
            .map((port) => port.name)
        : [];
      expect(names).toEqual(expect.arrayContaining(ports.map((port) => port.targetPort)));
    }
  });

  test('every service is reached by the name that others use', () => {
    const config = loadConfig(environmentOf(named('Deployment', 'api'), objects, secrets));
    for (const url of [...config.natsUrls, String(config.databaseUrl)]) {
      const { hostname, port } = new URL(url);
      expect(named('Service', hostname)).toHaveProperty('spec.ports.0.port', Number(port));
    }
  });
});
