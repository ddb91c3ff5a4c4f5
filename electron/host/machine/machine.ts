/** Something that runs the agent: this Linux host itself, or a virtual machine. */
import type { MachineState } from '../../contract/bridge.ts';
import type { EngineClient } from '../engine-client.ts';
import type { SshEndpoint } from '../ssh/endpoint.ts';

export interface Machine {
  state(): MachineState;
  /** The state now, then each new one, until the signal aborts. */
  watch(signal: AbortSignal): AsyncIterable<MachineState>;
  /** Never rejects for what the machine does: a failure is a state, with stage, cause and next step. */
  start(): Promise<MachineState>;
  /** Containers go on where the machine itself does. */
  stop(): Promise<MachineState>;
  /** The engine of a running machine; throws MachineNotRunning otherwise. */
  engine(): EngineClient;
  endpoint(): SshEndpoint;
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

/** What stopped a stage, in words for people. */
export class StageFailure extends Error {
  readonly nextStep: string;

  constructor(message: string, nextStep: string, options?: { cause?: unknown }) {
    super(message, options);
    this.name = 'StageFailure';
    this.nextStep = nextStep;
  }
}
