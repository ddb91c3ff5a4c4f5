/**
 * Something that runs the agent: this Linux host itself, a virtual machine, another computer.
 *
 * A *backend* knows one way to bring an agent up to where its SSH server answers. Everything after
 * that is the same for all and lives in `lifecycle.ts`: the connection, the engine behind it, the
 * stages people see, losing it and finding it again. `Machine` is what the rest of the host core
 * sees. *Companions* live as long as the machine is up: `docker.sock`, published ports, host folders.
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
  /** Never rejects for what the machine does: a failure is a state, with stage, cause and next step. */
  start(): Promise<MachineState>;
  /** Containers go on where the machine itself does. `force`: a machine that does not answer is ended. */
  stop(options?: StopOptions): Promise<MachineState>;
  /** To the question in the state; without an answer the start is called off. */
  answer(question: string, answer: string | undefined): void;
  /** What the app has put where the machine runs. */
  footprint(): Promise<Footprint>;
  /** Stops, and takes away what `footprint` tells. Rejects with what could not be taken away. */
  remove(what: { state: boolean }): Promise<void>;
  /** What it has said lately, by the name of a file. */
  logs(): Promise<Record<string, string>>;
  /** The engine of a running machine; throws MachineNotRunning otherwise. */
  engine(): EngineClient;
  /** For SSH connections beside the app's own, such as a terminal's. */
  endpoint(): SshEndpoint;
  /** Absent where the machine is not the app's own, such as this host itself. */
  readonly controls: MachineControls | undefined;
}

/** Of a machine that the app makes: what it may use, and what it does use. */
export interface MachineControls {
  settings(): MachineSettingsView;
  /** Throws SettingRefused for what cannot be. What is not said stays as it is. */
  change(settings: Partial<MachineSettings>): Promise<MachineSettingsView>;
  figures(): Promise<MachineFigures>;
  images(): MachineImages | undefined;
  /** Gives what the disk's file no longer needs back to this computer. The machine must run. */
  compact(signal: AbortSignal): AsyncIterable<CompactProgress>;
}

/** A setting that cannot be, and why, in words for people. */
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

/** One way to bring a machine up. */
export interface MachineBackend {
  readonly kind: MachineState['kind'];
  /** The ids of `bringUp`'s stages, in their order; `connect` and `engine` follow by themselves. */
  readonly stages: readonly string[];
  /**
   * Until the agent's SSH server can be dialled. Throws StageFailure out of the stage that failed,
   * and has then undone what it had begun.
   */
  bringUp(climb: Climb): Promise<BroughtUp>;
  /** What to tell when the agent refuses the login, which only the backend's files can explain. */
  readonly loginAdvice: string;
  controls?(reach: EngineReach): MachineControls;
  /** What it has said lately, by the name of a file. Only for diagnostics. */
  logs?(): Promise<Record<string, string>>;
  /** For one that puts something where it runs. */
  readonly installation?: Installation;
}

export interface Installation {
  footprint(climb: Pick<Climb, 'ask'>): Promise<Footprint>;
  /** Leaves nothing of ours but, unless `state` is asked for, images, containers and volumes. */
  remove(what: { state: boolean }, climb: Pick<Climb, 'ask'>): Promise<void>;
}

export interface EngineReach {
  /** Throws MachineNotRunning while there is none; a use, which wakes. */
  engine(): EngineClient;
  /** No use of the machine; undefined while it does not run or rests. */
  background(): EngineClient | undefined;
}

export interface Climb {
  /** Runs one stage, and shows it. */
  stage<T>(id: string, work: () => Promise<T>): Promise<T>;
  /** Shown with that stage until the next start, or until it is taken back with undefined. */
  note(id: string, text: string | undefined): void;
  /** Puts a question before the person; undefined when they call it off. */
  ask(question: Asked): Promise<string | undefined>;
  /** Aborted when the person calls the start off. */
  signal: AbortSignal;
}

/** A question before it has an id. */
export type Asked = MachineQuestion extends infer Q
  ? Q extends { id: string }
    ? Omit<Q, 'id'>
    : never
  : never;

export interface BroughtUp {
  /** For the app's own lasting connection. */
  endpoint: SshEndpoint;
  /** A serial line carries one connection: further ones then go through the first. */
  oneConnection?: boolean;
  /** It ended by itself; pending while it runs, and for good once it was asked to stop. */
  lost: Promise<Loss>;
  /** Only the way up sees what has ended there: a start after a lost connection takes all of it again. */
  startsOver?: boolean;
  /** Its engine has answered: what `bringUp` was not sure of is proved. */
  proved?(engine: EngineClient): Promise<void> | void;
  /** Where the machine can rest: nothing of it runs between the two. */
  rest?: { pause(background: EngineClient): Promise<void>; wake(): Promise<void> };
  /** Where a disk that cannot be written holds the machine, and does not end it. */
  hold?: DiskHold;
  /**
   * Ends what `bringUp` began; what it only found running stays. `engine` still answers, if it did
   * before, so that the machine can be asked to end by itself.
   */
  stop(options: StopOptions, engine: EngineClient | undefined): Promise<void>;
}

/** A machine that stands still until its disk can be written again. */
export interface DiskHold {
  /** Undefined while nothing holds it. */
  why(): Loss | undefined;
  onChange(listener: () => void): () => void;
  /** Lets it go on at once; it is held again when that changes nothing. */
  retry(): Promise<void>;
}

export interface Loss {
  stage: string;
  cause: string;
  nextStep: string;
}

/** Begins with the machine's first answer and is closed when the machine stops or is lost. */
export type Companion = (machine: CompanionContext) => Accompaniment;

export interface Accompaniment {
  close(): Promise<void> | void;
  /**
   * For what containers use until they have ended: called when the machine is about to be asked to end, and `close` once it
   * has. What breaks in between is not made again.
   */
  linger?(): void;
  /** A start waits for it, for a moment: whoever started the machine uses it next. Never rejects. */
  ready?: Promise<void>;
}

export interface CompanionContext {
  /** For what somebody asks of the machine: each channel, and each byte, is a use, and wakes it. */
  link: SshLink;
  /** For what the app serves the machine with, and tries again: no use. */
  services: ServiceLink;
  /** For connections beside the app's own; absent where there can be only one. To dial it is no use. */
  endpoint: SshEndpoint | undefined;
  /** The same for a connection of one's own as `link` is for the app's. */
  waking(link: SshLink): SshLink;
  engine: EngineClient;
  /** Asks without that being a use: a resting machine is not woken, and does not answer. */
  background: EngineClient;
  /** Called when the machine begins (true) and ends (false) to rest. */
  onRest(listener: (isResting: boolean) => void): () => void;
  /** What is set of the machine, now and at each change; absent where the app sets nothing. */
  settings?: { now(): MachineSettings; onChange(listener: () => void): () => void };
  /** A connection to a TCP address of the machine or of a container. */
  dialTcp(host: string, port: number): Promise<Duplex>;
  /** What went wrong in a companion harms no machine: it is only told. */
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

export function calledOff(): StageFailure {
  return new StageFailure('The start was called off.', 'Start it again when you want to.');
}

/** What stopped a stage, in words for people. */
export class StageFailure extends Error {
  readonly nextStep: string;

  constructor(message: string, nextStep: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StageFailure';
    this.nextStep = nextStep;
  }
}
