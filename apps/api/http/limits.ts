/** The rate limits of the HTTP routes; each holds for one process. */
import { Inject, Injectable } from '@nestjs/common';
import { LIMITS } from '#contract';
import { type Config, CONFIG, RateLimit } from '#service';

const MINUTE_S = 60;

/** Messages of a user. */
@Injectable()
export class SendLimit extends RateLimit {
  constructor(@Inject(CONFIG) config: Config) {
    super(LIMITS.sendsPerSecond, LIMITS.sendsBurst, config.rateLimits);
  }
}

/** Sign-ins that failed, of an address. */
@Injectable()
export class FailedSignInLimit extends RateLimit {
  constructor(@Inject(CONFIG) config: Config) {
    super(LIMITS.failedSignInsPerMinute / MINUTE_S, LIMITS.failedSignInsPerMinute, config.rateLimits);
  }
}

/** Sign-ins that failed, of an account: many addresses that guess together are no faster. */
@Injectable()
export class GuessedAccountLimit extends RateLimit {
  constructor(@Inject(CONFIG) config: Config) {
    const { failedSignInsPerAccountPerMinute: perMinute } = LIMITS;
    super(perMinute / MINUTE_S, perMinute, config.rateLimits);
  }
}

/** Registrations of an address. */
@Injectable()
export class RegistrationLimit extends RateLimit {
  constructor(@Inject(CONFIG) config: Config) {
    super(LIMITS.registrationsPerMinute / MINUTE_S, LIMITS.registrationsPerMinute, config.rateLimits);
  }
}
