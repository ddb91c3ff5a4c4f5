/** The last lines of a console or an error output, without escape sequences and empty lines. */
export function lastLines(text: string, count = 3): string {
  return text
    .replaceAll(/\x1b\[[0-9;?]*[A-Za-z]|\x1bc/g, '')
    .split(/\r*\n/)
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .slice(-count)
    .join(' | ');
}
