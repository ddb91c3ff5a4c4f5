import { type FormEvent, useEffect, useMemo, useState } from 'react';
import { useLocation } from 'wouter';
import { useText } from '../../messages/use-text.ts';
import { useContainers } from '../../stores/containers.ts';
import { clearCreation, createAndStart, useCreation } from '../../stores/creation.ts';
import { useImages } from '../../stores/images.ts';
import { useMachine } from '../../stores/machine.ts';
import { toast } from '../../stores/toasts.ts';
import { Button } from '../../ui/button.tsx';
import { CheckField } from '../../ui/checkbox.tsx';
import { Notice, Page } from '../../ui/page.tsx';
import { Basics } from './basics.tsx';
import { emptyForm, type Form, toCreateRequest } from './form.ts';
import { FormLimits } from './form-limits.tsx';
import './new-container.css';
import { Root, rootByDefault } from './root.tsx';
import { Environment, Mounts, Ports } from './rows.tsx';
import { RunLine } from './run-line-box.tsx';
import { Stages } from './stages.tsx';
import { useImageFacts } from './use-image-facts.ts';
import { validate } from './validate.ts';

/** @param image to start with, such as one chosen in the list of images. */
export function NewContainerPage({ image = '' }: { image?: string }) {
  const t = useText();
  const [, navigate] = useLocation();
  const [form, setForm] = useState<Form>(() => emptyForm(image));
  const [start, setStart] = useState(true);
  const [tried, setTried] = useState(false);
  const [terminalChosen, setTerminalChosen] = useState(false);
  const { stage, failure } = useCreation();
  const machineCpus = useMachine((state) => state.info?.NCPU);
  const machineRoot = useMachine((state) => rootByDefault(state.info));
  const images = useLocalImages();
  const facts = useImageFacts(form.image, images.includes(form.image));
  const problems = validate(form, { ...useTaken(), cpus: machineCpus, root: machineRoot });
  const set = (change: Partial<Form>) => setForm((before) => ({ ...before, ...change }));

  useEffect(() => clearCreation, []);
  // A shell without a terminal ends at once: people who start one want to use it.
  const shellAlone = facts?.isShell === true && form.command.trim() === '';
  useEffect(() => {
    if (!terminalChosen)
      setForm((before) => ({ ...before, terminal: shellAlone, openStdin: shellAlone }));
  }, [shellAlone, terminalChosen]);

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (Object.keys(problems).length > 0) return focusFirstProblem();
    const name = form.name.trim() || undefined;
    const id = await createAndStart({ name, body: toCreateRequest(form), start });
    if (!id) return;
    toast({
      id: start ? 'toast.started' : 'toast.created',
      values: { name: name ?? id.slice(0, 12) },
    });
    navigate(`/containers/${id.slice(0, 12)}`);
  };

  const fields = { form, set, problems, tried };
  return (
    <Page title={t('new.title')}>
      <form className="page-body new" noValidate onSubmit={(event) => void submit(event)}>
        <div className="new-fields">
          <Basics
            {...fields}
            images={images}
            facts={facts}
            onTerminal={(on) => {
              setTerminalChosen(true);
              set({ terminal: on, openStdin: on });
            }}
          />
          <FormLimits {...fields} />
          <Root {...fields} byDefault={machineRoot} />
          <Ports {...fields} exposed={facts?.exposedPorts ?? []} />
          <Mounts {...fields} />
          <Environment {...fields} />
        </div>
        <aside className="new-side" aria-label={t('new.side')}>
          <RunLine
            form={form}
            onFill={(filled) => {
              setTerminalChosen(true);
              setForm(filled);
            }}
          />
          <div className="new-finish">
            {failure ? (
              <Notice>
                <strong>{t(`new.failed.${failure.stage}`)}</strong> {failure.message}
              </Notice>
            ) : null}
            {stage ? <Stages stage={stage} image={form.image} starts={start} /> : null}
            <div className="new-actions">
              <CheckField label={t('new.start')} checked={start} onChange={setStart} />
              <span className="spacer" />
              <Button onClick={() => navigate('/')}>{t('action.cancel')}</Button>
              <Button kind="main" type="submit" disabled={stage !== undefined}>
                {start ? t('new.createAndStart') : t('new.create')}
              </Button>
            </div>
          </div>
        </aside>
      </form>
    </Page>
  );
}

function useLocalImages(): string[] {
  const images = useImages((state) => state.images);
  return useMemo(
    () =>
      images.flatMap((image) => image.RepoTags ?? []).filter((tag) => !tag.startsWith('<none>')),
    [images],
  );
}

/** Names and published ports that other containers have. */
function useTaken() {
  const rows = useContainers((state) => state.rows);
  return useMemo(() => {
    const all = [...rows.values()];
    return {
      takenNames: new Set(all.map((row) => row.name)),
      takenPorts: new Map(
        all
          .filter((row) => row.status === 'running')
          .flatMap((row) =>
            row.ports
              .filter((port) => port.hostPort !== undefined)
              .map((port) => [`${port.protocol}/${port.hostPort}`, row.name] as const),
          ),
      ),
    };
  }, [rows]);
}

function focusFirstProblem(): void {
  requestAnimationFrame(() =>
    document.querySelector<HTMLElement>('.new [aria-invalid="true"]')?.focus(),
  );
}
