/** Containers in memory: the whole backend interface, with pretended processes. */
import { randomBytes } from 'node:crypto';
import { PassThrough, type Readable, type Writable } from 'node:stream';
import { pack } from 'tar-stream';
import { allows, type ContainerVerb, type ContainerView } from '../../contract/container.ts';
import type { IsolationReport } from '../../contract/isolation.ts';
import { CortenError, conflict, invalid, notFound } from '../../errors.ts';
import type {
  Attachment,
  AttachOptions,
  ContainersBackend,
  CreateRequest,
  LogOptions,
  LogRecord,
  WaitCondition,
  WaitResult,
} from '../containers/backend.ts';
import type { EngineEvent } from '../system/backend.ts';
import { FakeOutput, type FakeProcess, ignoreErrors, startFakeProcess } from './fake-process.ts';
import { emptyUsage, reportOf } from './views.ts';

interface Entry {
  view: ContainerView;
  output: FakeOutput;
  process?: FakeProcess;
  /** Writers that attached before the start. */
  pendingStdin: ((process: FakeProcess) => void)[];
  exits: Set<() => void>;
  removals: Set<() => void>;
}

type Emit = (
  type: EngineEvent['type'],
  action: string,
  id: string,
  attributes: Record<string, string>,
) => void;

export class FakeContainers implements ContainersBackend {
  readonly entries = new Map<string, Entry>();
  readonly calls: { name: string; args: unknown[] }[] = [];
  /** What `docker cp` wrote, by path. */
  readonly files = new Map<string, Buffer>();
  readonly #emit: Emit;

  constructor(emit: Emit) {
    this.#emit = emit;
  }

  async create({ name, settings, origin }: CreateRequest) {
    this.calls.push({ name: 'create', args: [{ name, settings, origin }] });
    if (settings.image.startsWith('missing'))
      throw notFound(`No such image: ${settings.image}:latest`);
    const id = randomBytes(32).toString('hex');
    const chosen = name ?? `fake_${id.slice(0, 6)}`;
    for (const { view } of this.entries.values()) {
      if (view.name === chosen)
        throw conflict(
          `Conflict. The container name "/${chosen}" is already in use by container "${view.id}". You have to remove (or rename) that container to be able to reuse that name.`,
        );
    }
    const [path = 'sleep', ...args] = [
      ...(settings.entrypoint ?? []),
      ...(settings.args ?? ['sleep']),
    ];
    const view: ContainerView = {
      id,
      name: chosen,
      createdAt: new Date(),
      imageId: `sha256:${'1'.repeat(64)}`,
      settings,
      process: { path, args, env: settings.env, workingDirectory: '/', user: '' },
      state: {
        status: 'created',
        pid: 0,
        exitCode: 0,
        oomKilled: false,
        error: '',
        restartCount: 0,
      },
      mounts: [],
      networks: [],
      ports: settings.network.ports.map((port) => ({
        containerPort: port.containerPort,
        protocol: port.protocol,
        hostAddress: '0.0.0.0',
        hostPort: port.hostPort ?? 49153,
      })),
      networkSandboxId: '',
      logDirectory: `/nowhere/${id}`,
      rootfs: { upper: '/u', work: '/w', lowers: ['/l2', '/l1'] },
      files: { hosts: '/h', hostname: '/n', resolvConf: '/r' },
      origin,
    };
    this.entries.set(id, {
      view,
      output: new FakeOutput(),
      pendingStdin: [],
      exits: new Set(),
      removals: new Set(),
    });
    this.#tell(view, 'create');
    return { id, warnings: [] };
  }

  inspect(reference: string): ContainerView {
    return this.entry(reference).view;
  }

