/** A file of the tree as the tidy rules see it: where it belongs, what it imports, its syntax tree. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export interface Import {
  /** As written. */
  readonly specifier: string;
  /** Only types are taken: nothing of it is loaded when the program runs. */
  readonly typeOnly: boolean;
  readonly line: number;
}

export interface Source {
  /** From the root of the tree, with forward slashes. */
  readonly path: string;
  readonly text: string;
  /** `libs/contract`, `apps/api`, or the top folder for everything else. */
  readonly owner: string;
  /** Runs under jest or measures; never part of what is shipped. */
  readonly isTest: boolean;
  readonly imports: readonly Import[];
  readonly tree: ts.SourceFile;
}

export interface Finding {
  readonly path: string;
  readonly line: number;
  readonly problem: string;
}

const CODE = /\.(ts|mts|js|mjs)$/;
const LEFT_OUT = new Set(['node_modules', 'dist', 'coverage']);
/** Specs, whole folders of tests and measurements, and what stands beside specs for their use. */
const TEST_PATH = /^(test|bench)\/|\.spec\.[tj]s$|(^|\/)(test-[a-z-]+|[a-z-]+-fixture)\.[tj]s$/;
export const isTestPath = (path: string): boolean => TEST_PATH.test(path);

/** Every source file below `root`, generated ones left out. */
export function readTree(root: string): Source[] {
  return listFiles(root, CODE).map((path) => parseSource(path, readFileSync(join(root, path), 'utf8')));
}

/** Paths below `root` that end as asked, in order; folders that begin with a dot are not entered. */
export function listFiles(root: string, ending: RegExp): string[] {
  if (!existsSync(root)) throw new Error(`${root} is not there`);
  const found: string[] = [];
  const enter = (folder: string): void => {
    for (const entry of readdirSync(join(root, folder), { withFileTypes: true })) {
      if (entry.name.startsWith('.') || LEFT_OUT.has(entry.name)) continue;
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) enter(path);
      else if (ending.test(entry.name)) found.push(path);
    }
  };
  enter('');
  return found.sort();
}

export function parseSource(path: string, text: string): Source {
  const tree = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const imports = importsOf(tree);
  const [top = '', second = ''] = path.split('/');
  return {
    path,
    text,
    tree,
    imports,
    owner: top === 'libs' || top === 'apps' ? `${top}/${second}` : top,
    isTest:
      isTestPath(path) || imports.some((each) => each.specifier === '@jest/globals' || each.specifier === '#testing'),
  };
}

export const lineOf = (tree: ts.SourceFile, node: ts.Node): number =>
  tree.getLineAndCharacterOfPosition(node.getStart(tree)).line + 1;

/** Calls `visit` for every node below, parents first. */
export function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  ts.forEachChild(node, (child) => walk(child, visit));
}

/** Static and dynamic imports and re-exports alike: all of them bind one file to another. */
function importsOf(tree: ts.SourceFile): Import[] {
  const found: Import[] = [];
  const add = (node: ts.Node, specifier: ts.Node | undefined, typeOnly: boolean): void => {
    if (specifier && ts.isStringLiteralLike(specifier))
      found.push({ specifier: specifier.text, typeOnly, line: lineOf(tree, node) });
  };
  walk(tree, (node) => {
    if (ts.isImportDeclaration(node)) add(node, node.moduleSpecifier, importsTypesOnly(node.importClause));
    else if (ts.isExportDeclaration(node)) add(node, node.moduleSpecifier, exportsTypesOnly(node));
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      add(node, node.arguments[0], false);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal, true);
  });
  return found;
}

function importsTypesOnly(clause: ts.ImportClause | undefined): boolean {
  if (clause === undefined) return false;
  if (clause.phaseModifier === ts.SyntaxKind.TypeKeyword) return true;
  const named = clause.namedBindings;
  return clause.name === undefined && named !== undefined && ts.isNamedImports(named) && everyTypeOnly(named.elements);
}

function exportsTypesOnly(node: ts.ExportDeclaration): boolean {
  const named = node.exportClause;
  return node.isTypeOnly || (named !== undefined && ts.isNamedExports(named) && everyTypeOnly(named.elements));
}

const everyTypeOnly = (elements: readonly { readonly isTypeOnly: boolean }[]): boolean =>
  elements.length > 0 && elements.every((element) => element.isTypeOnly);
