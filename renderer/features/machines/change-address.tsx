import { type FormEvent, useState } from 'react';
import type { MachineView } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { moveTo } from '../../stores/machines.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Notice } from '../../ui/page.tsx';
import { addressOf, formOf, problemsOf } from './address.ts';
import { AddressFields } from './address-fields.tsx';
import './machines.css';

/** The computer has moved, or another user should log in: the machine, and what is said of it here, stay. */
export function ChangeAddress({ machine, onClose }: { machine: MachineView; onClose: () => void }) {
  const t = useText();
  const [address, setAddress] = useState(() => formOf(machine.remote));
  const [tried, setTried] = useState(false);
  const [refusal, setRefusal] = useState<string>();
  const { status } = machine.state;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problemsOf(address)).length > 0) return;
    const reason = await moveTo(machine, addressOf(address));
    setRefusal(reason);
    if (reason === undefined) onClose();
  };
  return (
    <Dialog title={t('move.title', { name: machine.name })} open onClose={onClose}>
      <form className="machine-form" onSubmit={(event) => void submit(event)} noValidate>
        <AddressFields address={address} onChange={setAddress} showsProblems={tried} />
        <p className="muted">{t(status === 'running' ? 'move.whatRunning' : 'move.what')}</p>
        {refusal ? <Notice>{refusal}</Notice> : null}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" type="submit">
            {t(status === 'stopped' ? 'move.submit' : 'move.submitConnect')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
