import { callsOf, type Call } from "../autograd/listing.ts";
import { sightOf } from "../detection/assembly.ts";
import { steepnessOf } from "../detection/calibration.ts";
import type { Detector } from "../detection/detector.ts";
import type { ImageScores } from "../detection/scoring.ts";
import type { Tiling } from "../io/tiling.ts";
import { VERSION } from "../runtime/version.ts";
import { toArray, zeros, type Tensor } from "../tensor/tensor.ts";
import { Conversion, INPUT_NAME, refuse, type Listing } from "./conversion.ts";
import { OPERATIONS } from "./operations.ts";
import { DTYPES, type OnnxModel } from "./model.ts";
import { encodeModel } from "./protobuf.ts";

const BATCH = "N";
const SCORES = {
  windowMean: "the largest mean of the anomaly over a window",
  max: "the largest anomaly",
  topShare: "the mean of the largest anomalies",
  cells: "the largest anomaly of a cell, as the method weights it",
} as const;
const INPUT = {
  layout: "NHWC",
  dtype: "uint8",
  filter: "PIL's BILINEAR: antialiased, in 8 bits",
  normalised: "within the model",
};

/**
 * Encodes a detector with its backbone as an ONNX file of opset 16, for onnxruntime and others. Scores are the same up
 * to rounding.
 *
 * Input `image`: uint8 `[N, size, size, 3]`, RGB. Outputs `map` `[N, size, size]`, and `score`, `peak` and `calibrated`
 * `[N]`: f32; N is free. The caller resizes photographs as `preprocessing` in the metadata says; the model normalises
 * colours. A detector of `resize` "letterbox" takes RGBA, `[N, size, size, 4]`, with transparent bars. Batch norms are
 * folded, weights are f32. Metadata: `format`, `version`, `preprocessing`, `backbone`, `method`, `calibration`.
 *
 * Of a detector with tiles, the images are tiles: `tiles` and `scoring` in the metadata say how a photograph is cut and
 * scored, and there may be a further output, `scored` `[N, size, size]`, the map that the score is made of where it is
 * not `map`.
 *
 * @throws UnsupportedError for a model that ONNX cannot hold or express, or a detector in half precision
 * @see https://onnx.ai/onnx/operators/
 */
export async function encodeOnnx(detector: Detector): Promise<Uint8Array> {
  if (detector.half) refuse("a detector in half precision; load it in full");
  const { input, scores, listing } = await listOps(detector);
  const to = new Conversion(listing, OPERATIONS);
  to.name(input, { name: normalised(detector, to), order: "channels first" });
  return encodeModel(modelOf(detector, to, scores));
}

const tilesSentence = ({ tile, overlap }: Tiling): string =>
  `The images are square tiles of ${tile} pixels of a photograph, of which neighbours share ${overlap}: ` +
  `the map of a photograph is made of theirs, and its score of the whole map, as docs/onnx.md has it.`;

/** Lists the detector's ops for a batch of one and of two; extents that differ depend on the batch. */
async function listOps(
  detector: Detector,
): Promise<{ readonly input: Tensor; readonly scores: ImageScores; readonly listing: Listing }> {
  const {
    device,
    config: {
      input: { size: inputSize },
    },
  } = detector;
  const constants = new Map<Tensor["id"], Promise<Float32Array>>();
  const list = (batch: number) => {
    using _scope = device.scope();
    const input = zeros(device, [batch, inputSize, inputSize, 3]);
    const { result, calls } = callsOf(() => detector.score(input));
    const made = new Set([input.id, ...calls.map(({ output }) => output.id)]);
    for (const tensor of calls.flatMap(({ inputs }) => inputs)) {
      if (made.has(tensor.id) || constants.has(tensor.id)) continue;
      // A tensor made inside without being listed would be mistaken for a constant.
      if (tensor.id > input.id) refuse(`an operation that is not listed, with the result [${tensor.shape.join(",")}]`);
      constants.set(tensor.id, toArray(tensor));
    }
    return { input, scores: result, calls };
  };
  const [{ input, scores, calls }, { calls: others }] = [list(1), list(2)];
  requireSameOps(calls, others);
  const elements = await Promise.all([...constants].map(async ([id, read]) => [id, await read] as const));
  return { input, scores, listing: { calls, others, constants: new Map(elements) } };
}

