/** One of several writers of one database: adds rows and moves a sum about. Usage: FILE WRITER COUNT */
import { DatabaseSync } from 'node:sqlite';

const [file = '', writer = '', count = '0'] = process.argv.slice(2);
const database = new DatabaseSync(file, { timeout: 20_000 });
database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
const add = database.prepare('INSERT INTO entries (writer, value) VALUES (?, ?)');
const move = database.prepare('UPDATE total SET value = value + 1');
for (let value = 0; value < Number(count); value++) {
  database.exec('BEGIN IMMEDIATE');
  add.run(writer, value);
  move.run();
  database.exec('COMMIT');
}
database.close();
