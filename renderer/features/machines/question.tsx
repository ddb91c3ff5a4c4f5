import { type FormEvent, useState } from 'react';
import type { MachineQuestion, MachineView } from '../../bridge/machines.ts';
import { useText } from '../../messages/use-text.ts';
import { answer, useMachines } from '../../stores/machines.ts';
import { Button } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { TextField } from '../../ui/field.tsx';
import './machines.css';

/** What the machine that is looked at waits to be told. Another one's question waits in its row. */
export function MachineQuestions() {
  const machine = useMachines((state) => state.machines.find(({ id }) => id === state.shown));
  const question = machine?.state.question;
  return question ? <Ask key={question.id} machine={machine} question={question} /> : null;
}

function Ask({ machine, question }: { machine: MachineView; question: MachineQuestion }) {
  const t = useText();
  const [text, setText] = useState('');
  const give = (event: FormEvent) => {
    event.preventDefault();
    void answer(machine.id, question.id, question.kind === 'host-key' ? 'yes' : text);
  };
  const cancel = () => void answer(machine.id, question.id);
  return (
    <Dialog title={titleOf(question, machine, t)} open onClose={cancel}>
      <form className="machine-form" onSubmit={give}>
        {question.kind === 'host-key' ? (
          <>
            <p className="muted">
              {t('ask.hostKeyBody', { host: question.host, keyType: question.keyType })}
            </p>
            <code className="fingerprint">{question.fingerprint}</code>
          </>
        ) : (
          <TextField
            label={labelOf(question, t)}
            type={question.kind === 'prompt' && question.echo ? 'text' : 'password'}
            value={text}
            onChange={setText}
            note={t('ask.notKept')}
            error={'wrong' in question && question.wrong ? t('ask.wrong') : undefined}
            autoFocus
          />
        )}
        <div className="dialog-actions">
          <Button onClick={cancel}>{t('ask.cancel')}</Button>
          <Button kind="main" type="submit">
            {t(question.kind === 'host-key' ? 'ask.hostKeyYes' : 'ask.answer')}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

type Text = ReturnType<typeof useText>;

function titleOf(question: MachineQuestion, { name }: MachineView, t: Text): string {
  return question.kind === 'host-key'
    ? t('ask.hostKey', { host: question.host })
    : t('ask.title', { name });
}

function labelOf(question: Exclude<MachineQuestion, { kind: 'host-key' }>, t: Text): string {
  switch (question.kind) {
    case 'password':
      return t('ask.password', { user: question.user, host: question.host });
    case 'sudo':
      return t('ask.sudo', { user: question.user, host: question.host });
    case 'passphrase':
      return t('ask.passphrase', { keyFile: question.keyFile });
    case 'prompt':
      return question.prompt;
  }
}
