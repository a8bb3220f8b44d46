/** What stands in a `.gctf` file, and whether a message is as it says. */

const SECTION = /^---\s+([A-Z_]+)((?:\s+\S+)*?)\s+---$/;
const JSON_SECTIONS = new Set(['REQUEST', 'RESPONSE', 'ERROR']);
const KNOWN = new Set([...JSON_SECTIONS, 'ENDPOINT', 'ADDRESS', 'ASSERTS', 'REQUEST_HEADERS', 'OPTIONS', 'META']);

/** Lines that begin with # or // are comments. */
export function readScenario(text) {
  const sections = [];
  for (const [i, written] of text.split('\n').entries()) {
    const line = written.trim();
    if (line === '' || line.startsWith('#') || line.startsWith('//')) continue;
    const [, name, flags] = SECTION.exec(line) ?? [];
    if (name !== undefined) sections.push({ section: name, flags: flagsOf(flags), lines: [], line: i + 1 });
    else if (sections.length === 0) throw new Error(`line ${i + 1}: stands before the first section`);
    else sections.at(-1).lines.push(line);
  }
  const unknown = sections.find(({ section }) => !KNOWN.has(section));
  if (unknown !== undefined) throw new Error(`line ${unknown.line}: ${unknown.section} is not known here`);
  const textOf = (name) => sections.find(({ section }) => section === name)?.lines ?? [];
  const [endpoint] = textOf('ENDPOINT');
  if (endpoint === undefined) throw new Error('there is no ENDPOINT');
  const steps = sections.filter(({ section }) => JSON_SECTIONS.has(section) || section === 'ASSERTS').map(stepOf);
  if (steps.every(({ section }) => section === 'REQUEST')) throw new Error('it expects nothing');
  return { endpoint, headers: pairsOf(textOf('REQUEST_HEADERS')), options: pairsOf(textOf('OPTIONS')), steps };
}

function stepOf({ section, flags, lines, line }) {
  if (section === 'ASSERTS') return { section, flags, line, value: lines };
  try {
    return { section, flags, line, value: JSON.parse(lines.join('\n')) };
  } catch (error) {
    throw new Error(`line ${line}: ${section} is no JSON: ${error.message}`, { cause: error });
  }
}

const flagsOf = (text) =>
  new Set(
    text
      .split(/\s+/)
      .filter((flag) => flag !== '' && !flag.endsWith('=false'))
      .map((flag) => flag.split('=')[0]),
  );

const pairsOf = (lines) =>
  Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).trim(), line.slice(line.indexOf(':') + 1).trim()]),
  );

/** Undefined when it fits, else what does not. Field names may be written either way that protobuf prints them. */
export function fits(expected, actual, partial, path = '') {
  if (expected === '*') return actual === undefined ? `${path || '.'} is missing` : undefined;
  if (Array.isArray(expected)) {
    if (!Array.isArray(actual) || actual.length !== expected.length)
      return `${path || '.'} is ${JSON.stringify(actual)}, not ${expected.length} items`;
    return firstOf(expected.map((each, i) => fits(each, actual[i], partial, `${path}[${i}]`)));
  }
  if (typeof expected === 'object' && expected !== null) {
    if (typeof actual !== 'object' || actual === null) return `${path || '.'} is ${JSON.stringify(actual)}`;
    const extra = partial
      ? undefined
      : Object.keys(actual).find((key) => !isDefault(actual[key]) && field(expected, key) === undefined);
    if (extra !== undefined) return `${path}.${extra} is not expected: ${JSON.stringify(actual[extra])}`;
    return firstOf(
      Object.entries(expected).map(([key, each]) => fits(each, field(actual, key), partial, `${path}.${key}`)),
    );
  }
  return Object.is(expected, actual)
    ? undefined
    : `${path || '.'} is ${JSON.stringify(actual)}, not ${JSON.stringify(expected)}`;
}

const firstOf = (problems) => problems.find((problem) => problem !== undefined);

/** What protobuf's JSON leaves out. */
const isDefault = (value) =>
  value === null ||
  value === '' ||
  value === 0 ||
  value === false ||
  (typeof value === 'object' && Object.keys(value).length === 0);

const ASSERTION = /^((?:\.\w+|\[\d+\]|\.)+)(?:\s*\|\s*(\w+)(?:\((".*?")\))?)?(?:\s*(==|!=|>=|<=|>|<)\s*(.+))?$/;

/** `.a.b[0] == 1`, `.items | length >= 1`, `.id | test("^msg_")`, `contains`, `startswith`, `endswith`. */
export function check(assertion, message, where) {
  const [, path, filter, argument, operator, literal] = ASSERTION.exec(assertion) ?? [];
  if (path === undefined || (filter === undefined && operator === undefined))
    throw new Error(`${where}: cannot read ${assertion}`);
  const found = [...path.matchAll(/\.(\w+)|\[(\d+)\]/g)].reduce(
    (value, [, key, index]) => (key === undefined ? value?.[Number(index)] : field(value, key)),
    message,
  );
  const value = filtered(found, filter, argument === undefined ? undefined : JSON.parse(argument));
  const holds = operator === undefined ? value === true : compared(value, operator, JSON.parse(literal));
  if (!holds) throw new Error(`${where}: ${assertion}: it is ${JSON.stringify(found)}`);
}

function filtered(value, filter, argument) {
  switch (filter) {
    case undefined:
      return value;
    case 'length':
      return value?.length;
    case 'test':
      return new RegExp(argument).test(value);
    case 'contains':
      return value?.includes(argument) === true;
    case 'startswith':
      return value?.startsWith(argument) === true;
    case 'endswith':
      return value?.endsWith(argument) === true;
    default:
      throw new Error(`${filter} is not known here`);
  }
}

function compared(value, operator, literal) {
  switch (operator) {
    case '==':
      return Object.is(value, literal);
    case '!=':
      return !Object.is(value, literal);
    case '>=':
      return value >= literal;
    case '<=':
      return value <= literal;
    case '>':
      return value > literal;
    default:
      return value < literal;
  }
}

const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
const field = (message, name) =>
  message?.[name] ?? message?.[Object.keys(message ?? {}).find((key) => camel(key) === camel(name))];
