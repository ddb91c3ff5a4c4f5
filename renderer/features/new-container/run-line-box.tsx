import { useState } from 'react';
import { useText } from '../../messages/use-text.ts';
import { Button, IconButton } from '../../ui/button.tsx';
import { Dialog } from '../../ui/dialog.tsx';
import { Notice } from '../../ui/page.tsx';
import type { Form } from './form.ts';
import { parseRunLine } from './parse-run.ts';
import { runLineParts } from './run-line.ts';

/** The form as a `docker run` line, live; and a form from a pasted line. */
export function RunLine({ form, onFill }: { form: Form; onFill: (form: Form) => void }) {
  const t = useText();
  const [pasting, setPasting] = useState(false);
  const [ignored, setIgnored] = useState<string[]>([]);
  const parts = runLineParts(form);
  return (
    <section className="card new-part" aria-label={t('new.runLine')}>
      <div className="new-part-head">
        <h2>{t('new.runLine')}</h2>
        <span className="spacer" />
        <IconButton
          icon="copy"
          label={t('new.copyLine')}
          onClick={() => void navigator.clipboard.writeText(parts.join(' '))}
        />
        <Button onClick={() => setPasting(true)}>{t('new.paste')}</Button>
      </div>
      <pre className="run-line">{parts.join(' \\\n  ')}</pre>
      {ignored.length > 0 ? (
        <Notice kind="warn">
          {t('new.ignored', { count: ignored.length })} <code>{ignored.join('  ')}</code>
        </Notice>
      ) : null}
      {pasting ? (
        <PasteDialog
          onClose={() => setPasting(false)}
          onFill={(filled, left) => {
            onFill(filled);
            setIgnored(left);
            setPasting(false);
          }}
        />
      ) : null}
    </section>
  );
}

function PasteDialog({
  onClose,
  onFill,
}: {
  onClose: () => void;
  onFill: (form: Form, ignored: string[]) => void;
}) {
  const t = useText();
  const [text, setText] = useState('');
  const parsed = text.trim() === '' ? undefined : parseRunLine(text.trim());
  const wrong = text.trim() !== '' && !parsed;
  return (
    <Dialog title={t('new.paste')} open onClose={onClose} wide>
      <textarea
        className="input mono"
        rows={5}
        aria-label={t('new.pasteLabel')}
        placeholder="docker run -d --name web -p 8080:80 nginx"
        value={text}
        aria-invalid={wrong}
        onChange={(event) => setText(event.target.value)}
      />
      {wrong ? <span className="field-error">{t('new.pasteWrong')}</span> : null}
      <div className="dialog-actions">
        <Button onClick={onClose}>{t('action.cancel')}</Button>
        <Button
          kind="main"
          disabled={!parsed}
          onClick={() => parsed && onFill(parsed.form, parsed.ignored)}
        >
          {t('new.fill')}
        </Button>
      </div>
    </Dialog>
  );
}
