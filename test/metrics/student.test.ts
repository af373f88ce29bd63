import { expect, test } from "vitest";
import { studentQuantile } from "../../src/metrics/student.ts";

// scipy.stats.t.ppf of SciPy 1.17.1
test.each([
  [0.99, 1, 31.820515953773935],
  [0.99, 2, 6.9645567342832715],
  [0.99, 5, 3.3649299989072174],
  [0.99, 15, 2.6024802950111225],
  [0.99, 100, 2.3642173662384813],
  [0.99, 3999, 2.3272807334954098],
  [0.999, 1, 318.30883898555015],
  [0.999, 15, 3.7328344253109],
  [0.9, 2, 1.8856180831641272],
  [0.9, 100, 1.290074761346516],
  [0.6, 1, 0.32491969623290634],
  [0.6, 15, 0.25788530093726125],
  [0.05, 5, -2.015048373333024],
  [0.5, 7, 0],
])("the %f quantile of Student's t with %i degrees of freedom is SciPy's", (p, freedom, expected) => {
  expect(Math.abs(studentQuantile(p, freedom) - expected)).toBeLessThanOrEqual(1e-9 * Math.abs(expected));
});
