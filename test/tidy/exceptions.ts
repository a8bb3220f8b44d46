/** Files longer than the rule allows, with the length that each may have. This list only shrinks: a file that got shorter lowers its entry. */
export const LONG_FILES: Readonly<Record<string, number>> = {};
