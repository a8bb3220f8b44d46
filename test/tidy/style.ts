/** House style that a machine can see: names, lengths, `any`, notes to be done later, sleeps in tests. */
import ts from 'typescript';
import { type Finding, lineOf, type Source, walk } from './source.js';

/** Names that say nothing about what is inside, so that everything ends up there. */
const EMPTY_WORDS = new Set(['util', 'utils', 'helper', 'helpers', 'manager', 'managers', 'misc']);
/** These may stand beside a word that does: a `shared-decision` is something, `shared` is not. */
const EMPTY_ALONE = new Set(['common', 'shared', 'core', 'base']);
const KEBAB_CASE = /^[a-z0-9]+([.-][a-z0-9]+)*$/;
export const FILE_LINES_MAX = 400;
const LATER = /\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b/;

export function styleFindings(source: Source, longFiles: Readonly<Record<string, number>>): Finding[] {
  return [
    ...nameFindings(source),
    ...lengthFindings(source, longFiles),
    ...syntaxFindings(source),
    ...(source.isTest ? sleepFindings(source) : []),
    ...laterFindings(source.path, source.text),
  ];
}

function nameFindings(source: Source): Finding[] {
  const segments = source.path.replace(/\.(ts|mts|js|mjs)$/, '').split('/');
  return segments.flatMap((segment) => {
    const [name = ''] = segment.split('.');
    const empty = EMPTY_ALONE.has(name) ? name : segment.split(/[.-]/).find((word) => EMPTY_WORDS.has(word));
    const problem =
      empty !== undefined
        ? `"${segment}" says nothing about what is inside (${empty})`
        : KEBAB_CASE.test(segment)
          ? undefined
          : `"${segment}" is not in kebab-case`;
    return problem === undefined ? [] : [{ path: source.path, line: 1, problem }];
  });
}

/** A long file needs an entry that allows just its length; an entry that is no longer needed is a finding, so the list only shrinks. */
function lengthFindings(source: Source, longFiles: Readonly<Record<string, number>>): Finding[] {
  const lines = source.text.split('\n').length - 1;
  const allowed = longFiles[source.path];
  const at = { path: source.path, line: 1 };
  if (allowed === undefined)
    return lines > FILE_LINES_MAX ? [{ ...at, problem: `has ${lines} lines, more than ${FILE_LINES_MAX}` }] : [];
  if (lines <= FILE_LINES_MAX) return [{ ...at, problem: 'is short enough now: take its exception away' }];
  if (lines > allowed) return [{ ...at, problem: `has ${lines} lines and grew beyond its exception of ${allowed}` }];
  return lines < allowed ? [{ ...at, problem: `has ${lines} lines: lower its exception from ${allowed}` }] : [];
}

function syntaxFindings(source: Source): Finding[] {
  const found: Finding[] = [];
  const add = (node: ts.Node, problem: string): void => {
    found.push({ path: source.path, line: lineOf(source.tree, node), problem });
  };
  walk(source.tree, (node) => {
    if (node.kind === ts.SyntaxKind.AnyKeyword) add(node, '`any` turns the checker off: say what it is, or `unknown`');
    if (ts.isInterfaceDeclaration(node) && /^I[A-Z][a-z]/.test(node.name.text))
      add(node, `${node.name.text}: an interface has its plain name`);
    if (ts.isClassDeclaration(node) && /Impl$/.test(node.name?.text ?? ''))
      add(node, `${node.name?.text}: say what is special about it instead of Impl`);
    if (ts.isPropertyAssignment(node) && node.getText(source.tree).replace(/\s/g, '') === 'synchronize:true')
      add(node, 'synchronize changes tables behind the migrations');
  });
  return found;
}

/** A test waits for a condition with a deadline; a sleep is either too short or too long. */
function sleepFindings(source: Source): Finding[] {
  const found: Finding[] = [];
  const add = (line: number): void => {
    found.push({ path: source.path, line, problem: 'sleeps: wait for a condition with a deadline' });
  };
  for (const { specifier, line, typeOnly } of source.imports)
    if (/^(node:)?timers\/promises$/.test(specifier) && !typeOnly) add(line);
  walk(source.tree, (node) => {
    if (ts.isNewExpression(node) && node.expression.getText(source.tree) === 'Promise' && isSleep(node))
      add(lineOf(source.tree, node));
  });
  return found;
}

/** `new Promise((resolve) => setTimeout(resolve, ms))`, also when the timer calls `resolve` in a function of its own; a timer that rejects is a deadline. */
function isSleep(promise: ts.NewExpression): boolean {
  const executor = promise.arguments?.[0];
  if (executor === undefined || !(ts.isArrowFunction(executor) || ts.isFunctionExpression(executor))) return false;
  const resolve = executor.parameters[0]?.name.getText();
  const body = ts.isBlock(executor.body) ? executor.body.statements : [executor.body];
  // Only where the timer is all that the promise waits for: next to something else it is a bound.
  const [only] = body;
  if (body.length !== 1 || only === undefined || resolve === undefined) return false;
  const call = ts.isExpressionStatement(only as ts.Node) ? (only as ts.ExpressionStatement).expression : only;
  if (!ts.isCallExpression(call as ts.Node)) return false;
  const [callback] = (call as ts.CallExpression).arguments;
  if (!/(^|\.)setTimeout$/.test((call as ts.CallExpression).expression.getText()) || callback === undefined)
    return false;
  return new RegExp(`\\b${resolve}\\b`).test(callback.getText());
}

/** Work that is left is an issue or is done; a note in the text is neither. */
export function laterFindings(path: string, text: string): Finding[] {
  return text.split('\n').flatMap((line, index) => {
    const word = LATER.exec(line)?.[0];
    return word === undefined ? [] : [{ path, line: index + 1, problem: `leaves a ${word}` }];
  });
}
