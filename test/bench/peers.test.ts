import { describe, expect, test } from "vitest";
import { bottleneckForward, bottleneckGradients, bottleneckParameters } from "../../bench/peers/bottleneck.ts";
import { features, folded } from "../../bench/peers/network.ts";
import { errorOf, input, problems, relativeError, seeded } from "../../bench/peers/problems.ts";
import { advantage, median, networksTable, timesTable, withTables, type Row } from "../../bench/peers/table.ts";
import { planOf } from "../../src/backbones/efficientnet.ts";
import { createBackbone } from "../../src/backbones/registry.ts";
import { fromArray, toArray } from "../../src/tensor/tensor.ts";
import { device } from "../harness/device.ts";
import { madeUp } from "../harness/made_up_network.ts";

describe("the comparison's references:", () => {
  test("seeded numbers are the generator's, within their range", () => {
    const values = seeded(1000, 1, 0.5);
    expect([...seeded(3, 1)]).toEqual([0.25414788722991943, -0.9945285320281982, 0.05489407852292061]);
    expect(Math.min(...values)).toBeLessThan(-0.49);
    expect(values.every((value) => value >= -0.5 && value < 0.5)).toBe(true);
  });

  test("the bottleneck's gradients are the slopes of its loss", () => {
    const parameters = bottleneckParameters(input, { side: 3, channels: 4, expanded: 8, squeezed: 2 });
    const inputs = { image: input([1, 3, 3, 4], 21), target: input([1, 3, 3, 4], 22), ...parameters };
    const { loss, gradients } = bottleneckGradients(inputs);
    expect(loss).toBe(bottleneckForward(inputs).loss);
    Object.values(parameters).forEach(({ data }, i) => {
      for (const at of [0, data.length >> 1, data.length - 1]) {
        const before = data[at]!;
        const [low, high] = [before - 1e-4, before + 1e-4].map((value) => {
          data[at] = value;
          return { at: data[at], loss: bottleneckForward(inputs).loss };
        }) as [{ at: number; loss: number }, { at: number; loss: number }];
        data[at] = before;
        expect(gradients[i]![at]).toBeCloseTo((high.loss - low.loss) / (high.at - low.at), 6);
      }
    });
  });

  test("the network's features are the library's", async () => {
    const [plan, side] = [planOf("efficientnet-b0"), 64];
    const image = seeded(side * side * 3, 31, 2);
    const want = features(await folded(plan, side), image, side);
    const network = await createBackbone(device, "efficientnet-b0", {
      inputSize: side,
      weights: madeUp("efficientnet-b0"),
    });
    const got = await Promise.all(network.features(fromArray(device, [1, side, side, 3], image)).map(toArray));
    got.forEach((data, i) => expect(relativeError(data, want[i]!)).toBeLessThan(1e-5));
    expect(got).toHaveLength(2);
  });

  test("a result is compared as a whole: one wrong element, a missing output and NaN are found", () => {
    const problem = problems().find(({ name }) => name === "gridSample")!;
    const expected = problem.expected();
    const outputs = expected.map((data) => Float32Array.from(data));
    expect(errorOf(problem, outputs, expected)).toBeLessThan(problem.tolerance);
    const spoilt = (value: number) => [outputs[0]!.map((x, i) => (i === 5 ? value : x))];
    expect(errorOf(problem, spoilt(outputs[0]![5]! + 0.1), expected)).toBeGreaterThan(problem.tolerance);
    expect(errorOf(problem, spoilt(NaN), expected) <= problem.tolerance).toBe(false);
    expect(errorOf(problem, [], expected)).toBe(Infinity);
    expect(errorOf(problem, [outputs[0]!.slice(1)], expected)).toBe(Infinity);
  });
});

describe("the comparison's table", () => {
  const at = (min: number) => ({ milliseconds: { median: 2 * min, min, runs: 3 } });
  const row = (results: Row["results"], images?: number): Row => ({
    name: "row",
    title: "a row",
    commit: "",
    date: "",
    results,
    ...(images !== undefined && { images }),
  });
  const times = row({ bigrid: at(10), "bigrid captured": at(4), peer: at(8.04), other: { failed: "out of memory" } });

  test("marks the fastest and tells how much faster the best of ours is than the best peer", () => {
    expect(advantage(times)).toBeCloseTo(2.01);
    expect(timesTable([times], ["bigrid", "bigrid captured", "peer", "other", "absent"])).toBe(
      "| milliseconds: median (least) | bigrid | bigrid captured | peer | other | absent | best peer / bigrid |\n" +
        "| --- | --- | --- | --- | --- | --- | --- |\n" +
        "| a row | 20 (10) | 8 (**4**) | 16.1 (8.04) | fails |  | 2.01x |",
    );
    expect(advantage(row({ bigrid: at(10) }))).toBeNull();
    expect(advantage(row({ bigrid: at(10), "bigrid f16": at(1), peer: at(30) }))).toBe(3);
  });

  test("gives images a second and memory, the resident set's growth in brackets", () => {
    const networks = row(
      {
        bigrid: { ...at(4000), deviceBytes: 3 * 2 ** 20, residentBytes: 1 },
        peer: { ...at(8000), deviceBytes: null, residentBytes: 2 ** 20 },
      },
      16,
    );
    expect(networksTable([networks], ["bigrid", "peer"]).split("\n")[2]).toBe(
      "| a row | **4**, 3 MiB | 2, (1 MiB) | 2.00x |",
    );
  });

  test("takes the middle of an odd number of times, and between the middle two of an even", () => {
    expect([median([3, 1, 2]), median([4, 1, 3, 2])]).toEqual([2, 2.5]);
  });

  test("stands in its place on the page, and nowhere else", () => {
    const page = "# Title\n\n<!-- Written by npm run bench:peers -->\n\nold\n\n<!-- As far as here -->\n\nNotes\n";
    expect(withTables(page, "new")).toBe(page.replace("old", "new"));
    expect(() => withTables("# Title", "new")).toThrow("the page has no lines <!-- Written by npm run bench:peers -->");
  });
});
