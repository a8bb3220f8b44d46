/** An object of which some parts are replaced, by something slow, broken or that counts; the others are the honest one's. */
export function withParts<T extends object>(honest: T, parts: Partial<T>): T {
  return new Proxy(honest, {
    get(target, name) {
      const owner: object = name in parts ? parts : target;
      const value: unknown = Reflect.get(owner, name, owner);
      return typeof value === 'function' ? (value.bind(owner) as unknown) : value;
    },
  });
}
