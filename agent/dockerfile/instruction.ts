/** What instructions say, before any variable has a value. */
import type { ImageConfig } from '../contract/image.ts';
import type { Pair } from './arguments.ts';
import type { Heredoc } from './heredoc.ts';
import type { ParsedInstruction } from './parser.ts';

export type HealthCheck = NonNullable<ImageConfig['Healthcheck']>;

/** RUN's, CMD's and ENTRYPOINT's: a list that is executed as it is, or a line for the shell. */
export interface Command {
  args: string[];
  isForShell: boolean;
  heredocs: Heredoc[];
}

export interface Argument {
  name: string;
  value: string | undefined;
  /** From the comment `# name description` above. */
  description: string;
}

/** A file whose content stands in the Dockerfile. */
export interface InlineFile {
  name: string;
  content: string;
  expands: boolean;
}

interface Transfer {
  paths: string[];
  files: InlineFile[];
  destination: string;
  chown: string;
  chmod: string;
  isLinked: boolean;
  exclude: string[];
}

export interface Copy extends Transfer {
  kind: 'copy';
  /** A stage's name or index, a named context, or an image; empty for the build context. */
  from: string;
  withParents: boolean;
}

export interface Add extends Transfer {
  kind: 'add';
  keepsGitDirectory: boolean | undefined;
  checksum: string;
  /** Undefined: archives from the context are unpacked, downloaded ones are not. */
  unpacks: boolean | undefined;
}

export interface Run {
  kind: 'run';
  command: Command;
  /** As written; see mount-options.ts. */
  mounts: string[];
  network: 'default' | 'none' | 'host';
  security: 'sandbox' | 'insecure';
}

export interface From {
  kind: 'from';
  base: string;
  /** In lower case; empty for a stage without a name. */
  stageName: string;
  platform: string;
  description: string;
}

export type Meaning =
  | From
  | Run
  | Copy
  | Add
  | { kind: 'arg'; args: Argument[] }
  | { kind: 'env'; pairs: Pair[] }
  | { kind: 'label'; pairs: Pair[] }
  | { kind: 'cmd'; command: Command }
  | { kind: 'entrypoint'; command: Command }
  | { kind: 'workdir'; path: string }
  | { kind: 'user'; user: string }
  | { kind: 'expose'; ports: string[] }
  | { kind: 'volume'; paths: string[] }
  | { kind: 'stopsignal'; signal: string }
  | { kind: 'maintainer'; maintainer: string }
  | { kind: 'shell'; shell: string[] }
  | { kind: 'healthcheck'; check: HealthCheck }
  | { kind: 'onbuild'; trigger: string };

export type Instruction = Meaning & { source: ParsedInstruction };

export type InstructionOf<Kind extends Meaning['kind']> = Extract<Meaning, { kind: Kind }> & {
  source: ParsedInstruction;
};
