/**
 * What one of each costs on a machine of two virtual cores. The capacity model multiplies these and nothing else: whoever measures
 * anew changes a number here, and docs/SCALE.md with `npm run simulate -- --write`.
 *
 * Measured, of the broker alone or in development: connectionBytes, deliverySeconds, decideSeconds, appendSeconds,
 * syncedAppendsPerSecond, subjectBytes, rememberedIdBytes, projectSeconds. The others are estimates, until a benchmark of unit costs
 * has measured all of them in one run.
 */
export interface UnitCosts {
  /** Memory of a gateway for one idle, signed-in connection. */
  readonly connectionBytes: number;
  /** As many as one gateway process is to be tried with (`npm run bench -- curve-connections`). */
  readonly connectionsPerProcess: number;
  /** CPU of a gateway for one delivery that shares its write with no other, the worst case. */
  readonly deliverySeconds: number;
  /** CPU of a gateway to take one live event from the broker, and to encode it once. */
  readonly liveEventSeconds: number;
  /** CPU of a gateway for one subject in a tails notice that is none of its own. */
  readonly noticeEntrySeconds: number;
  /** CPU of a gateway to sign one connection in, and to resume it. */
  readonly openSeconds: number;
  /** CPU of an edge for one send that comes in by a socket. */
  readonly edgeSendSeconds: number;
  /** CPU of a command service for one send. */
  readonly decideSeconds: number;
  /** CPU of a broker node for one fenced append, on each replica. */
  readonly appendSeconds: number;
  /** CPU of a broker node for one live copy to one gateway. */
  readonly copySeconds: number;
  /** Fully synced appends a second that the disk of one node takes, by the number of streams that it leads. */
  readonly syncedAppendsPerSecond: readonly (readonly [streams: number, appends: number])[];
  /** Memory of a broker node for one subject, on every replica. */
  readonly subjectBytes: number;
  /** Memory of every broker node of a cluster for one subscription of a gateway. */
  readonly interestBytes: number;
  /** Memory of a broker node for one remembered id, for two minutes. */
  readonly rememberedIdBytes: number;
  /** CPU of the projection and of PostgreSQL for one event in every read model. */
  readonly projectSeconds: number;
  /** CPU of the api and of PostgreSQL for a page of 50 messages. */
  readonly pageSeconds: number;
  /** On disk: one message in the log, one replica; and in the views with their indexes. */
  readonly loggedBytes: number;
  readonly viewBytes: number;
  /** On the wire: one event to one client, and one subject in a tails notice. */
  readonly frameBytes: number;
  readonly noticeEntryBytes: number;
}

export const UNIT_COSTS: UnitCosts = {
  connectionBytes: 8_300,
  connectionsPerProcess: 15_000,
  deliverySeconds: 5.3e-6,
  liveEventSeconds: 20e-6,
  noticeEntrySeconds: 0.5e-6,
  openSeconds: 400e-6,
  edgeSendSeconds: 70e-6,
  decideSeconds: 55e-6,
  appendSeconds: 7.5e-6,
  copySeconds: 0.9e-6,
  syncedAppendsPerSecond: [
    [1, 7_000],
    [4, 15_000],
    [16, 22_000],
  ],
  subjectBytes: 500,
  interestBytes: 300,
  rememberedIdBytes: 100,
  projectSeconds: 40e-6,
  pageSeconds: 900e-6,
  loggedBytes: 700,
  viewBytes: 600,
  frameBytes: 420,
  noticeEntryBytes: 60,
};
