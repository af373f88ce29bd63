// Runs a model on the bytes of standard input: a line of JSON with the outputs' shapes, then their f32 values.
import { buffer } from "node:stream/consumers";
import { InferenceSession, Tensor } from "onnxruntime-node";

const [path, asked] = process.argv.slice(2);
const { name, shape, outputs } = JSON.parse(asked);
const session = await InferenceSession.create(path, { executionProviders: ["cpu"] });
const results = await session.run({ [name]: new Tensor("uint8", new Uint8Array(await buffer(process.stdin)), shape) });
process.stdout.write(`${JSON.stringify(outputs.map((output) => results[output].dims))}\n`);
for (const output of outputs) {
  const { data } = results[output];
  process.stdout.write(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
