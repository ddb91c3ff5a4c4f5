/** What the host and the renderer say about machines: which there are, and what each is asked. */

export type MachineKind = 'native' | 'qemu' | 'wsl2' | 'apple' | 'remote';

/** A request that is for one machine. */
export type OnMachine<T> = T & { machine: string };

/** A machine as it is written down. */
export interface MachineEntry {
  /** Short, and never given again: links carry it. */
  id: string;
  name: string;
  kind: MachineKind;
  /** Only of kind `remote`. */
  remote?: RemoteAddress;
  /** Only of kind `remote`; absent while nobody has chosen. */
  choices?: RemoteChoices;
  /** It was up when the app was closed. */
  startsWithApp?: boolean;
}

/** What a remote machine and this computer have of each other (docs/decisions/0017). */
export interface RemoteChoices {
  /** Ports that it publishes are on this computer's loopback, too. */
  portsHere: boolean;
  /** It has the shared folders of this computer, at paths of their own. */
  foldersThere: boolean;
}

export const defaultChoices: RemoteChoices = { portsHere: true, foldersThere: false };

/** As people write it after `ssh`: what is not said comes from `~/.ssh/config`, or is ssh's default. */
export interface RemoteAddress {
  host: string;
  port?: number;
  user?: string;
  /** A private key to try first. */
  keyFile?: string;
}

/** The stages a machine goes through until its engine answers, for a start that explains itself. */
export interface MachineState {
  /** A `paused` machine's CPUs stand still until the next use, which resumes it. */
  status: 'stopped' | 'starting' | 'running' | 'paused' | 'failed';
  kind: MachineKind;
  stages: MachineStage[];
  /** What the machine waits to be told. */
  question?: MachineQuestion;
  /** Only when failed: what broke, why, and what to do; `lost` when it had been running. */
  failure?: { stage: string; cause: string; nextStep: string; lost?: true };
}

export interface MachineStage {
  /** Message key suffix, such as `agent`, `connect`, `engine`. */
  id: string;
  status: 'waiting' | 'running' | 'done' | 'failed';
  elapsedMs?: number;
  /** What else is worth knowing of it, such as that the machine runs without acceleration. */
  note?: string;
}

export interface MachineView extends MachineEntry {
  state: MachineState;
  /** This computer's own engine is always there. */
  removable: boolean;
  /** Where it has this computer's folders, when it is not at the same paths. */
  foldersAt?: string;
}

export interface Machines {
  machines: MachineView[];
  /** Kinds that can be added here. */
  kinds: MachineKind[];
  /** What people should know, such as that the file of machines was broken and kept aside. */
  notices: string[];
}

/** What a start waits to be told. A new question has a new id. */
export type MachineQuestion = { id: string } & (
  | { kind: 'host-key'; host: string; keyType: string; fingerprint: string }
  | { kind: 'password'; user: string; host: string; wrong: boolean }
  | { kind: 'passphrase'; keyFile: string; wrong: boolean }
  /** Of the user who logged in, to become root there. */
  | { kind: 'sudo'; user: string; host: string; wrong: boolean }
  /** A server's own words, such as for a one-time code. */
  | { kind: 'prompt'; prompt: string; host: string; echo: boolean }
);

/** What the app has put on a machine, and what would go with it. */
export interface Footprint {
  items: FootprintItem[];
  runningContainers: number;
}

export interface FootprintItem {
  /** `program` always goes; `state` (images, containers, volumes) only when it is asked for. */
  part: 'program' | 'state';
  path: string;
  sizeBytes?: number;
}

export interface Removal {
  /** Images, containers and volumes go too. Else they stay for a later engine. */
  state: boolean;
  /** Only take it off the list: what is on the machine stays. For one that is not reachable any more. */
  forgetOnly?: boolean;
}

export interface DiagnosticsFile {
  name: string;
  sizeBytes: number;
  /** What had to be left out, and why; or that something was cut. */
  note?: string;
}
