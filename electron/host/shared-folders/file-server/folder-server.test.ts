import { testFolderServer } from './folder-server.suite.ts';
import { createFolderServer } from './folder-server.ts';

testFolderServer(createFolderServer);
