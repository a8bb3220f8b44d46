/** The tables of ARCHITECTURE.md are the code's: limits, refusals, close codes, subjects and variables. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import {
  CLOSE,
  commandSubject,
  LIMITS,
  mayReconnect,
  REFUSALS,
  REQUESTS,
  restoredSubject,
  Subjects,
  TRANSIENT,
} from '#contract';
import { loadConfig } from '#service';
import { configVariables } from '../../deploy/code-facts.js';
import { rowsUnder } from './markdown.js';

const root = join(import.meta.dirname, '..', '..');
const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8');
const rows = (heading: string): string[][] => rowsUnder(text, heading);
const bare = (cell: string | undefined): string => (cell ?? '').replaceAll('`', '');

describe('ARCHITECTURE.md', () => {
  test('has every limit, with its value', () => {
    const shown = Object.fromEntries(rows('Limits').map(([name, value]) => [bare(name), Number(value)]));
    expect(shown).toEqual(LIMITS);
  });

  test('has queues as the code bounds them, and specs that fill them', () => {
    const wrong = rows('Queues').flatMap(([name, value, , , file, spec]) => {
      const source = readFileSync(join(root, bare(file)), 'utf8');
      const found = new RegExp(`\\b${bare(name)}(?: =|:) ([\\d_ *]+)[;,]`).exec(source)?.[1];
      const bound = found?.split('*').reduce((product, factor) => product * Number(factor.replaceAll('_', '')), 1);
      const isThere = bare(spec) === '' || existsSync(join(root, bare(spec)));
      return bound === Number(value) && isThere ? [] : [`${name} ${value} ${file} ${spec}: ${bound}`];
    });
    expect(wrong).toEqual([]);
    expect(rows('Queues').length).toBeGreaterThan(40);
  });

  test('has every refusal', () => {
    const shown = rows('Refusals').map(([code, http, grpc, temporary]) => [
      bare(code),
      { http: Number(http), grpc: Number(grpc), temporary: temporary === 'yes' },
    ]);
    const real = Object.entries(REFUSALS).map(([code, { http, grpc, temporary }]) => [code, { http, grpc, temporary }]);
    expect(Object.fromEntries(shown)).toEqual(Object.fromEntries(real));
  });

  test('has every close code, and whether to reconnect', () => {
    const shown = rows('Close codes of the socket').map(([code, why, again]) => [
      bare(why),
      Number(code),
      again === 'yes',
    ]);
    expect(shown).toEqual(Object.entries(CLOSE).map(([why, code]) => [why, code, mayReconnect(code)]));
  });

  test('has the subjects as the code makes them', () => {
    const subjects = new Subjects(1);
    const stored = [
      subjects.config('ROOM'),
      subjects.roster('ROOM'),
      subjects.member('ROOM', 'USER'),
      subjects.timeline('ROOM'),
      subjects.status('USER'),
      subjects.profile('USER'),
      restoredSubject(0),
    ].map((subject) => subject.replace('.0.', '.<p>.'));
    const transient = Object.values(TRANSIENT)
      .filter((subject) => typeof subject === 'function')
      .map((subject) => (subject as (owner: string) => string)('ONE'));
    const requests = [commandSubject('ONE', 'ONE'), ...Object.values(REQUESTS)];
    const shown = rows('Streams and subjects').map(([subject]) => bare(subject));
    expect(shown.slice(0, stored.length)).toEqual(
      stored.map((each) => each.replace('ROOM', '<room>').replace('USER', '<user>')),
    );
    const others = shown.slice(stored.length).map((subject) => subject.replaceAll(/<\w+>/g, 'ONE'));
    expect(others.sort()).toEqual([...transient, ...requests].sort());
  });

  test('has every variable that the configuration reads, with its default', () => {
    const shown = rows('Configuration').map(([name, standard]) => [bare(name), bare(standard)] as const);
    expect(shown.map(([name]) => name)).toEqual(configVariables());
    // A default that is given again changes nothing; a wrong one would.
    const given = Object.fromEntries(shown.filter(([name, standard]) => standard !== '' && name !== 'COMMANDS'));
    expect(loadConfig(given)).toEqual(loadConfig({}));
  });
});
