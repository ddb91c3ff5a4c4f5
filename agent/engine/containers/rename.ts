import { conflict, invalid } from '../../errors.ts';
import type { EngineContext } from '../context.ts';
import { emitContainerEvent } from '../emit-events.ts';
import { checkedName } from '../names.ts';

export async function renameContainer(
  context: EngineContext,
  reference: string,
  newName: string,
): Promise<void> {
  const { id } = context.containers.find(reference);
  if (newName === '') throw invalid('Neither old nor new names may be empty');
  const name = checkedName(newName);
  await context.locks.run(id, () => {
    const before = context.containers.require(id);
    if (before.name === name)
      throw conflict('Renaming a container with the same name as its current name');
    const after = context.containers.setDefinition(id, { name });
    context.network.rename(id, before.name, name);
    emitContainerEvent(context.events, after, 'rename', { oldName: `/${before.name}` });
  });
}
