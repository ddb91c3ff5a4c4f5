/** What the verbs share: the chosen directories, the connections to engine and app, and how to print. */
import { join, resolve } from 'node:path';
import { localSocketName } from '../electron/contract/local-socket.ts';
import { defaultRootDirectory, runDirectoryFor } from '../electron/paths.ts';
import type { AppConnection } from './app-connection.ts';
import { Engine } from './engine/engine.ts';
import { CommandFailure } from './failure.ts';
import type { Io } from './io.ts';

export interface GlobalOptions {
  root?: string;
  run?: string;
  /** Name or id of a machine; absent: this computer's own engine. */
  machine?: string;
}

/** The directory that holds package.json. */
export const checkout = join(import.meta.dirname, '..');

export class Session {
  readonly io: Io;
  /** What the process ends with when no failure is thrown. */
  exitCode = 0;
  readonly #options: () => GlobalOptions;
  readonly #opened: { close(): void }[] = [];
  #app: Promise<AppConnection> | undefined;

  constructor(io: Io, options: () => GlobalOptions) {
    this.io = io;
    this.#options = options;
  }

  get rootDirectory(): string {
    return resolve(this.#options().root ?? defaultRootDirectory);
  }

  get runDirectory(): string {
    const { run } = this.#options();
    return run === undefined ? runDirectoryFor(this.rootDirectory) : resolve(run);
  }

  get chosenMachine(): string | undefined {
    return this.#options().machine;
  }

  /** The engine of the chosen machine; of this computer's own where none was chosen. */
  async engine(): Promise<Engine> {
    const engine = new Engine(await this.engineSocket());
    this.#opened.push(engine);
    return engine;
  }

  /** Where the engine's Docker Engine API is served on this computer. */
  async engineSocket(): Promise<string> {
    const { chosenMachine, runDirectory } = this;
    if (chosenMachine === undefined) {
      const { ownEngineSocket } = await import('./engine/own-socket.ts');
      return ownEngineSocket(runDirectory);
    }
    const app = await this.app();
    const { id } = await app.machine(chosenMachine);
    const { host } = await app.request('context.state', { machine: id });
    return host.replace(/^unix:\/\//, '');
  }

  /** The app that runs for these directories. Throws the failure that says how to start it. */
  app(): Promise<AppConnection> {
    this.#app ??= this.#openApp().catch((error) => {
      // It may be started meanwhile.
      this.#app = undefined;
      throw error;
    });
    return this.#app;
  }

  async #openApp(): Promise<AppConnection> {
    // Loaded only here: most verbs talk to the engine alone, and start faster without a WebSocket.
    const { AppConnection } = await import('./app-connection.ts');
    const app = await AppConnection.open(this.appSocket);
    this.#opened.push(app);
    return app;
  }

  /** Undefined where no app runs. */
  async runningApp(): Promise<AppConnection | undefined> {
    try {
      return await this.app();
    } catch (error) {
      if (error instanceof CommandFailure) return undefined;
      throw error;
    }
  }

  get appSocket(): string {
    return join(this.runDirectory, localSocketName);
  }

  print(text: string): void {
    this.io.output.write(text.endsWith('\n') || text === '' ? text : `${text}\n`);
  }

  printJson(value: unknown): void {
    this.print(JSON.stringify(value, null, 2));
  }

  /** For what is no result of the verb: it must not end in a pipe or a file. */
  remark(text: string): void {
    this.io.errors.write(`${text}\n`);
  }

  close(): void {
    for (const each of this.#opened) each.close();
  }
}
