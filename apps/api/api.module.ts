/** Wiring of `api`. The process around it provides the resources of `tokens.ts`; `standalone` imports this module as it is. */
import {
  type DynamicModule,
  Inject,
  Module,
  type OnApplicationShutdown,
  type Provider,
  type Type,
} from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { type Database, PositionWaiter } from '#read-models';
import {
  type Config,
  CONFIG,
  createTokenVerifier,
  DATABASE,
  NATS,
  ownKeys,
  refusingRevoked,
  SigningKeys,
} from '#service';
import { Accounts } from './accounts/accounts.js';
import { AuthController, DemoSignInController } from './accounts/auth.controller.js';
import { Passwords } from './accounts/passwords.js';
import { Sessions } from './accounts/sessions.js';
import { CommandsController } from './commands/commands.controller.js';
import { DescriptionsController } from './descriptions/descriptions.controller.js';
import { HealthController } from './health.controller.js';
import { SignedIn, TOKEN_VERIFIER } from './http/caller.js';
import { CaughtUp, POSITION_WAITER } from './http/caught-up.js';
import { FailedSignInLimit, GuessedAccountLimit, RegistrationLimit, SendLimit } from './http/limits.js';
import { PageController } from './page/page.controller.js';
import { ConnectionsController } from './participants/connections.controller.js';
import { ParticipantsController } from './participants/participants.controller.js';
import { InboxController } from './rooms/inbox.controller.js';
import { MessagesController } from './rooms/messages.controller.js';
import { RoomActionsController } from './rooms/room-actions.controller.js';
import { RoomsController } from './rooms/rooms.controller.js';
import { Online } from './users/online.js';
import { Profiles } from './users/profiles.js';
import { UsersController } from './users/users.controller.js';

const CONTROLLERS: Type[] = [
  CommandsController,
  ConnectionsController,
  DescriptionsController,
  HealthController,
  InboxController,
  MessagesController,
  PageController,
  ParticipantsController,
  RoomActionsController,
  RoomsController,
  UsersController,
];

const PROVIDERS: Provider[] = [
  CaughtUp,
  Online,
  Profiles,
  SendLimit,
  SignedIn,
  {
    provide: TOKEN_VERIFIER,
    inject: [CONFIG, DATABASE, NATS],
    useFactory: (config: Config, database: Database, nats: NatsConnection) =>
      refusingRevoked(createTokenVerifier(config, ownKeys(database)), nats, config),
  },
  {
    provide: POSITION_WAITER,
    inject: [DATABASE, NATS],
    useFactory: (database: Database, nats: NatsConnection) => new PositionWaiter(database, nats),
  },
];

const ACCOUNT_PROVIDERS: Provider[] = [
  Accounts,
  FailedSignInLimit,
  GuessedAccountLimit,
  Passwords,
  RegistrationLimit,
  Sessions,
  {
    provide: SigningKeys,
    inject: [DATABASE],
    useFactory: (database: Database) => new SigningKeys(database),
  },
];

@Module({})
export class ApiModule implements OnApplicationShutdown {
  /** @param config decides whether accounts are mounted: only where they are the source of identity */
  static with(config: Config): DynamicModule {
    const accounts = config.identity === 'accounts' || config.identity === 'demo';
    return {
      module: ApiModule,
      controllers: [
        ...CONTROLLERS,
        ...(accounts ? [AuthController] : []),
        ...(config.demo ? [DemoSignInController] : []),
      ],
      providers: accounts ? [...PROVIDERS, ...ACCOUNT_PROVIDERS] : PROVIDERS,
    };
  }

  constructor(@Inject(POSITION_WAITER) private readonly waiter: PositionWaiter) {}

  onApplicationShutdown(): void {
    this.waiter.close();
  }
}
