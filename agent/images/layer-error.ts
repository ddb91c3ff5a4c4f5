/** A layer that cannot be unpacked because of what it holds. */
import { CortenError } from '../errors.ts';

/** Names what is wrong and where in the archive; `name` is bytes, one character each. */
export class LayerError extends CortenError {
  constructor(problem: string, name?: string, cause?: unknown) {
    const where =
      name === undefined
        ? ''
        : `: ${JSON.stringify(Buffer.from(name.slice(0, 200), 'latin1').toString('utf8'))}`;
    super('invalid', `${problem}${where}`, { cause });
    this.name = 'LayerError';
  }
}
