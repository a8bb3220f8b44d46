/** What fuzzing throws: values shaped by the contract's own schemas with something wrong in them, and bytes with something changed. */
import fc from 'fast-check';
import { z } from 'zod';

type Value = fc.Arbitrary<unknown>;

/** A JSON schema, as far as the contract's are told in one. */
interface Shape {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Shape[];
  readonly oneOf?: readonly Shape[];
  readonly items?: Shape;
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly additionalProperties?: Shape | boolean;
  readonly pattern?: string;
}

/** Deeper than a recursive walk of it can go. */
const NESTED = 8_000;
const nested = (open: string, close: string): string => open.repeat(NESTED) + close.repeat(NESTED);

/** Stands in a value where raw text of JSON is to stand: what no value can say. */
const RAW = '@raw:';
const rawTexts = [
  nested('[', ']'),
  nested('{"a":', '}').replace('}', '1}'),
  '1e400',
  '-0',
  '"\\ud800"',
  '{"__proto__":{"x":1}}',
];

const text: Value = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    '',
    ' ',
    '\u0000',
    '\ud800',
    '\u202e',
    '../..',
    '*',
    '>',
    'a.b',
    '$JS',
    "'; --",
    '%00',
    '~x',
    'constructor',
    '__proto__',
  ),
  fc.nat(18).map((size) => 'é'.repeat(2 ** size)),
);
const number: Value = fc.oneof(
  fc.integer(),
  fc.double(),
  fc.constantFrom(0, -1, -0, 1e21, 2 ** 53, Number.MAX_VALUE, 5e-324),
);

/** A value of no shape in particular. */
export const anything: Value = fc.oneof(
  fc.constantFrom(null, true, false, [], {}),
  text,
  number,
  fc.constantFrom(...rawTexts.map((raw) => RAW + raw)),
  fc.array(fc.oneof(text, number), { maxLength: 5 }),
  fc.dictionary(fc.oneof(fc.string({ maxLength: 5 }), fc.constantFrom('__proto__', 'constructor', 'toString')), text, {
    maxKeys: 5,
  }),
  fc.constant(Array.from({ length: 3_000 }, (_, i) => i)),
);

/** Strings that exist in the world that is fuzzed, so that more than the first check is passed. */
const named = fc.constantFrom('fuzz', 'ann', 'bob', 'nobody', 'msg_1024', 'msg_0', '0-1', 'text', 'k1');

function shaped(shape: Shape, depth = 0): Value {
  if (shape.const !== undefined) return fc.constant(shape.const);
  if (shape.enum) return fc.constantFrom(...shape.enum);
  const choices = shape.anyOf ?? shape.oneOf;
  if (choices) return fc.oneof(...choices.map((choice) => shaped(choice, depth)));
  switch (Array.isArray(shape.type) ? shape.type[0] : shape.type) {
    case 'string':
      return fc.oneof({ weight: 3, arbitrary: named }, { weight: 1, arbitrary: text });
    case 'integer':
    case 'number':
      return fc.oneof(fc.integer({ min: 0, max: 200 }), number);
    case 'boolean':
      return fc.boolean();
    case 'array':
      return fc.array(wrongAtTimes(shaped(shape.items ?? {}, depth + 1)), { maxLength: 6 });
    case 'object':
      return object(shape, depth);
    default:
      return anything;
  }
}

function object({ properties, additionalProperties }: Shape, depth: number): Value {
  if (properties) {
    const fields = Object.entries(properties).map(([name, field]) => [name, wrongAtTimes(shaped(field, depth + 1))]);
    const known = fc.record(Object.fromEntries(fields) as Record<string, Value>, { requiredKeys: [] });
    return fc
      .tuple(known, fc.option(anything, { freq: 6 }))
      .map(([value, more]) => (more === null ? value : { ...value, more }));
  }
  const values = typeof additionalProperties === 'object' ? shaped(additionalProperties, depth + 1) : text;
  return fc.dictionary(fc.string({ maxLength: 8 }), wrongAtTimes(values), { maxKeys: 40 });
}

const wrongAtTimes = (right: Value): Value =>
  fc.oneof({ weight: 12, arbitrary: right }, { weight: 1, arbitrary: anything });

/** Values of a schema's shape, most of them nearly right. */
export const shapedBy = (schema: z.ZodType): Value =>
  wrongAtTimes(shaped(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Shape));

/** JSON as it goes over the wire; what no value can say stands in it raw. */
export const written = (value: unknown): string =>
  (JSON.stringify(value) ?? 'undefined').replace(
    /"@raw:((?:[^"\\]|\\.)*)"/gu,
    (_, raw: string) => JSON.parse(`"${raw}"`) as string,
  );

/** One change of bytes. */
export type Change = readonly [at: number, kind: 'flip' | 'drop' | 'insert' | 'cut' | 'twice', byte: number];
export const change: fc.Arbitrary<Change> = fc.tuple(
  fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
  fc.constantFrom('flip', 'drop', 'insert', 'cut', 'twice'),
  fc.nat(255),
);

/** The same bytes, and often not quite. */
export const bytesNear = (right: fc.Arbitrary<Buffer>): fc.Arbitrary<Buffer> =>
  fc
    .tuple(
      right,
      fc.oneof({ weight: 2, arbitrary: fc.constant([]) }, { weight: 1, arbitrary: fc.array(change, { maxLength: 4 }) }),
    )
    .map(([bytes, changes]) => changes.reduce<Buffer>(changed, bytes));

export function changed(bytes: Buffer, [where, kind, byte]: Change): Buffer {
  const at = Math.floor(where * (bytes.length + 1));
  const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
  switch (kind) {
    case 'flip':
      return Buffer.concat([before, Buffer.from([(after[0] ?? 0) ^ (byte || 1)]), after.subarray(1)]);
    case 'drop':
      return Buffer.concat([before, after.subarray(1 + (byte % 8))]);
    case 'insert':
      return Buffer.concat([before, Buffer.from([byte, 0xff - byte]), after]);
    case 'cut':
      return before;
    case 'twice':
      return Buffer.concat([bytes, after]);
  }
}

export const textNear = (right: fc.Arbitrary<string>): fc.Arbitrary<string> =>
  bytesNear(right.map((given) => Buffer.from(given))).map((bytes) => bytes.toString('latin1'));
