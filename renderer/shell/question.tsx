import { useText } from '../messages/use-text.ts';
import { useQuestion } from '../stores/question.ts';
import { Confirm } from '../ui/dialog.tsx';

/** Puts the stores' question before the person. */
export function QuestionHost() {
  const t = useText();
  const question = useQuestion((state) => state.question);
  if (!question) return null;
  return (
    <Confirm
      open
      title={t(question.title.id, question.title.values)}
      body={question.body.map((sentence) => (
        <p key={sentence.id}>{t(sentence.id, sentence.values)}</p>
      ))}
      confirmLabel={t(question.confirm.id, question.confirm.values)}
      cancelLabel={t('action.cancel')}
      onAnswer={question.answer}
    />
  );
}