function requireSameOps(calls: readonly Call[], others: readonly Call[]): void {
  const ops = (list: readonly Call[]): string => list.map(({ op }) => op).join();
  if (ops(calls) !== ops(others)) refuse("different operations for two images than for one");
}

/**
 * True if images have bars. Bars are transparent because no byte equals their mean colour exactly, and features of flat
 * areas are sensitive to it.
 */
const hasBars = ({
  config: {
    input: { resize },
  },
}: Detector): boolean => resize === "letterbox";

/** Normalises bytes for the backbone, in the shader's order of operations. */
function normalised(detector: Detector, to: Conversion): string {
  const { mean, std } = detector.preprocessing;
  const perColour = (values: readonly number[]): string => to.constant([1, 3, 1, 1], Float32Array.from(values));
  const bytes = to.node("Cast", [to.node("Transpose", [INPUT_NAME], { perm: [0, 3, 1, 2] })], { to: DTYPES.FLOAT });
  const channels = (first: number, end: number): string =>
    to.node("Slice", [bytes, ...[first, end, 1].map((value) => to.wholeNumbers([value]))]);
  const colours = hasBars(detector) ? channels(0, 3) : bytes;
  const levels = to.node("Div", [
    to.node("Sub", [to.node("Div", [colours, to.number(255)]), perColour(mean)]),
    perColour(std),
  ]);
  return hasBars(detector) ? to.node("Mul", [levels, to.node("Min", [channels(3, 4), to.number(1)])]) : levels;
}

function modelOf(detector: Detector, to: Conversion, { map, score, peak, scored }: ImageScores): OnnxModel {
  const {
    config: {
      input: { size: inputSize, tiles },
      backbone,
      method,
      scoring,
      calibration,
    },
    preprocessing,
  } = detector;
  const colours = hasBars(detector) ? "RGBA" : "RGB";
  const perImage = (tensor: Tensor, shape: readonly number[], name: string): string =>
    to.node("Reshape", [to.image(tensor), to.wholeNumbers([-1, ...shape])], {}, name);
  perImage(map, [inputSize, inputSize], "map");
  perImage(peak, [], "peak");
  const scoredMap = tiles ? scored : null; // of which the score of a photograph is made
  if (scoredMap) perImage(scoredMap, [inputSize, inputSize], "scored");
  const ratio = to.node("Div", [to.number(calibration.threshold), perImage(score, [], "score")]);
  const odds = to.node("Add", [to.number(1), to.node("Pow", [ratio, to.number(steepnessOf(calibration))])]);
  to.node("Reciprocal", [odds], {}, "calibrated");
  const output = (name: string, shape: readonly (string | number)[], description: string) =>
    ({ name, dtype: "FLOAT", shape, description }) as const;
  return {
    name: "bigrid detector",
    description:
      `Anomaly detector, method ${method.name} on ${sightOf(detector.config)}. ` +
      `An image whose calibrated score is above 0.5 is called defective.` +
      (tiles ? ` ${tilesSentence(tiles)}` : ""),
    producer: { name: "bigrid", version: VERSION },
    inputs: [
      {
        name: INPUT_NAME,
        dtype: "UINT8",
        shape: [BATCH, inputSize, inputSize, colours.length],
        description: `${colours}, resized as the metadata's preprocessing says`,
      },
    ],
    outputs: [
      output(
        "map",
        [BATCH, inputSize, inputSize],
        "the anomaly of each pixel of the resized image, in the method's units",
      ),
      output(
        "score",
        [BATCH],
        `${SCORES[scoring.image.kind]}; to be held against a threshold of the metadata's calibration`,
      ),
      output("peak", [BATCH], "the largest value of the map"),
      ...(scoredMap
        ? [output("scored", [BATCH, inputSize, inputSize], "the map of which the score of a photograph is made")]
        : []),
      output(
        "calibrated",
        [BATCH],
        "the score between 0 and 1: 0.5 at the threshold of all classes together, 0.1 where good images typically are",
      ),
    ],
    nodes: to.nodes,
    constants: to.tensors,
    metadata: {
      format: "bigrid-onnx",
      version: VERSION,
      preprocessing: JSON.stringify({ ...preprocessing, ...INPUT, colours }),
      backbone: JSON.stringify(backbone),
      method: JSON.stringify(method),
      calibration: JSON.stringify(calibration),
      ...(tiles && { tiles: JSON.stringify(tiles), scoring: JSON.stringify(scoring) }),
    },
  };
}
