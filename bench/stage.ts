/** What the subjects of one benchmark share: servers that are started once, by whoever needs them first, and end with it. */
import { temporaryFolder } from '#embedded';

interface Stoppable {
  stop(): Promise<void>;
}

export class Stage {
  private readonly known = new Map<string, Promise<Stoppable>>();
  private readonly stops: (() => Promise<void>)[] = [];

  private constructor(
    readonly quick: boolean,
    /** Empty at first, and removed at the end. */
    readonly folder: string,
    /** Tells the operator what is going on. */
    readonly say: (line: string) => void,
  ) {}

  static async open(quick: boolean, say: (line: string) => void): Promise<Stage> {
    const folder = await temporaryFolder('bench');
    const stage = new Stage(quick, folder.path, say);
    stage.stops.push(() => folder.remove());
    return stage;
  }

  /** Started by the first caller; the others get the same. */
  once<T extends Stoppable>(name: string, start: () => Promise<T>): Promise<T> {
    const known = this.known.get(name);
    if (known !== undefined) return known as Promise<T>;
    const started = start().then((part) => this.keep(part));
    this.known.set(name, started);
    return started;
  }

  /** Ends with the stage; the last first. */
  keep<T extends Stoppable>(part: T): T {
    this.stops.push(() => part.stop());
    return part;
  }

  async close(): Promise<void> {
    for (const stop of this.stops.reverse()) await stop();
  }
}
