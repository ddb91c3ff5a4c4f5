/** `scripts/bench-forward`: throughput and latency of published ports, forwarded and direct. */
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs, promisify } from 'node:util';
import {
  discardAgent,
  dockerCli,
  makeAgentDirectory,
  startAgent,
} from '../../agent/e2e/agent-process.ts';
import { createForwarding } from '../../electron/host/forwarding/forwarding.ts';
import { agentMachine } from '../../electron/host/forwarding/testdata/agent-machine.ts';
import { createMachine } from '../../electron/host/machine/lifecycle.ts';

const run = promisify(execFile);
const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const runs = Number(values.runs);
const ports = { tcp: 7001, udp: 7002, direct: 7101, directUdp: 7102 };
const server = join(import.meta.dirname, 'forward-server.ts');
const client = join(import.meta.dirname, 'forward-client.ts');

const agent = await startAgent(
  makeAgentDirectory(),
  ['--host-address', '10.0.2.2'],
  ['unshare', '--net'],
);
const directory = mkdtempSync(join(tmpdir(), 'corten-bench-forward-'));
const forwarding = createForwarding({
  apiSocketPath: join(directory, 'docker.sock'),
  contextName: 'corten',
  isGuest: true,
  environment: { DOCKER_CONFIG: directory },
});
const machine = createMachine({
  backend: agentMachine(agent),
  companions: forwarding.companion ? [forwarding.companion] : [],
  report: (what, error) => console.error(`${what}: ${error}`),
});

try {
  await machine.start();
  const docker = dockerCli(agent.socket);
  const id = await docker.output(
    ...['run', '-d', '-p', `127.0.0.1:${ports.tcp}:7`, '-p', `127.0.0.1:${ports.udp}:7/udp`],
    ...['corten/starter', 'sleep', '100000'],
  );
  const pid = await docker.output('inspect', '-f', '{{.State.Pid}}', id);
  const inContainer = await serve(['nsenter', `--net=/proc/${pid}/ns/net`], '0.0.0.0', 7, 7);
  const here = await serve([], '127.0.0.1', ports.direct, ports.directUdp);
  for (const [what, unit] of Object.entries({
    down: 'MiB/s from the container',
    up: 'MiB/s to the container',
    connect: 'ms to connect and hear one byte, median',
    connect99: 'ms to connect and hear one byte, 99th of 100',
    echo: 'ms for one byte there and back, median',
    thousand: 'ms for 1000 connections at once, all answered',
    udp: 'ms for a datagram there and back, median',
  })) {
    const [direct, forwarded]: [number[], number[]] = [[], []];
    for (let round = 0; round < runs; round += 1) {
      direct.push(await measure(what, ports.direct, ports.directUdp));
      forwarded.push(await measure(what, ports.tcp, ports.udp));
    }
    console.log(
      `${what.padEnd(10)} direct ${median(direct).toFixed(2)}, forwarded ${median(forwarded).toFixed(2)} ${unit}`,
    );
  }
  inContainer.kill();
  here.kill();
} finally {
  await machine.stop();
  await discardAgent(agent);
  rmSync(directory, { recursive: true });
}

/** Each client is its own process, so that its work does not delay the forwarding in this one. */
async function measure(what: string, tcp: number, udp: number): Promise<number> {
  const { stdout } = await run(process.execPath, [client, what, String(tcp), String(udp)]);
  return Number(stdout);
}

async function serve(launcher: string[], host: string, tcp: number, udp: number) {
  const [program = '', ...words] = [...launcher, process.execPath, server];
  const child = spawn(program, [...words, host, String(tcp), String(udp)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((ready) => createInterface(child.stdout).once('line', ready));
  return child;
}

function median(numbers: number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? 0;
}
