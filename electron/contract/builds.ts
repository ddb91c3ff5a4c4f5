/** Builds from a folder of this computer: the host reads the folder and sends it to a machine's engine. */

/** What to build, as a person chose it. */
export interface BuildOrder {
  /** A random UUID: the build's ref in `/corten/v1/builds`. */
  ref: string;
  /** The build context: a full path on this computer. */
  folder: string;
  /** Inside the folder, with slashes: `Dockerfile`. */
  dockerfile: string;
  /** The image's names; none: only an id. */
  names: string[];
  /** The last stage when absent. */
  target?: string;
  /** `linux/arm64`; the machine's own when absent. */
  platform?: string;
  arguments: Record<string, string>;
  secrets: BuildSecret[];
  /** Runs every step again. */
  noCache: boolean;
  /** Asks registries for newer base images. */
  pull: boolean;
}

/** For `RUN --mount=type=secret`: the content of a file of this computer, or a text. */
export type BuildSecret = { id: string } & ({ file: string } | { value: string });

/** As it is remembered, to be built again: values of secrets are not, files' paths are. */
export type BuildOrderRecord = Omit<BuildOrder, 'secrets'> & {
  secrets: { id: string; file?: string }[];
};

/** How far the sending of a folder is. */
export interface BuildSending {
  /** `building`: all of the folder has been sent. */
  state: 'sending' | 'building' | 'ended';
  files: number;
  bytes: number;
  /** Why the build could not be sent, or what the engine said in the end; absent when it went well or was cancelled. */
  failure?: string;
}

/** What is known of a folder while a person chooses: all of it is a help, and nothing of it is needed. */
export interface BuildFolder {
  /** Why it cannot be built from. */
  problem?: string;
  /** Folders whose path begins with what was typed. */
  suggestions: string[];
  /** Paths inside the folder, those at its top first. */
  dockerfiles: string[];
  /** Of the chosen Dockerfile; absent when it is not there or cannot be read. */
  contents?: DockerfileContents;
  /** What is wrong with the chosen Dockerfile, with its line. */
  dockerfileProblem?: string;
}

export interface DockerfileContents {
  /** Names of stages, in order. */
  stages: string[];
  arguments: { name: string; value?: string; description: string }[];
  /** Ids of secrets that steps ask for. */
  secrets: string[];
}
