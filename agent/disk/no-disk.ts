/**
 * Driver for machines that cannot limit disk space: containers run without a limit, and requesting one throws the
 * reason.
 */
import type { Lack } from '../contract/abilities.ts';
import type { DiskLimits, SpaceUsage } from '../contract/limits.ts';
import { CortenError } from '../errors.ts';
import type { DiskDriver, MakeSpace, OpenSpace } from './disk.ts';

export class NoDisk implements DiskDriver {
  readonly kind = 'none';
  readonly freeOfCost = false;
  readonly lack: Lack;

  constructor(lack: Lack) {
    this.lack = lack;
  }

  async prepare(_limits: DiskLimits): Promise<MakeSpace> {
    throw this.#refusal();
  }

  open(): OpenSpace {
    throw this.#refusal();
  }

  attach(): void {
    throw this.#refusal();
  }

  detach(): void {}

  check(): void {
    throw this.#refusal();
  }

  update(): void {
    throw this.#refusal();
  }

  usage(): SpaceUsage {
    throw this.#refusal();
  }

  async remove(): Promise<void> {}

  close(): void {}

  #refusal(): CortenError {
    return new CortenError(
      'unavailable',
      `disk limits are not possible on this machine. ${this.lack.cause} ${this.lack.nextStep}`,
    );
  }
}
