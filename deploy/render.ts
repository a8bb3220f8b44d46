/**
 * Renders the Kustomize base without kubectl, so that it is tested on a machine that has none: resources, generated config
 * maps and strategic merge patches by label, which is all that the base uses. Where kubectl is, a test compares the two.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';

export interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly [field: string]: unknown;
}

const object = z.looseObject({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.looseObject({ name: z.string(), labels: z.record(z.string(), z.string()).optional() }),
});

/** Strict: a feature of Kustomize that is not rendered here is refused rather than left out. */
const kustomization = z.strictObject({
  apiVersion: z.string(),
  kind: z.literal('Kustomization'),
  resources: z.array(z.string()).default([]),
  configMapGenerator: z.array(z.strictObject({ name: z.string(), files: z.array(z.string()) })).default([]),
  patches: z
    .array(
      z.strictObject({ path: z.string(), target: z.strictObject({ kind: z.string(), labelSelector: z.string() }) }),
    )
    .default([]),
});

export function parseObjects(yaml: string): KubernetesObject[] {
  return parseAllDocuments(yaml).map((document) => {
    if (document.errors[0]) throw document.errors[0];
    return object.parse(document.toJS()) as KubernetesObject;
  });
}

/** All objects of a folder with a kustomization. Generated config maps keep their plain name: kubectl adds a hash. */
export function render(folder: string): KubernetesObject[] {
  const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
  const plan = kustomization.parse(parse(read('kustomization.yaml')));
  const objects = plan.resources.flatMap((path) =>
    path.endsWith('.yaml') ? parseObjects(read(path)) : render(join(folder, path)),
  );
  const generated = plan.configMapGenerator.map(({ name, files }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name },
    data: Object.fromEntries(files.map((file) => [file, read(file)])),
  }));
  return [...objects, ...generated].map((each) =>
    plan.patches
      .filter(({ target }) => each.kind === target.kind && hasLabel(each, target.labelSelector))
      .reduce((patched, { path }) => ({ ...patch(patched, read(path)), metadata: each.metadata }), each),
  );
}

function hasLabel(of: KubernetesObject, selector: string): boolean {
  const [name = '', value] = selector.split('=');
  return of.metadata.labels?.[name] === value;
}

const patch = (target: KubernetesObject, yaml: string): KubernetesObject =>
  merge(target, parse(yaml)) as KubernetesObject;

/** Maps are merged key by key; lists whose entries have names are merged by name, the patch's new entries first; else the patch wins. */
function merge(target: unknown, laid: unknown): unknown {
  if (isMap(target) && isMap(laid)) {
    const keys = new Set([...Object.keys(target), ...Object.keys(laid)]);
    return Object.fromEntries(
      [...keys].map((key) => [
        key,
        key in laid ? (key in target ? merge(target[key], laid[key]) : laid[key]) : target[key],
      ]),
    );
  }
  if (isNamedList(target) && isNamedList(laid)) {
    const names = new Set(target.map((each) => each['name']));
    const merged = target.map((each) => {
      const over = laid.find((other) => other['name'] === each['name']);
      return over === undefined ? each : merge(each, over);
    });
    return [...laid.filter((each) => !names.has(each['name'])), ...merged];
  }
  return laid;
}

type NamedMap = Readonly<Record<string, unknown>>;

const isMap = (value: unknown): value is NamedMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isNamedList = (value: unknown): value is NamedMap[] =>
  Array.isArray(value) && value.every((each) => isMap(each) && typeof each['name'] === 'string');
