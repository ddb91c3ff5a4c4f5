/** What precedence each container has on the processors (precedence.ts), kept up with how much each of them uses. */
import type { PressureSample } from '../../contract/pressure.ts';
import { inBreaths } from './breaths.ts';
import { ForkBombWatch } from './fork-bomb.ts';
import { type Precedence, precedences } from './precedence.ts';

export interface TurnOrderOptions {
  /** Whom the container comes before on the processors from now on. */
  setPrecedence?:
    | ((id: string, change: { before: Precedence; now: Precedence }) => void)
    | undefined;
  report: (what: string, error: unknown) => void;
}

interface Standing {
  bombs: ForkBombWatch;
  /** It has been told to end. */
  isEnding: boolean;
  precedence: Precedence;
}

export class TurnOrder {
  readonly #options: TurnOrderOptions;
  readonly #standings = new Map<string, Standing>();

  constructor(options: TurnOrderOptions) {
    this.#options = options;
  }

  add(id: string): void {
    this.#standings.set(id, { bombs: new ForkBombWatch(), isEnding: false, precedence: 'own' });
  }

  remove(id: string): void {
    this.#standings.delete(id);
  }

  /** It is about to be told to end: what it is held to as a fork bomb would make that slow. */
  letEnd(id: string): void {
    const standing = this.#standings.get(id);
    if (standing === undefined) return;
    standing.isEnding = true;
    if (standing.precedence === 'held') this.#set(id, standing, 'behind');
  }

  /** A second of one. */
  look(id: string, sample: PressureSample): void {
    this.#standings.get(id)?.bombs.look(sample);
  }

  /** `used`: of one processor, in the same time for all. Who was not added counts, and has no precedence. */
  async set(used: ReadonlyMap<string, number>, isContended: boolean): Promise<void> {
    const ids = [...used.keys()];
    const standings = ids.map((id) => this.#standings.get(id));
    const turns = [...used.values()].map((share, index) => {
      const standing = standings[index];
      return {
        used: share,
        isBomb: standing?.bombs.isBomb ?? false,
        isEnding: standing?.isEnding ?? false,
        before: standing?.precedence ?? 'own',
      };
    });
    const now = precedences(turns, isContended);
    for await (const [index, id] of inBreaths(ids.entries())) {
      const standing = standings[index];
      // It has ended meanwhile,
      if (standing === undefined || this.#standings.get(id) !== standing) continue;
      const wanted = now[index] ?? 'own';
      // or been told to.
      const precedence = wanted === 'held' && standing.isEnding ? 'behind' : wanted;
      // Of others than the usual it is said again each time: somebody may have set other shares meanwhile, and
      // what has come since has its own turns.
      if (precedence !== standing.precedence || precedence !== 'own')
        this.#set(id, standing, precedence);
    }
  }

  #set(id: string, standing: Standing, now: Precedence): void {
    const { precedence: before } = standing;
    standing.precedence = now;
    try {
      this.#options.setPrecedence?.(id, { before, now });
    } catch (error) {
      this.#options.report(`set the processor shares of container ${id}`, error);
    }
  }
}
