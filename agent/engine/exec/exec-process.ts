/** The OCI process of an exec, from the request and the container's settings. */
import type { OciProcess, OciSeccomp } from '../../contract/oci-runtime.ts';
import { readTextInRoot, withFd } from '../../kernel/files.ts';
import type { ProcessHandle } from '../../runtime/runtime.ts';
import type { RunningContainer } from '../containers/running-containers.ts';
import { openRootOfProcess } from '../files/container-root.ts';
import { hostnameOf } from '../networks/network-files.ts';
import { processOfExec, seccompOf } from '../spec/process.ts';
import { resolveUser } from '../spec/user.ts';
import type { ContainerRecord } from '../state/container-record.ts';

export interface ExecOptions {
  command: string[];
  env: string[];
  workingDirectory?: string;
  user?: string;
  privileged: boolean;
  terminal: boolean;
  size?: { rows: number; columns: number };
}

export function execProcess(
  record: ContainerRecord,
  live: Pick<RunningContainer, 'process'>,
  options: ExecOptions,
): { process: OciProcess; seccomp: OciSeccomp | undefined } {
  const { settings, process } = record;
  const { command, env, terminal, privileged, workingDirectory, size } = options;
  const built = processOfExec({
    settings,
    process,
    hostname: hostnameOf(record),
    user: resolveUser(
      options.user || process.user,
      userFilesOf(live.process),
      settings.extraGroups,
    ),
    exec: {
      args: command,
      env,
      terminal,
      privileged,
      ...(workingDirectory && { workingDirectory }),
    },
  });
  return {
    process:
      size === undefined
        ? built
        : { ...built, consoleSize: { height: size.rows, width: size.columns } },
    seccomp: privileged ? undefined : seccompOf(settings),
  };
}

/** passwd and group as they are now, because users may have been added since the start. */
function userFilesOf(process: ProcessHandle): { passwd: string; group: string } {
  return withFd(openRootOfProcess(process), (root) => ({
    passwd: readTextInRoot(root, 'etc/passwd') ?? '',
    group: readTextInRoot(root, 'etc/group') ?? '',
  }));
}