  entry(reference: string): Entry {
    const name = reference.replace(/^\//, '');
    const found = [...this.entries.values()].filter(
      ({ view }) => view.id === name || view.name === name,
    );
    const byPrefix = [...this.entries.values()].filter(({ view }) => view.id.startsWith(name));
    const matches = found.length > 0 ? found : byPrefix;
    if (matches.length === 0) throw notFound(`No such container: ${reference}`);
    if (matches.length > 1) throw invalid(`Multiple IDs found with provided prefix: ${reference}`);
    return matches[0]!;
  }

  list(): ContainerView[] {
    return [...this.entries.values()].map(({ view }) => view);
  }

  async isolation(reference: string): Promise<IsolationReport> {
    return reportOf(this.inspect(reference));
  }

  async start(reference: string): Promise<void> {
    const entry = this.entry(reference);
    if (entry.view.state.status === 'running')
      throw new CortenError('not-modified', `Container ${reference} is already running`);
    const { view } = entry;
    entry.output.ended = false;
    const process = startFakeProcess(
      [view.process.path, ...view.process.args],
      entry.output,
      view.settings.openStdin,
    );
    entry.process = process;
    for (const connect of entry.pendingStdin.splice(0)) connect(process);
    Object.assign(view.state, { status: 'running', pid: 4321, startedAt: new Date() });
    this.#tell(view, 'start');
    void process.exited.then((code) => this.#ended(entry, code));
  }

  async stop(
    reference: string,
    options: { signal?: string; timeoutSeconds?: number },
  ): Promise<void> {
    this.calls.push({ name: 'stop', args: [reference, options] });
    const entry = this.entry(reference);
    if (!allows('stop', entry.view.state.status))
      throw new CortenError('not-modified', `Container ${reference} is already stopped`);
    await this.#kill(entry, options.signal ?? 'SIGTERM');
  }

  async restart(reference: string): Promise<void> {
    const entry = this.entry(reference);
    if (entry.view.state.status === 'running') await this.#kill(entry, 'SIGTERM');
    await this.start(reference);
  }

  async kill(reference: string, signal = 'SIGKILL'): Promise<void> {
    this.calls.push({ name: 'kill', args: [reference, signal] });
    await this.#kill(this.#allowed('kill', reference), signal);
  }

  async pause(reference: string): Promise<void> {
    this.#allowed('pause', reference).view.state.status = 'paused';
  }

  async unpause(reference: string): Promise<void> {
    this.#allowed('unpause', reference).view.state.status = 'running';
  }

  async rename(reference: string, name: string): Promise<void> {
    this.entry(reference).view.name = name;
  }

  async remove(reference: string, options: { force: boolean; volumes: boolean }): Promise<void> {
    this.calls.push({ name: 'remove', args: [reference, options] });
    const entry = this.entry(reference);
    if (entry.view.state.status === 'running' && !options.force)
      throw conflict(
        `cannot remove container "/${entry.view.name}": container is running: stop the container before removing or force remove`,
      );
    if (entry.view.state.status === 'running') await this.#kill(entry, 'SIGKILL');
    this.#drop(entry);
  }

  async update(reference: string, change: Parameters<ContainersBackend['update']>[1]) {
    this.calls.push({ name: 'update', args: [reference, change] });
    const { settings } = this.entry(reference).view;
    const limits = { ...settings.limits, ...change.limits };
    if (change.dryRun) return { limits, warnings: ['only asked'] };
    settings.limits = limits;
    if (change.restart !== undefined) settings.restart = change.restart;
    return { limits, warnings: [] };
  }

  async wait(
    reference: string,
    condition: WaitCondition,
    signal: AbortSignal,
  ): Promise<WaitResult> {
    const entry = this.entry(reference);
    const { view } = entry;
    if (
      condition === 'not-running' &&
      view.state.status !== 'running' &&
      view.state.status !== 'paused'
    )
      return { exitCode: view.state.exitCode };
    await new Promise<void>((resolve, reject) => {
      const waiting = condition === 'removed' ? entry.removals : entry.exits;
      waiting.add(resolve);
      signal.addEventListener('abort', () => reject(signal.reason));
    });
    return { exitCode: view.state.exitCode };
  }

  async top(reference: string, psArguments: string) {
    this.calls.push({ name: 'top', args: [reference, psArguments] });
    this.#allowed('exec', reference);
    return { titles: ['PID', 'CMD'], processes: [['4321', 'sleep']] };
  }

  async diskUsage(reference: string) {
    const { disk } = this.inspect(reference).settings.limits;
    const maxBytes = disk?.maxBytes ?? undefined;
    return maxBytes ? { usedBytes: 12, maxBytes, usedInodes: 3, maxInodes: undefined } : undefined;
  }

  async usage(reference: string) {
    this.#allowed('kill', reference);
    return emptyUsage();
  }

  async resize(reference: string, rows: number, columns: number): Promise<void> {
    this.calls.push({ name: 'resize', args: [reference, rows, columns] });
    this.entry(reference);
  }

  async attach(reference: string, options: AttachOptions): Promise<Attachment> {
    const entry = this.entry(reference);
    const { output, view } = entry;
    let closed = false;
    return {
      terminal: view.settings.terminal,
      stdin: options.stdin && view.settings.openStdin ? attachedStdin(entry) : undefined,
      output: output.follow(options.logs ? 0 : output.chunks.length, () => closed),
      close: () => {
        closed = true;
        output.nudge();
      },
    };
  }

  async *logs(reference: string, options: LogOptions): AsyncGenerator<LogRecord> {
    this.calls.push({ name: 'logs', args: [reference, options] });
    const { output } = this.entry(reference);
    const wanted = output.chunks.filter(({ chunk }) => options[chunk.stream]);
    for (const { chunk, time } of options.tail === undefined
      ? wanted
      : wanted.slice(-options.tail || wanted.length))
      yield { ...chunk, time, nanos: 5 };
    if (!options.follow) return;
    options.signal.addEventListener('abort', () => output.nudge());
    for await (const chunk of output.follow(output.chunks.length, () => options.signal.aborted))
      yield { ...chunk, time: new Date(), nanos: 6 };
  }

  async size() {
    return { rwBytes: 10, rootFsBytes: 1000 };
  }

  async changes() {
    return [
      { path: '/a', kind: 'modified' as const },
      { path: '/b', kind: 'added' as const },
      { path: '/c', kind: 'deleted' as const },
    ];
  }

  async exportArchive(): Promise<Readable> {
    return tarOf('hello', 'whole root\n');
  }

  async statPath(_reference: string, path: string) {
    if (path.includes('missing'))
      throw notFound(`Could not find the file ${path} in container ${_reference}`);
    const isFile = this.files.has(path) || path.endsWith('.txt');
    return {
      name: path.split('/').at(-1) ?? '',
      sizeBytes: 6,
      mode: isFile ? 0o100644 : 0o040755,
      modifiedAt: new Date('2026-01-02T03:04:05Z'),
      linkTarget: '',
    };
  }

  async readArchive(reference: string, path: string) {
    const stat = await this.statPath(reference, path);
    return { stat, archive: tarOf(stat.name, 'hello\n') };
  }

  async writeArchive(
    reference: string,
    path: string,
    archive: Readable,
    options: { noOverwriteDirectoryNonDirectory: boolean; copyUidGid: boolean },
  ): Promise<void> {
    this.calls.push({ name: 'writeArchive', args: [reference, path, options] });
    const chunks: Buffer[] = [];
    for await (const chunk of archive) chunks.push(chunk as Buffer);
    this.files.set(path, Buffer.concat(chunks));
  }

  async prune(filter: Parameters<ContainersBackend['prune']>[0]) {
    this.calls.push({ name: 'prune', args: [filter] });
    const gone = this.list().filter(({ state }) => allows('remove', state.status));
    for (const { id } of gone) this.#drop(this.entry(id));
    return { deleted: gone.map(({ id }) => id), reclaimedBytes: 5 };
  }

  #allowed(verb: ContainerVerb, reference: string): Entry {
    const entry = this.entry(reference);
    if (!allows(verb, entry.view.state.status))
      throw conflict(`container ${entry.view.id} is not running`);
    return entry;
  }

  async #kill(entry: Entry, signal: string): Promise<void> {
    const ended = new Promise<void>((resolve) => entry.exits.add(resolve));
    entry.process?.kill(signal);
    await ended;
  }

