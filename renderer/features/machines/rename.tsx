import { type FormEvent, useState } from 'react';
import type { MachineView } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { rename } from '../../stores/machines.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/field.tsx';
import './machines.css';

export function RenameMachine({ machine, onClose }: { machine: MachineView; onClose: () => void }) {
  const t = useText();
  const [name, setName] = useState(machine.name);
  const [problem, setProblem] = useState<string>();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const refusal = await rename(machine.id, name);
    setProblem(refusal);
    if (refusal === undefined) onClose();
  };
  return (
    <Dialog title={t('rename.machineTitle', { name: machine.name })} open onClose={onClose}>
      <form className="machine-form" onSubmit={(event) => void submit(event)}>
        <TextField
          label={t('add.name')}
          value={name}
          onChange={setName}
          error={problem}
          autoFocus
        />
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" type="submit">
            {t('rename.machineSubmit')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
