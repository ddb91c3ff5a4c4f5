/** Runs the agent as a service of the host: by systemd, or by a supervising shell where systemd does not run. */
import { StageFailure } from '../machine/machine.ts';
import { noteWhenSlow, type SlowOptions } from '../machine/stage-timeout.ts';
import {
  apiSocket,
  logFile,
  programDirectory,
  runDirectory,
  sshSocket,
  stateDirectory,
  unitName,
  unitPath,
} from './paths.ts';
import { quoted, type RemoteShell } from './remote-shell.ts';

const current = `${programDirectory}/current`;
const supervisorPid = `${runDirectory}/supervisor.pid`;
/** How often the engine was restarted after it ended by itself. */
const endsFile = `${runDirectory}/supervisor.ends`;
export const agentWords = `--root ${stateDirectory} --run ${runDirectory}`;

/** With `KillMode=process` containers run on when the agent is stopped (systemd.kill(5)). */
export const unit = `# Made by Corten, and removed with it.
[Unit]
Description=Corten container engine
After=network-online.target
Wants=network-online.target

[Service]
ExecStart=${current}/bin/corten-agent ${agentWords}
KillMode=process
Delegate=yes
Restart=on-failure
RestartSec=2
TasksMax=infinity
LimitNOFILE=1048576
OOMScoreAdjust=-500

[Install]
WantedBy=multi-user.target
`;

const startUnit = `
set -e
printf '%s' ${quoted(unit)} >${unitPath}.new
mv -f ${unitPath}.new ${unitPath}
systemctl daemon-reload
systemctl enable ${unitName}
systemctl restart ${unitName}
`;

/** A supervisor for hosts without systemd: it restarts the agent until it is told to stop. */
const startProcess = `
set -e
mkdir -p -m 711 ${runDirectory}
${stopProcessLines()}
(
  umask 077
  exec setsid ${current}/bin/corten-supervise ${agentWords} </dev/null >${logFile} 2>&1
) &
`;

function stopProcessLines(): string {
  return `pid=$(cat ${supervisorPid} 2>/dev/null || :)
if [ -n "$pid" ] && grep -qs corten-supervise "/proc/$pid/cmdline"; then
  kill -TERM "$pid"
  tries=0
  while [ -d "/proc/$pid" ] && [ $tries -lt 150 ]; do sleep 0.1; tries=$((tries + 1)); done
fi
rm -f ${supervisorPid} ${endsFile}`;
}

const isRunning = `
if [ -d /run/systemd/system ]; then systemctl is-active --quiet ${unitName}
else
  pid=$(cat ${supervisorPid} 2>/dev/null) && grep -qs corten-supervise "/proc/$pid/cmdline"
fi
`;

const stopScript = `
if [ -e ${unitPath} ] && [ -d /run/systemd/system ]; then
  systemctl disable --now ${unitName}
else
  ${stopProcessLines()}
fi
`;

/** `$1` is the number of lines. */
const lastLines = `
if [ -d /run/systemd/system ]; then journalctl -u ${unitName} -n "$1" --no-pager -o cat
else tail -n "$1" ${logFile}; fi
`;

const countEnds = `
count_ends() {
  if [ -d /run/systemd/system ]; then ended=$(systemctl show -p NRestarts --value ${unitName})
  else ended=$(cat ${endsFile} 2>/dev/null); fi
  ended=\${ended:-0}
}
`;

/**
 * `$1`: how often it had ended before, as far as that is known. One that ends twice meanwhile will not
 * stay the third time.
 */
const waitScript = `
${countEnds}
count_ends
before=\${1:-$ended}
slices=0
while [ $slices -lt 30 ]; do
  ${current}/bin/corten-host wait ${sshSocket} 2 && exit 0
  count_ends
  [ $((ended - before)) -lt 2 ] || exit 1
  slices=$((slices + 1))
done
exit 1
`;

export async function isServiceRunning(shell: RemoteShell): Promise<boolean> {
  return (await shell.runAsRoot(isRunning)).code === 0;
}

/** Starts or restarts the agent. Rejects with StageFailure, with the agent's last output. */
export async function startService(
  shell: RemoteShell,
  host: string,
  { hasSystemd }: { hasSystemd: boolean },
): Promise<void> {
  const started = await shell.runAsRoot(hasSystemd ? startUnit : startProcess);
  if (started.code !== 0)
    throw new StageFailure(
      `The engine could not be started on ${host}: ${started.err || started.out || `status ${started.code}`}`,
      hasSystemd ? `Look at "systemctl status ${unitName}" there.` : `Look at ${logFile} there.`,
    );
  await waitForAgent(shell, host, { hasSystemd }, '0');
}

/** A running engine answers within this time. */
const saySoAfterMs = 1_000;

/** True while the agent runs, or its supervisor is about to restart it. */
export function returnOfAgent(
  shell: RemoteShell,
  host: string,
  facts: { hasSystemd: boolean },
  note: SlowOptions['note'],
): Promise<void> {
  return noteWhenSlow(waitForAgent(shell, host, facts), {
    note,
    text: `The engine on ${host} does not answer. It is being restarted; the app is still waiting.`,
    slowAfterMs: saySoAfterMs,
  });
}

async function waitForAgent(
  shell: RemoteShell,
  host: string,
  { hasSystemd }: { hasSystemd: boolean },
  ...endsBefore: string[]
): Promise<void> {
  const { code, err } = await shell.runAsRoot(waitScript, ...endsBefore);
  if (code === 0) return;
  const said = await shell.runAsRoot(lastLines, '5');
  throw new StageFailure(
    `The engine did not start on ${host}: ${said.out || said.err || err}`,
    hasSystemd
      ? `Look at "journalctl -u ${unitName}" there; connect again to try once more.`
      : `Look at ${logFile} there; connect again to try once more.`,
  );
}

export async function logOf(shell: RemoteShell): Promise<string> {
  const { out, err } = await shell.runAsRoot(lastLines, '2000');
  return out || err;
}

export async function stopService(shell: RemoteShell): Promise<void> {
  const { code, out, err } = await shell.runAsRoot(stopScript);
  if (code !== 0) throw new Error(`The engine could not be stopped: ${err || out}`);
}

/** The program of agent/remote-host, which is installed with the engine. */
export function helper(shell: RemoteShell, ...words: string[]) {
  return shell.runAsRoot(`exec ${current}/bin/corten-host "$@"`, ...words);
}

export const bridgeCommand = `${current}/bin/corten-host bridge ${sshSocket}`;

export { apiSocket };
