import { readFileSync } from 'node:fs';

/**
 * What jest's report (`--json --outputFile`) counts. A suite that could not be loaded, or fell over outside of its tests, has no
 * failed test and is one failure all the same; so is a jest that failed and does not say why.
 */
export function countsIn(report, exitCode) {
  const { numPassedTests, numFailedTests, testResults } = readReport(report);
  const broken = testResults.filter(
    (suite) => suite.status === 'failed' && !suite.assertionResults.some((test) => test.status === 'failed'),
  ).length;
  const failed = numFailedTests + broken;
  return { passed: numPassedTests, failed: failed === 0 && exitCode !== 0 ? 1 : failed };
}

function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'));
  } catch (error) {
    console.error(`parley: jest left no report: ${error.message}`);
    return { numPassedTests: 0, numFailedTests: 1, testResults: [] };
  }
}
