/** Error of a layer whose content cannot be unpacked. */
import { CortenError } from '../errors.ts';

/** Contains the problem and the entry of the archive; `name` is bytes, one character each. */
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
