/** Provides what a process has once to all of its modules; the process that opened them closes them, after its modules. */
import { type DynamicModule, Module } from '@nestjs/common';

@Module({})
export class ResourcesModule {
  /** @param resources values by token of `tokens.ts` */
  static with(resources: ReadonlyMap<symbol, unknown>): DynamicModule {
    const providers = [...resources].map(([provide, useValue]) => ({ provide, useValue }));
    return { module: ResourcesModule, global: true, providers, exports: [...resources.keys()] };
  }
}
