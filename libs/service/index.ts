export { CommandBus } from './command-bus.js';
export { type Config, ConfigError, type IdentitySource, loadConfig } from './config.js';
export { Health, healthAnswer, type HealthReport, serveHealth } from './health.js';
export { bearerToken, createTokenVerifier, type Identity, OWN_TOKENS, type TokenVerifier } from './identity.js';
export { connectNats } from './nats.js';
export { createLogger, type Running, runService } from './process.js';
export { RateLimit } from './rate-limits.js';
export { ResourcesModule } from './resources.module.js';
export { COMMAND_BUS, CONFIG, DATABASE, EVENT_LOG, HEALTH, NATS } from './tokens.js';
