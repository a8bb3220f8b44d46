export function countsIn(report: string, exitCode: number): { passed: number; failed: number };
