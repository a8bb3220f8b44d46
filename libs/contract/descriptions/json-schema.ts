/** The contract's schemas as JSON Schema, those with a name once, under `components`. */
import { z } from 'zod';

export type Json = Readonly<Record<string, unknown>>;
export type Dialect = 'draft-2020-12' | 'draft-7';

const HERE = '#/components/schemas/';

export class Components {
  private readonly names = z.registry<{ id: string }>();

  /** @param named what is referred to by name, wherever it is used */
  constructor(
    named: Readonly<Record<string, z.ZodType>>,
    private readonly target: Dialect,
  ) {
    for (const [id, schema] of Object.entries(named)) this.names.add(schema, { id });
  }

  /** The named ones, as the platform writes them. */
  all(): Json {
    const { schemas } = z.toJSONSchema(this.names, { ...this.options('output'), uri: (id) => `${HERE}${id}` });
    return Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutFrame(schema)]));
  }

  /** What the platform writes. */
  written(schema: z.ZodType): Json {
    return this.schema(schema, 'output');
  }

  /** What a client may send: what has a default may be left out. */
  taken(schema: z.ZodType): Json {
    return this.schema(schema, 'input');
  }

  private schema(schema: z.ZodType, io: 'input' | 'output'): Json {
    const id = this.names.get(schema)?.id;
    if (id !== undefined) return { $ref: `${HERE}${id}` };
    const json = z.toJSONSchema(schema, { ...this.options(io), metadata: this.names });
    return elsewhere(withoutFrame(json)) as Json;
  }

  private options(io: 'input' | 'output') {
    return { io, target: this.target, override } as const;
  }
}

/** Read-only is TypeScript's word for ours; the largest safe integer is no limit of ours. What a schema says of itself is added. */
function override({ zodSchema, jsonSchema }: Overridden): void {
  delete jsonSchema['readOnly'];
  if (jsonSchema['maximum'] === Number.MAX_SAFE_INTEGER) delete jsonSchema['maximum'];
  if (jsonSchema['minimum'] === Number.MIN_SAFE_INTEGER) delete jsonSchema['minimum'];
  Object.assign(jsonSchema, z.globalRegistry.get(zodSchema));
}

interface Overridden {
  readonly zodSchema: z.core.$ZodType;
  readonly jsonSchema: Record<string, unknown>;
}

/** What a schema has that stands alone, and not within a document. */
const FRAME = new Set(['$schema', '$id', '$defs', 'definitions']);

const withoutFrame = (schema: Json): Json =>
  Object.fromEntries(Object.entries(schema).filter(([name]) => !FRAME.has(name)));

/** References of a schema that stands alone go to the components. */
function elsewhere(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(elsewhere);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, field]): [string, unknown] => {
    if (name !== '$ref' || typeof field !== 'string') return [name, elsewhere(field)];
    return [name, field.replace(/^#\/(\$defs|definitions)\//, HERE)];
  });
  return Object.fromEntries(entries);
}
