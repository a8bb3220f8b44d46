/** Writes docs/AUTHORISATION.md anew: `node libs/embedded/bootstrap.mjs run test/security/write-authorisation.ts`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '#embedded';
import { authorisationPage } from './authorisation-page.js';

writeFileSync(join(projectRoot(), 'docs', 'AUTHORISATION.md'), authorisationPage());
