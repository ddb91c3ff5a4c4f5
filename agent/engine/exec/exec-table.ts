/** Execs: made, running, and ended ones for as long as somebody may ask how they ended. */
import type { ExecSettings, ExecView } from '../../api/exec/backend.ts';
import { conflict, notFound } from '../../errors.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';

/** Docker's own patience with clients that ask late (moby, execCommandGC). */
const keptMs = 5 * 60_000;

export interface ExecRecord extends ExecView {
  process: RunningProcess | undefined;
  started: boolean;
  /** Size that a client asked for before the terminal was there. */
  size: { rows: number; columns: number } | undefined;
  endedAtMs: number | undefined;
}

export class ExecTable {
  readonly #records = new Map<string, ExecRecord>();
  readonly #hasProcess: (containerId: string) => boolean;

  constructor(hasProcess: (containerId: string) => boolean) {
    this.#hasProcess = hasProcess;
  }

  add(id: string, containerId: string, settings: ExecSettings): void {
    this.#forgetOld();
    this.#records.set(id, {
      id,
      containerId,
      settings,
      running: false,
      exitCode: undefined,
      pid: 0,
      process: undefined,
      started: false,
      size: undefined,
      endedAtMs: undefined,
    });
  }

  find(id: string): ExecRecord {
    const exact = this.#records.get(id);
    if (exact !== undefined) return exact;
    const matches = [...this.#records.values()].filter((record) => record.id.startsWith(id));
    if (id === '' || matches.length !== 1 || matches[0] === undefined)
      throw notFound(`No such exec instance: ${id}`);
    return matches[0];
  }

  /** Ids of a container's execs that are made or running. */
  openOf(containerId: string): string[] {
    return [...this.#records.values()]
      .filter((record) => record.containerId === containerId && record.exitCode === undefined)
      .map(({ id }) => id);
  }

  /** Takes the one start that an exec has. */
  begin(record: ExecRecord): void {
    if (record.running) throw conflict(`Error: Exec command ${record.id} is already running`);
    if (record.started) throw conflict(`Error: Exec command ${record.id} has already run`);
    record.started = true;
  }

  end(record: ExecRecord, exitCode: number): void {
    record.running = false;
    record.exitCode = exitCode;
    record.pid = 0;
    record.process = undefined;
    record.endedAtMs = Date.now();
  }

  #forgetOld(): void {
    const limit = Date.now() - keptMs;
    for (const { id, containerId, started, endedAtMs } of this.#records.values()) {
      // One that nobody started never will be: dockerd, too, forgets those of a container that has ended.
      const isVain = !started && !this.#hasProcess(containerId);
      if (isVain || (endedAtMs !== undefined && endedAtMs < limit)) this.#records.delete(id);
    }
  }
}
