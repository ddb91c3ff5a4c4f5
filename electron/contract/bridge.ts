/**
 * What the renderer may ask of its host, and the only way it may ask. Two adapters carry it: Electron
 * IPC (electron/preload.ts) and a WebSocket (electron/browser-shell.ts). Channel names map to
 * signatures here; nothing else crosses.
 */
import type { BuildFolder, BuildOrder, BuildOrderRecord, BuildSending } from './builds.ts';
import type { SharedFolder, SharedFolders } from './folders.ts';
import type { DockerContextState, ForwardedPort } from './forward.ts';
import type {
  CompactProgress,
  MachineChange,
  MachineFigures,
  MachineSettings,
  MachineSettingsView,
} from './machine.ts';
import type {
  DiagnosticsFile,
  Footprint,
  MachineEntry,
  MachineState,
  Machines,
  OnMachine,
  RemoteAddress,
  RemoteChoices,
  Removal,
} from './machines.ts';

/** One HTTP request to a machine's engine (Docker Engine API or `/corten/v1`). */
export interface EngineRequest {
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  /** Path and query, without a version: `/containers/json?all=1`. */
  path: string;
  headers?: Record<string, string>;
  /** A JSON text, or bytes. */
  body?: string | Uint8Array;
}

export interface EngineResponse {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

export interface ShellFacts {
  shell: 'electron' | 'browser';
  platform: 'linux' | 'darwin' | 'win32';
  version: string;
}

export interface TerminalRequest {
  /** Container name or id; a shell inside it is opened over SSH with a pty. */
  container: string;
  rows: number;
  columns: number;
  /** `xterm-256color`. */
  term: string;
}

/** Question and answer. */
export interface RequestChannels {
  'engine.request': (request: OnMachine<EngineRequest>) => EngineResponse;
  'machine.state': (request: OnMachine<object>) => MachineState;
  'machine.start': (request: OnMachine<object>) => MachineState;
  'machine.stop': (request: OnMachine<{ force?: boolean }>) => MachineState;
  /** To a question that a start asks; `undefined` calls the start off. */
  'machine.answer': (request: OnMachine<{ question: string; answer?: string }>) => void;
  'machine.rename': (request: OnMachine<{ name: string }>) => void;
  /** Only of a remote machine; one that is connected is disconnected for that. */
  'machine.moveTo': (request: OnMachine<{ address: RemoteAddress }>) => void;
  'machine.footprint': (request: OnMachine<object>) => Footprint;
  'machine.remove': (request: OnMachine<Removal>) => void;
  /** Undefined where the app sets nothing: this computer's own engine, another computer. */
  'machine.settings': (request: OnMachine<object>) => MachineSettingsView | undefined;
  /** Refused with the reason; what is not said stays as it is. */
  'machine.change': (request: OnMachine<{ settings: Partial<MachineSettings> }>) => MachineChange;
  /** In force at once. What is not said stays as it is. Only of a remote machine. */
  'machine.choose': (request: OnMachine<{ choices: Partial<RemoteChoices> }>) => void;
  /** What to send to who helps, without secrets: what is in it, and a tar.gz of just that. */
  'machine.diagnostics': (request: OnMachine<object>) => {
    files: DiagnosticsFile[];
    body: Uint8Array;
  };
  /** Writes the machine down; it is started by itself. */
  'machines.add': (machine: Omit<MachineEntry, 'id'>) => MachineEntry;
  /** The docker CLI's context for the machine. */
  'context.state': (request: OnMachine<object>) => DockerContextState;
  /** `use`: also what a bare `docker` asks, until the context is removed. */
  'context.setUp': (request: OnMachine<{ use: boolean }>) => DockerContextState;
  'context.remove': (request: OnMachine<object>) => DockerContextState;
  /** Refused with cause and next step, such as for a folder that is shared already. */
  'folders.add': (folder: SharedFolder) => void;
  'folders.remove': (folder: { path: string }) => void;
  /** Begins to send the folder; how it goes on is told by `build.watch`. Refused with cause and next step. */
  'build.start': (request: OnMachine<{ order: BuildOrder }>) => void;
  /** Of a build that this app has started, while it runs. */
  'build.cancel': (build: { ref: string }) => void;
  /** What this app was asked to build on the machine, the newest first. */
  'build.orders': (request: OnMachine<object>) => BuildOrderRecord[];
  'build.folder': (request: { folder: string; dockerfile?: string }) => BuildFolder;
  'shell.facts': () => ShellFacts;
  /** The system's own dialog; undefined when the person chose none. Only in the app's window. */
  'shell.chooseFolder': () => string | undefined;
  /** Opens an http(s) address in the person's own browser; any other scheme is refused. */
  'shell.open': (url: string) => void;
}

/** One question, many answers until either side ends. */
export interface StreamChannels {
  /** The response's head first, then its body as it arrives, with back pressure to the engine. */
  'engine.stream': {
    request: OnMachine<EngineRequest>;
    item: { head: Omit<EngineResponse, 'body'> } | { data: Uint8Array };
  };
  /** All machines and their states now, then again at each change. */
  'machines.watch': { request: null; item: Machines };
  /** The shared folders now, then again at each change. */
  'folders.watch': { request: null; item: SharedFolders };
  /** Until the build has ended; one that this app does not know has ended. */
  'build.watch': { request: { ref: string }; item: BuildSending };
  /** Published ports on this computer, where they are not the kernel's own: now, then each change. */
  'ports.watch': { request: OnMachine<object>; item: ForwardedPort[] };
  /** What the machine takes of this computer, now and then every few seconds. It resumes no paused machine. */
  'machine.figures': { request: OnMachine<object>; item: MachineFigures };
  /** Until it is done. A side that no longer listens ends only the telling where the kernel trims. */
  'machine.compact': { request: OnMachine<object>; item: CompactProgress };
}

/** Both ways until either side ends. */
export interface DuplexChannels {
  'terminal.open': {
    request: OnMachine<TerminalRequest>;
    toHost:
      | { data: Uint8Array }
      | { resize: { rows: number; columns: number } }
      /** Bytes that the screen has drawn since the last ack: the flow control's window. */
      | { ack: number };
    toRenderer: { data: Uint8Array } | { exit: { code: number | undefined; signal?: string } };
  };
}

/** An error as it crosses: the sentence for people, and a name for code. */
export interface BridgeError {
  name: string;
  message: string;
}

/** What the renderer holds, whichever adapter carries it. */
export interface Bridge {
  request<C extends keyof RequestChannels>(
    channel: C,
    ...args: Parameters<RequestChannels[C]>
  ): Promise<ReturnType<RequestChannels[C]>>;
  stream<C extends keyof StreamChannels>(
    channel: C,
    request: StreamChannels[C]['request'],
    signal?: AbortSignal,
  ): AsyncIterable<StreamChannels[C]['item']>;
  duplex<C extends keyof DuplexChannels>(
    channel: C,
    request: DuplexChannels[C]['request'],
    onMessage: (message: DuplexChannels[C]['toRenderer']) => void,
    /** Once, after the last message: with the failure, or with nothing when the host ended it. */
    onEnd?: (error?: BridgeError) => void,
  ): Promise<{ send(message: DuplexChannels[C]['toHost']): void; close(): void }>;
  /** Whether the host can be reached; calls back at once and on each change. */
  onConnection(listener: (connected: boolean) => void): () => void;
}
