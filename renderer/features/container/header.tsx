import { type FormEvent, useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import { command, mayAsk, remove, rename, rowCommands } from '../../stores/container-actions.ts';
import type { ContainerRow } from '../../stores/container-row.ts';
import { useContainers } from '../../stores/containers.ts';
import { messageOf } from '../../stores/sentence.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/field.tsx';
import { StatusMark } from '../../ui/status-mark.tsx';

/** Name, state and what may be done now. */
export function Header({ row }: { row: ContainerRow }) {
  const t = useText();
  const pending = useContainers((state) => state.pending.get(row.id));
  const [renaming, setRenaming] = useState(false);
  const failed = row.status === 'exited' && row.exitCode !== undefined && row.exitCode !== 0;
  const word = pending
    ? t(`pending.${pending}`)
    : failed
      ? t('status.exitedWith', { code: row.exitCode })
      : t(`status.${row.status}`);
  return (
    <header className="page-head container-head">
      <h1 className="truncate">{row.name}</h1>
      <IconButton icon="rename" label={t('verb.rename')} onClick={() => setRenaming(true)} />
      <span role="status">
        <StatusMark status={row.status} word={word} bad={failed} pending={pending !== undefined} />
      </span>
      <span className="muted truncate">{row.image}</span>
      <div className="container-commands">
        {rowCommands
          .filter((verb) => mayAsk(row, verb))
          .map((verb) => (
            <Button
              key={verb}
              icon={verb}
              disabled={pending !== undefined}
              onClick={() => void command([row.id], verb)}
            >
              {t(`verb.${verb}`)}
            </Button>
          ))}
        <Button
          kind="danger"
          icon="remove"
          disabled={!mayAsk(row, 'remove', pending)}
          onClick={() => void remove([row.id])}
        >
          {t('verb.remove')}
        </Button>
      </div>
      {renaming ? <RenameDialog row={row} onClose={() => setRenaming(false)} /> : null}
    </header>
  );
}

function RenameDialog({ row, onClose }: { row: ContainerRow; onClose: () => void }) {
  const t = useText();
  const [name, setName] = useState(row.name);
  const [error, setError] = useState<string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    if (name === row.name) return onClose();
    try {
      await rename(row, name);
      onClose();
    } catch (refusal) {
      setError(messageOf(refusal));
    }
  };
  return (
    <Dialog title={t('rename.title', { name: row.name })} open onClose={onClose}>
      <form onSubmit={(event) => void submit(event)}>
        <TextField
          label={t('rename.label')}
          value={name}
          error={error}
          onChange={(next) => {
            setName(next);
            setError(undefined);
          }}
        />
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" type="submit" disabled={name.trim() === ''}>
            {t('verb.rename')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