  #ended(entry: Entry, exitCode: number): void {
    Object.assign(entry.view.state, {
      status: 'exited',
      pid: 0,
      exitCode,
      finishedAt: new Date(),
    });
    entry.output.end();
    this.#tell(entry.view, 'die', { exitCode: String(exitCode) });
    for (const resolve of entry.exits) resolve();
    entry.exits.clear();
    if (entry.view.settings.autoRemove) this.#drop(entry);
  }

  #drop(entry: Entry): void {
    this.entries.delete(entry.view.id);
    this.#tell(entry.view, 'destroy');
    for (const resolve of entry.removals) resolve();
  }

  #tell(view: ContainerView, action: string, more: Record<string, string> = {}): void {
    this.#emit('container', action, view.id, {
      image: view.settings.image,
      name: view.name,
      ...view.settings.labels,
      ...more,
    });
  }
}

/** Before the start, a writer that holds its bytes until there is a process. */
function attachedStdin(entry: Entry): Writable {
  if (entry.process !== undefined) return ignoreErrors(entry.process.stdin);
  const writer = new PassThrough();
  entry.pendingStdin.push((process) => writer.pipe(process.stdin));
  return ignoreErrors(writer);
}

function tarOf(name: string, text: string): Readable {
  const archive = pack();
  archive.entry({ name }, text);
  archive.finalize();
  return archive as unknown as Readable;
}
