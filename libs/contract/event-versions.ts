/**
 * Old events, read for ever: an entry of an older version is raised, one version at a time, to the one that is written today,
 * before its schema looks at it. Nothing else knows that there were others.
 *
 * A new version: raise `EVENT_VERSION`, add here what makes it of the one before, and add a fixture of it beside the
 * old ones in `libs/testing/fixtures`, which stay (CONTRIBUTING.md).
 */

/** What stands in an entry, of whatever version. */
export type RawEvent = Readonly<Record<string, unknown>>;
/** By version: what makes the next one of it; `v` itself is seen to. */
export type Upcasts = ReadonlyMap<number, (event: RawEvent) => RawEvent>;

/** Empty: there is only one version yet. */
export const UPCASTS: Upcasts = new Map();

/** The value as the version `to` would have it; as it is, where it is of that version, of a newer one, or no event at all. */
export function upcast(value: unknown, to: number, upcasts: Upcasts): unknown {
  let event = value;
  while (isEvent(event)) {
    const raise = event.v < to ? upcasts.get(event.v) : undefined;
    if (!raise) return event;
    event = { ...raise(event), v: event.v + 1 };
  }
  return event;
}

const isEvent = (value: unknown): value is RawEvent & { readonly v: number } =>
  typeof value === 'object' && value !== null && 'v' in value && typeof value.v === 'number';
