/** Declares what the exec routes need of the engine. */
import type { Attachment } from '../containers/backend.ts';

export interface ExecBackend {
  create(container: string, settings: ExecSettings): Promise<string>;
  /** Starts the exec; with `detach` its output is dropped. The exit code is set before the output ends. */
  start(
    id: string,
    options: { detach: boolean; size?: { rows: number; columns: number } },
  ): Promise<Attachment | undefined>;
  inspect(id: string): ExecView;
  /** IDs of the container's execs that have not ended. */
  idsOf(containerId: string): string[];
  resize(id: string, rows: number, columns: number): Promise<void>;
}

export interface ExecSettings {
  command: string[];
  env: string[];
  workingDirectory?: string;
  user?: string;
  privileged: boolean;
  terminal: boolean;
  stdin: boolean;
  stdout: boolean;
  stderr: boolean;
  detachKeys?: string;
}

export interface ExecView {
  id: string;
  containerId: string;
  settings: ExecSettings;
  running: boolean;
  exitCode: number | undefined;
  pid: number;
}
