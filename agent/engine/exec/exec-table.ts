/**
 * Execs that are created, running, or ended recently enough that a client may ask for the exit
 * code.
 */
import type { ExecSettings, ExecView } from '../../api/exec/backend.ts';
import { conflict, notFound } from '../../errors.ts';
import type { RunningProcess } from '../../runtime/runtime.ts';

/** How long an ended exec is kept, as in moby's execCommandGC. */
const keptMs = 5 * 60_000;

export interface ExecRecord extends ExecView {
  process: RunningProcess | undefined;
  started: boolean;
  /** The size that a client set before the terminal existed. */
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

  /** Ids of a container's execs that have not ended. */
  openOf(containerId: string): string[] {
    return [...this.#records.values()]
      .filter((record) => record.containerId === containerId && record.exitCode === undefined)
      .map(({ id }) => id);
  }

  /** Marks the exec as started. Throws conflict when it was started before. */
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
      // A created exec of an ended container can never start, so it is dropped, as dockerd does.
      const isVain = !started && !this.#hasProcess(containerId);
      if (isVain || (endedAtMs !== undefined && endedAtMs < limit)) this.#records.delete(id);
    }
  }
}
