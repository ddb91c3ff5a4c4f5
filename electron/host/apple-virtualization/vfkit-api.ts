/**
 * vfkit's control service on a unix socket
 * (https://github.com/crc-org/vfkit/blob/main/doc/usage.md#restful-api). It answers before the
 * machine runs, until the process ends.
 */
import { request } from 'node:http';

/** The names of VZVirtualMachine.State without vfkit's prefix. */
export type VmState =
  | 'Stopped'
  | 'Running'
  | 'Paused'
  | 'Error'
  | 'Starting'
  | 'Pausing'
  | 'Resuming'
  | 'Stopping'
  | 'Saving'
  | 'Restoring';

/** `Stop` presses the guest's power button; `HardStop` ends it at once. */
export type StateChange = 'Pause' | 'Resume' | 'Stop' | 'HardStop';

export interface VfkitControl {
  state(): Promise<VmState>;
  /** Rejects with vfkit's message when the change is impossible in the machine's state. */
  change(to: StateChange): Promise<void>;
}

const answerTimeoutMs = 30_000;

export function vfkitControl(socketPath: string): VfkitControl {
  return {
    async state() {
      const { state } = JSON.parse(await ask(socketPath, 'GET')) as { state: string };
      return state.replace('VirtualMachineState', '') as VmState;
    },
    async change(to) {
      await ask(socketPath, 'POST', JSON.stringify({ state: to }));
    },
  };
}

function ask(socketPath: string, method: 'GET' | 'POST', body = ''): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        socketPath,
        method,
        path: '/vm/state',
        agent: false,
        timeout: answerTimeoutMs,
        headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) },
      },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece: Buffer) => pieces.push(piece));
        response.once('error', reject);
        response.once('end', () => {
          const text = Buffer.concat(pieces).toString('utf8');
          if ((response.statusCode ?? 500) < 300) resolve(text);
          else reject(new Error(`vfkit refused: ${errorIn(text)}`));
        });
      },
    );
    asked.once('timeout', () => asked.destroy(new Error('vfkit did not answer in time')));
    asked.once('error', reject);
    asked.end(body);
  });
}

function errorIn(text: string): string {
  try {
    return (JSON.parse(text) as { error?: string }).error ?? text;
  } catch {
    return text;
  }
}
