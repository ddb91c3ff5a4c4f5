/** Keeps each container's CPU priority (cpu-priority.ts) up to date with what the containers use. */
import type { PressureSample } from '../../contract/pressure.ts';
import { inBatches } from '../in-batches.ts';
import { type CpuPriority, choosePriorities } from './cpu-priority.ts';
import { ForkBombDetector } from './fork-bomb.ts';

export interface CpuPriorityChange {
  before: CpuPriority;
  now: CpuPriority;
}

export interface CpuPrioritiesOptions {
  applyCpuPriority?: ((id: string, change: CpuPriorityChange) => void) | undefined;
  report: (what: string, error: unknown) => void;
}

interface State {
  forkBomb: ForkBombDetector;
  isStopping: boolean;
  priority: CpuPriority;
}

export class CpuPriorities {
  readonly #options: CpuPrioritiesOptions;
  readonly #states = new Map<string, State>();

  constructor(options: CpuPrioritiesOptions) {
    this.#options = options;
  }

  add(id: string): void {
    const forkBomb = new ForkBombDetector();
    this.#states.set(id, { forkBomb, isStopping: false, priority: 'normal' });
  }

  remove(id: string): void {
    this.#states.delete(id);
  }

  /** Called before the container is told to stop: a throttled one would take very long. */
  stopping(id: string): void {
    const state = this.#states.get(id);
    if (state === undefined) return;
    state.isStopping = true;
    if (state.priority === 'throttled') this.#apply(id, state, 'normal');
  }

  /** Takes one second of one container. */
  observe(id: string, sample: PressureSample): void {
    this.#states.get(id)?.forkBomb.observe(sample);
  }

  /** `usedCpus`: CPUs that each container used in the same time. */
  async update(usedCpus: ReadonlyMap<string, number>, isContended: boolean): Promise<void> {
    const containers = [...usedCpus].map(([id, used]) => ({
      id,
      used,
      state: this.#states.get(id),
    }));
    const priorities = choosePriorities(
      containers.map(({ used, state }) => ({
        usedCpus: used,
        isForkBomb: state?.forkBomb.isBomb ?? false,
        isStopping: state?.isStopping ?? false,
        current: state?.priority ?? 'normal',
      })),
      isContended,
    );
    for await (const [index, { id, state }] of inBatches(containers.entries())) {
      // It may have ended, or been told to stop, while others were set.
      if (state === undefined || this.#states.get(id) !== state) continue;
      const chosen = priorities[index] ?? 'normal';
      const priority = chosen === 'throttled' && state.isStopping ? 'normal' : chosen;
      // Other priorities than normal are applied each time: the limits may have been changed meanwhile, and new
      // processes need the time slice, too.
      if (priority !== state.priority || priority !== 'normal') this.#apply(id, state, priority);
    }
  }

  #apply(id: string, state: State, now: CpuPriority): void {
    const before = state.priority;
    state.priority = now;
    try {
      this.#options.applyCpuPriority?.(id, { before, now });
    } catch (error) {
      this.#options.report(`set the CPU priority of container ${id}`, error);
    }
  }
}
