// Replaces the package vitest in test bundles: the packages that vitest is made of, without those that need Node. A
// test that needs more fails with the name of what is missing.
import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  customMatchers,
  getState,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
  type ExpectStatic,
} from "@vitest/expect";
import { getCurrentTest } from "@vitest/runner";
import { fn, spyOn } from "@vitest/spy";

export { afterAll, afterEach, beforeAll, beforeEach, describe, test } from "@vitest/runner";
export const vi = { fn, spyOn };

for (const plugin of [JestExtend, JestChaiExpect, JestAsymmetricMatchers]) chai.use(plugin);

const check = (value: unknown, message?: string) => {
  const { assertionCalls } = getState(expect);
  setState({ assertionCalls: assertionCalls + 1 }, expect);
  const assertion = chai.expect(value, message) as unknown as { withTest(test: unknown): unknown };
  const current = getCurrentTest();
  return current ? assertion.withTest(current) : assertion; // the test itself awaits async assertions
};

const globals = globalThis as unknown as Record<symbol, object>;

export const expect = Object.assign(check, chai.expect, globals[ASYMMETRIC_MATCHERS_OBJECT]) as unknown as ExpectStatic;
globals[GLOBAL_EXPECT] = expect; // where matchers look for their state
setState({ assertionCalls: 0 }, expect);
(chai.expect as unknown as { extend(expect: ExpectStatic, matchers: object): void }).extend(expect, customMatchers);
