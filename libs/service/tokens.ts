/**
 * What a process has once and its Nest modules share. Each `main.ts`, and `standalone` for all of them, provides these in a
 * global module; the values' types are `Config`, `NatsConnection`, `EventLog`, `Database`, `Health` and `CommandBus`.
 */
export const CONFIG = Symbol('Config');
export const NATS = Symbol('NatsConnection');
export const EVENT_LOG = Symbol('EventLog');
export const DATABASE = Symbol('Database');
export const HEALTH = Symbol('Health');
export const COMMAND_BUS = Symbol('CommandBus');
