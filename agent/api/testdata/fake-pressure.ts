/** Pressure in memory: what was asked, and a container that is hard pressed. */
import type {
  HistoryColumn,
  HistoryDocument,
  PressureDocument,
  SuggestionsDocument,
} from '../../contract/pressure.ts';
import type { PressureBackend } from '../corten/backend.ts';
import type { FakeContainers } from './fake-containers.ts';

export class FakePressure implements PressureBackend {
  readonly calls: { name: string; args: unknown[] }[] = [];
  readonly #containers: Pick<FakeContainers, 'inspect' | 'list'>;
  /** Documents that a stream gives before it ends. */
  streamed = 3;

  constructor(containers: Pick<FakeContainers, 'inspect' | 'list'>) {
    this.#containers = containers;
  }

  now(reference: string): PressureDocument {
    const { id, name } = this.#containers.inspect(reference);
    return {
      id,
      name,
      running: true,
      sample: null,
      lastHour: {
        observedSeconds: 60,
        throttledSeconds: 30,
        periods: 600,
        throttledPeriods: 500,
        memoryLimitHits: 0,
        pidsRefusals: 0,
        oomKills: 2,
        diskFullSeconds: 0,
      },
      absent: {},
    };
  }

  async *watch(reference: string): AsyncGenerator<PressureDocument> {
    for (let count = 0; count < this.streamed; count++) yield this.now(reference);
  }

  all() {
    return { machine: null, containers: this.#containers.list().map(({ id }) => this.now(id)) };
  }

  history(reference: string, range: { seconds: number; stepSeconds: number }): HistoryDocument {
    this.calls.push({ name: 'history', args: [reference, range] });
    const { id } = this.#containers.inspect(reference);
    return {
      id,
      fromMs: 0,
      stepSeconds: range.stepSeconds,
      columns: {} as Record<HistoryColumn, (number | null)[]>,
      stall: null,
      machineStall: null,
      events: [],
      absent: {},
    };
  }

  suggestions(reference: string): SuggestionsDocument {
    const { id } = this.#containers.inspect(reference);
    const nothing = {
      limits: null,
      reason: 'too-little-seen' as const,
      peak: 0,
      p95: 0,
      limit: null,
      headroomShare: 0.25,
      limitedSeconds: 0,
    };
    return {
      id,
      observedSeconds: 0,
      neededSeconds: 300,
      cpu: nothing,
      memory: nothing,
      pids: nothing,
    };
  }
}
