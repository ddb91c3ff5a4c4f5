/**
 * Something that runs the agent: this Linux host itself, a virtual machine, another computer.
 *
 * A *backend* knows one way to bring an agent up to where its SSH server answers. Everything after
 * that is the same for all and lives in `lifecycle.ts`: the connection, the engine behind it, the
 * stages that the UI shows, a lost connection and its return. The host core sees a `Machine`.
 * *Companions* run as long as the machine is up: `docker.sock`, published ports, shared folders.
 */
import type { Duplex } from 'node:stream';
import type {
  CompactProgress,
  MachineFigures,
  MachineImages,
  MachineSettings,
  MachineSettingsView,
} from '../../contract/machine.ts';
import type { Footprint, MachineQuestion, MachineState } from '../../contract/machines.ts';
import type { EngineClient } from '../engine-client.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';
import type { ServiceLink, SshLink } from '../ssh/link.ts';

export interface Machine {
  state(): MachineState;
  /** The state now, then each new one, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<MachineState>;
  /** A machine that fails to start does not reject: the state then holds stage, cause and next step. */
  start(): Promise<MachineState>;
  /** Containers run on where the machine itself does. `force` is for a machine that does not answer. */
  stop(options?: StopOptions): Promise<MachineState>;
  /** Answers the question in the state; undefined cancels the start. */
  answer(question: string, answer: string | undefined): void;
  /** Lists the files that the app has installed on the machine, with their sizes. */
  footprint(): Promise<Footprint>;
  /** Stops the machine and removes what `footprint` lists. Rejects where something cannot be removed. */
  remove(what: { state: boolean }): Promise<void>;
  /** The ends of its log files, by file name, for diagnostics. */
  logs(): Promise<Record<string, string>>;
  /** The engine of a running machine; throws MachineNotRunning otherwise. */
  engine(): EngineClient;
  /** For SSH connections beside the app's own, such as that of a terminal. Throws MachineNotRunning. */
  endpoint(): SshEndpoint;
  /** Absent where the machine is not the app's own, such as this host itself. */
  readonly controls: MachineControls | undefined;
}

/** Settings and resource use of a machine that the app itself creates. */
export interface MachineControls {
  settings(): MachineSettingsView;
  /** Changes only the settings that are given. Rejects with SettingRefused for a value that is impossible. */
  change(settings: Partial<MachineSettings>): Promise<MachineSettingsView>;
  figures(): Promise<MachineFigures>;
  images(): MachineImages | undefined;
  /** Frees blocks of the disk's file that the guest no longer uses (fstrim(8)). The machine must run. */
  compact(signal: AbortSignal): AsyncIterable<CompactProgress>;
}

/** A setting that is impossible; its message is shown to the user. */
export class SettingRefused extends Error {
  readonly setting: keyof MachineSettings;

  constructor(setting: keyof MachineSettings, message: string) {
    super(message);
    this.name = 'SettingRefused';
    this.setting = setting;
  }
}

export interface StopOptions {
  force?: boolean;
}

/** One kind of machine, such as QEMU or WSL 2. */
export interface MachineBackend {
  readonly kind: MachineState['kind'];
  /** The ids of `bringUp`'s stages, in their order; `connect` and `engine` follow by themselves. */
  readonly stages: readonly string[];
  /**
   * Resolves once the agent's SSH server can be dialled. Rejects with the StageFailure of the stage
   * that failed, after everything that was begun has been undone.
   */
  bringUp(context: BringUpContext): Promise<BroughtUp>;
  /** The next step for the user when the agent refuses the login; it depends on where the backend keeps keys. */
  readonly loginAdvice: string;
  controls?(reach: EngineReach): MachineControls;
  /** The ends of its log files, by file name. Only diagnostics use them. */
  logs?(): Promise<Record<string, string>>;
  /** Absent for a backend that installs nothing. */
  readonly installation?: Installation;
}

export interface Installation {
  footprint(context: Pick<BringUpContext, 'ask'>): Promise<Footprint>;
  /** Removes all that the app installed. Images, containers and volumes go only with `state`. */
  remove(what: { state: boolean }, context: Pick<BringUpContext, 'ask'>): Promise<void>;
}

export interface EngineReach {
  /** Its requests are a use of the machine, and resume a paused one. Throws MachineNotRunning. */
  engine(): EngineClient;
  /** Its requests are no use of the machine. Undefined unless the machine runs and is not paused. */
  background(): EngineClient | undefined;
}

