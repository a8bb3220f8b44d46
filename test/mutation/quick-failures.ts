/** A mutant that a property catches is dead at its first counterexample; to look for a smaller one would take most of a run. */
import fc from 'fast-check';

fc.configureGlobal({ endOnFailure: true });
