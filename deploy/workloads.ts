/** Reads what a Deployment or StatefulSet would start: its pod, its containers, and the environment that they get. */
import type { IContainer } from 'kubernetes-models/v1/Container';
import type { IPodSpec } from 'kubernetes-models/v1/PodSpec';
import type { KubernetesObject } from './render.js';

export type Secrets = Readonly<Record<string, string>>;

/** Objects are checked against their schemas by a test of their own; here they are taken to fit. */
export function podOf(workload: KubernetesObject): IPodSpec {
  return (workload['spec'] as { template: { spec: IPodSpec } }).template.spec;
}

export const containersOf = (workload: KubernetesObject): readonly IContainer[] => podOf(workload).containers;

/**
 * The environment of a workload's container, as the kubelet makes it: config maps first, then its own variables in order, each
 * of which may name earlier ones as `$(NAME)`.
 * @throws Error when a config map, a secret's key or an earlier variable is not there
 */
export function environmentOf(
  workload: KubernetesObject,
  objects: readonly KubernetesObject[],
  secrets: Secrets,
): Record<string, string> {
  const [container] = containersOf(workload);
  const environment: Record<string, string> = {};
  for (const source of container?.envFrom ?? [])
    Object.assign(environment, configMap(source.configMapRef?.name, objects));
  for (const { name, value, valueFrom } of container?.env ?? [])
    environment[name] =
      value === undefined ? referred(name, valueFrom, workload, secrets) : expanded(value, environment);
  return environment;
}

function configMap(name: string | undefined, objects: readonly KubernetesObject[]): Record<string, string> {
  const found = objects.find((each) => each.kind === 'ConfigMap' && each.metadata.name === name);
  if (!found) throw new Error(`there is no ConfigMap ${name}`);
  return found['data'] as Record<string, string>;
}

type ValueSource = NonNullable<NonNullable<IContainer['env']>[number]['valueFrom']>;

function referred(name: string, from: ValueSource | undefined, workload: KubernetesObject, secrets: Secrets): string {
  if (from?.fieldRef?.fieldPath === 'metadata.name') return `${workload.metadata.name}-0`;
  const { secretKeyRef } = from ?? {};
  const value = secretKeyRef?.name === 'parley' ? secrets[secretKeyRef.key] : undefined;
  if (value === undefined) throw new Error(`${workload.metadata.name}: nothing gives ${name} a value`);
  return value;
}

function expanded(value: string, earlier: Readonly<Record<string, string>>): string {
  return value.replaceAll(/\$\(([A-Z0-9_]+)\)/g, (_, name: string) => {
    const found = earlier[name];
    if (found === undefined) throw new Error(`$(${name}) is used before it is set`);
    return found;
  });
}
