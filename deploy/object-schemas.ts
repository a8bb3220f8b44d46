/**
 * Checks objects against the schemas of Kubernetes, as the package `kubernetes-models` carries them. Its validators let an unknown
 * field pass, as the API server once did; its types do not: so the objects are also compiled, as literals, against those.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import ts from 'typescript';
import type { KubernetesObject } from './render.js';

const PACKAGE = 'kubernetes-models';
const FILE = join(import.meta.dirname, 'rendered-objects.ts');

const load = createRequire(import.meta.url);

/**
 * One line a fault.
 * @throws Error for a kind that the package does not know
 */
export function schemaFaults(objects: readonly KubernetesObject[]): string[] {
  return [...objects.map(validatorFault).filter((fault) => fault !== undefined), ...typeFaults(objects)];
}

interface Model {
  validate(): void;
}
type ModelModule = Readonly<Record<string, new (data: unknown) => Model>>;

function validatorFault(object: KubernetesObject): string | undefined {
  const Kind = (load(modulePath(object)) as ModelModule)[object.kind];
  if (!Kind) throw new Error(`${PACKAGE} knows no ${object.apiVersion} ${object.kind}`);
  try {
    new Kind(object).validate();
    return undefined;
  } catch (error) {
    return `${title(object)}: ${error instanceof Error ? error.message : String(error)}`;
  }
}

const title = (object: KubernetesObject): string => `${object.kind} ${object.metadata.name}`;

/** `kubernetes-models/apps/v1/Deployment`. */
const modulePath = (object: KubernetesObject): string => `${PACKAGE}/${object.apiVersion}/${object.kind}`;

function typeFaults(objects: readonly KubernetesObject[]): string[] {
  const text = objects
    .map(
      (object, n) =>
        `import type { I${object.kind} as Kind${n} } from '${modulePath(object)}';\n` +
        `export const object${n}: Kind${n} = ${JSON.stringify(object)};\n`,
    )
    .join('');
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
  };
  const host = ts.createCompilerHost(options);
  const { readFile, fileExists, getSourceFile } = host;
  host.readFile = (path) => (path === FILE ? text : readFile(path));
  host.fileExists = (path) => path === FILE || fileExists(path);
  host.getSourceFile = (path, version, ...rest) =>
    path === FILE ? ts.createSourceFile(path, text, version) : getSourceFile(path, version, ...rest);
  const program = ts.createProgram([FILE], options, host);
  return ts.getPreEmitDiagnostics(program).map((fault) => {
    const line = fault.file?.getLineAndCharacterOfPosition(fault.start ?? 0).line ?? 0;
    const object = objects[Math.floor(line / 2)];
    return `${object ? title(object) : 'types'}: ${ts.flattenDiagnosticMessageText(fault.messageText, ' ')}`;
  });
}
