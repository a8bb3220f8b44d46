/** The specs of a part as one: what they import is loaded once for a mutant, and that is most of the time it takes. */
import process from 'node:process';
import { PARTS } from './parts.mjs';

for (const spec of PARTS[process.env['MUTATED_PART']].judges) await import(`../../${spec}`);
