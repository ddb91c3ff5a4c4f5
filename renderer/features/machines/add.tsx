import { type FormEvent, useState } from 'react';
import { useLocation } from 'wouter';
import type { MachineKind } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { addAndStart, useMachines } from '../../stores/machines.ts';
import { messageOf } from '../../stores/sentence.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/field.tsx';
import { Notice } from '../../ui/page.tsx';
import { Select } from '../../ui/select.tsx';
import { addressOf, emptyAddress, problemsOf } from './address.ts';
import { AddressFields } from './address-fields.tsx';
import './machines.css';

/** One click away from a machine that starts: what it goes through is shown where it will be used. */
export function AddMachine({ onClose }: { onClose: () => void }) {
  const t = useText();
  const [, navigate] = useLocation();
  const kinds = useMachines((state) => state.kinds);
  const [kind, setKind] = useState<MachineKind>(kinds[0] ?? 'remote');
  const [name, setName] = useState('');
  const [address, setAddress] = useState(emptyAddress);
  const [tried, setTried] = useState(false);
  const [failure, setFailure] = useState<string>();
  const isRemote = kind === 'remote';
  const { host } = addressOf(address);
  const usedName = name.trim() || (isRemote ? host : '');
  const problems = isRemote ? problemsOf(address) : {};

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length > 0 || usedName === '') return;
    try {
      const { id } = await addAndStart({
        name: usedName,
        kind,
        ...(isRemote ? { remote: addressOf(address) } : {}),
      });
      onClose();
      navigate(`~/m/${id}`);
    } catch (error) {
      setFailure(messageOf(error));
    }
  };

  return (
    <Dialog title={t('add.title')} open onClose={onClose}>
      <form className="machine-form" onSubmit={(event) => void submit(event)} noValidate>
        {kinds.length > 1 ? (
          <Select
            label={t('add.kind')}
            value={kind}
            choices={kinds.map((one) => ({ value: one, label: t(`add.kind.${one}`) }))}
            onChange={setKind}
          />
        ) : null}
        {isRemote ? (
          <AddressFields address={address} onChange={setAddress} showsProblems={tried} />
        ) : null}
        <TextField
          label={t('add.name')}
          value={name}
          onChange={setName}
          placeholder={isRemote ? host : undefined}
          error={tried && usedName === '' && !isRemote ? t('add.noName') : undefined}
        />
        {isRemote ? <p className="muted">{t('add.what')}</p> : null}
        {failure ? <Notice>{failure}</Notice> : null}
        <div className="dialog-actions">
          <Button onClick={onClose}>{t('action.cancel')}</Button>
          <Button kind="main" type="submit">
            {t(isRemote ? 'add.submit' : 'add.submitLocal')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}