export interface BringUpContext {
  /** Runs one stage and shows its status and time. */
  stage<T>(id: string, work: () => Promise<T>): Promise<T>;
  /** The text is shown beside that stage until the next start, or until a call with undefined. */
  note(id: string, text: string | undefined): void;
  /** Puts a question before the person; undefined when they cancel it. */
  ask(question: Asked): Promise<string | undefined>;
  /** Aborts when the user cancels the start. */
  signal: AbortSignal;
}

/** A question that has no id yet. */
export type Asked = MachineQuestion extends infer Q
  ? Q extends { id: string }
    ? Omit<Q, 'id'>
    : never
  : never;

export interface BroughtUp {
  /** Where the app's own lasting connection goes. */
  endpoint: SshEndpoint;
  /** A serial line carries one connection: further ones then go through the first. */
  oneConnection?: boolean;
  /** Resolves when it ended without being asked to; it stays pending after `stop`. */
  lost: Promise<Loss>;
  /** True where only `bringUp` can tell what still runs, so that a start after a lost connection begins with it. */
  startsOver?: boolean;
  /** Called at the engine's first answer, such as to mark a new guest image as one that boots. */
  proved?(engine: EngineClient): Promise<void> | void;
  /** How its virtual CPUs are stopped and started again; absent where that is impossible. */
  idlePause?: { pause(background: EngineClient): Promise<void>; resume(): Promise<void> };
  /** Absent where a full or broken disk of this computer ends the machine instead of halting it. */
  hold?: DiskHold;
  /**
   * Ends what `bringUp` began; what it only found running stays. `engine` still answers if it did
   * before, so that the machine can be asked to power itself off.
   */
  stop(options: StopOptions, engine: EngineClient | undefined): Promise<void>;
}

/** A machine that QEMU has halted because its disk could not be written (`werror=stop`). */
export interface DiskHold {
  /** Undefined while the machine is not halted. */
  why(): Loss | undefined;
  onChange(listener: () => void): () => void;
  /** Continues the machine; it is halted again when the disk still cannot be written. */
  retry(): Promise<void>;
}

export interface Loss {
  stage: string;
  cause: string;
  nextStep: string;
}

/** Starts with the engine's first answer and is closed when the machine stops or is lost. */
export type Companion = (machine: CompanionContext) => RunningCompanion;

export interface RunningCompanion {
  close(): Promise<void> | void;
  /**
   * For what containers use until they stop, such as shared folders: called before the machine is
   * asked to power off, with `close` after it has. A connection that breaks in between is not made again.
   */
  linger?(): void;
  /** A start waits for it, because whoever started the machine uses it next. Never rejects. */
  ready?: Promise<void>;
}

export interface CompanionContext {
  /** For requests of the user: each channel and each byte is a use, and resumes a paused machine. */
  link: SshLink;
  /** For services that the app offers to the machine, such as DNS. Their channels are no use. */
  services: ServiceLink;
  /** For connections beside the app's own; absent where there can be only one. Dialling it is no use. */
  endpoint: SshEndpoint | undefined;
  /** Wraps a connection of the companion's own, so that its channels are a use as those of `link` are. */
  resuming(link: SshLink): SshLink;
  engine: EngineClient;
  /** The engine for requests that are no use. They fail while the machine is paused. */
  background: EngineClient;
  /** Called after each pause and each resume. */
  onPauseChange(listener: (isPaused: boolean) => void): () => void;
  /** The machine's settings; absent where it has none. */
  settings?: { now(): MachineSettings; onChange(listener: () => void): () => void };
  /** A connection to a TCP address of the machine or of a container. */
  dialTcp(host: string, port: number): Promise<Duplex>;
  /** For errors of a companion, which do not stop the machine. */
  report(what: string, error: unknown): void;
}

export class MachineNotRunning extends Error {
  constructor(status: MachineState['status']) {
    super(
      status === 'starting'
        ? 'The machine is still starting.'
        : 'The machine is not running. Start it first.',
    );
    this.name = 'MachineNotRunning';
  }
}

export function cancelled(): StageFailure {
  return new StageFailure('The start was cancelled.', 'Start it again when you want to.');
}

/** Why a stage failed. The message is shown to the user, with the next step. */
export class StageFailure extends Error {
  readonly nextStep: string;

  constructor(message: string, nextStep: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StageFailure';
    this.nextStep = nextStep;
  }
}
