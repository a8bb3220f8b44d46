/** What only one place may do: touch JetStream, read the environment, spell a subject; and which packages a library may load. */
import ts from 'typescript';
import { type Finding, lineOf, type Source, walk } from './source.js';

/** The packages that the shipped files of a library may load; a library that is not listed may load any. */
const PACKAGES: Readonly<Record<string, RegExp>> = {
  'libs/contract': /^(zod|node:(crypto|path|url))$/,
  'libs/domain': /^$/,
  'libs/event-log': /^(@nats-io\/.*|node:.*)$/,
  'libs/client': /^(ws|node:.*)$/,
};
/** The browser loads it as it stands. */
const WITHOUT_IMPORTS = 'libs/contract/protocol.ts';

const JETSTREAM_OWNER = 'libs/event-log';
/** Asks a cluster that it has started whether it can place a stream: it may not import the event log. */
const ASKS_CLUSTER = 'libs/embedded/nats-cluster.ts';
const JETSTREAM_PACKAGE = '@nats-io/jetstream';
const JETSTREAM_SUBJECT = /\$JS\./;

/** The configuration and what every main begins with; and the code that starts processes, which hands an environment on. */
const READS_ENVIRONMENT = /^(libs\/service\/(config|process)\.ts|libs\/embedded\/.*|apps\/([a-z-]+\/)+main\.ts)$/;

const SUBJECTS_FILE = 'libs/contract/subjects.ts';
/** The beginnings of subjects, streams, buckets and headers, as literals or as the head of a template. */
const SPELLS_SUBJECT =
  /^(chat\.($|[0-9*>])|live\.($|room\.|user\.|>)|(tails|typing|views|marked|deadletter|revoked)\.($|[*>0-9])|command\.($|(send|join|leave|status)\.)|CHAT_|presence_(leases|connections)|Nats-[A-Z])/;

export function boundaryFindings(source: Source): Finding[] {
  if (source.isTest) return [];
  return [...packageFindings(source), ...environmentFindings(source), ...textFindings(source)];
}

function packageFindings(source: Source): Finding[] {
  const allowed = source.path === WITHOUT_IMPORTS ? /^$/ : PACKAGES[source.owner];
  return source.imports.flatMap(({ specifier, line, typeOnly }) => {
    const at = { path: source.path, line };
    if (specifier === JETSTREAM_PACKAGE && source.owner !== JETSTREAM_OWNER && source.path !== ASKS_CLUSTER)
      return [{ ...at, problem: `loads ${JETSTREAM_PACKAGE}: only ${JETSTREAM_OWNER} touches the log` }];
    const foreign = !/^[.#]/.test(specifier) && !typeOnly;
    if (foreign && allowed && !allowed.test(specifier))
      return [{ ...at, problem: `${source.owner} may not load ${specifier}` }];
    if (source.path === WITHOUT_IMPORTS && !typeOnly)
      return [{ ...at, problem: 'is loaded by browsers and may not import anything' }];
    return [];
  });
}

function environmentFindings(source: Source): Finding[] {
  if (READS_ENVIRONMENT.test(source.path)) return [];
  const found: Finding[] = [];
  walk(source.tree, (node) => {
    if (ts.isPropertyAccessExpression(node) && node.getText(source.tree) === 'process.env')
      found.push({
        path: source.path,
        line: lineOf(source.tree, node),
        problem: 'reads process.env: take it from the Config of libs/service',
      });
  });
  return found;
}

function textFindings(source: Source): Finding[] {
  const found: Finding[] = [];
  walk(source.tree, (node) => {
    if (!ts.isStringLiteralLike(node) && !ts.isTemplateHead(node)) return;
    const at = { path: source.path, line: lineOf(source.tree, node) };
    if (SPELLS_SUBJECT.test(node.text) && source.path !== SUBJECTS_FILE)
      found.push({ ...at, problem: `spells a subject or header (${node.text}): take it from ${SUBJECTS_FILE}` });
    if (JETSTREAM_SUBJECT.test(node.text) && source.owner !== JETSTREAM_OWNER)
      found.push({ ...at, problem: `speaks to JetStream (${node.text}): only ${JETSTREAM_OWNER} does` });
  });
  return found;
}
