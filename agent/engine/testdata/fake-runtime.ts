/** Processes in memory: tests end them, and see the signals that were sent. */
import { mkdirSync } from 'node:fs';
import { conflict } from '../../errors.ts';
import type {
  ExecRequest,
  ExitRecord,
  LaunchRequest,
  PreparedSandbox,
  PrepareRequest,
  PrestartedExec,
  RunningProcess,
  Runtime,
} from '../../runtime/runtime.ts';

export class FakeProcess implements RunningProcess {
  readonly pid: number;
  readonly shimPid: number;
  readonly startedAt = new Date();
  readonly stdio = {};
  readonly signals: number[] = [];
  readonly logLimits: { maxBytes: number; maxFiles: number }[] = [];
  readonly exited: Promise<ExitRecord>;
  readonly settled = Promise.resolve();
  readonly #exit: (record: ExitRecord) => void;
  #ended = false;
  /** What it does with a signal; by default SIGKILL and SIGTERM end it. */
  onSignal = (signal: number) => {
    if (signal === 9 || signal === 15) this.exit(128 + signal, signal);
  };

  constructor(pid: number) {
    this.pid = pid;
    this.shimPid = pid + 1;
    const { promise, resolve } = Promise.withResolvers<ExitRecord>();
    this.exited = promise;
    this.#exit = resolve;
  }

  exit(exitCode: number, signal?: number): void {
    this.#ended = true;
    this.#exit({ exitCode, signal, finishedAt: new Date() });
  }
  signal(signal: number): void {
    if (this.#ended) throw conflict('the process is not running any more');
    // 0 only asks whether it still runs.
    if (signal === 0) return;
    this.signals.push(signal);
    this.onSignal(signal);
  }
  resize(): void {}
  closeStdin(): void {}
  rootReleases = 0;
  async releaseRoot(): Promise<void> {
    this.rootReleases += 1;
  }
  limitLog({ maxBytes, maxFiles }: { maxBytes: number; maxFiles: number }): void {
    this.logLimits.push({ maxBytes, maxFiles });
  }
}

export class FakeRuntime implements Runtime {
  readonly launched: { request: LaunchRequest; process: FakeProcess }[] = [];
  readonly execs: { request: ExecRequest; process: FakeProcess }[] = [];
  /** Thrown by the next steps of that name. */
  failPrepare: Error | undefined;
  failLaunch: Error | undefined;
  failExec: Error | undefined;
  /** What `readopt` finds, by run directory. */
  readonly leftBehind = new Map<string, RunningProcess | ExitRecord>();
  openSandboxes = 0;
  #nextPid = 1_000_000;

  async prepare({ makeSources, makeGroups, meanwhile }: PrepareRequest): Promise<PreparedSandbox> {
    makeSources?.();
    makeGroups?.();
    meanwhile?.();
    if (this.failPrepare) throw this.failPrepare;
    this.openSandboxes++;
    let open = true;
    return {
      // Numbers that no fake network uses.
      networkFd: -1,
      netlinkFd: -1,
      files: new Map([['/etc/passwd', 'root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv:/bin/sh\n']]),
      close: async () => {
        if (open) this.openSandboxes--;
        open = false;
      },
    };
  }

  async launch(_sandbox: PreparedSandbox, request: LaunchRequest): Promise<RunningProcess> {
    if (this.failLaunch) throw this.failLaunch;
    mkdirSync(request.runDirectory, { recursive: true });
    const process = new FakeProcess(this.#nextPid++);
    this.launched.push({ request, process });
    return process;
  }

  async exec(_container: unknown, request: ExecRequest): Promise<RunningProcess> {
    if (this.failExec) throw this.failExec;
    const process = new FakeProcess(this.#nextPid++);
    this.execs.push({ request, process });
    return process;
  }

  setTimeSlice(): void {}

  prestartExec(): PrestartedExec | undefined {
    return undefined;
  }

  async readopt(runDirectory: string): Promise<RunningProcess | ExitRecord | undefined> {
    return this.leftBehind.get(runDirectory);
  }

  async close(): Promise<void> {}

  /** The process of the last start. */
  get last(): FakeProcess {
    const launched = this.launched.at(-1);
    if (launched === undefined) throw new Error('nothing was started');
    return launched.process;
  }
}
