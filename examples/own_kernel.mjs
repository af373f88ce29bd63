// A kernel of your own, from WGSL, with its gradient, and timed:   node examples/own_kernel.mjs
import { countOf, defineKernel, empty, fromArray, valueAndGradients, launch, openDevice, record } from "bigrid/node";
import { measureRoofs, millisecondsOf, release, requireGrad, toArray, zeros } from "bigrid/node";

const entry = (name, value) => `
  @compute @workgroup_size(WORKGROUP_SIZE)
  fn ${name}(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if (i < params.count) { output[i] = ${value}; }
  }`;
const code = `
  struct Params { count: u32 }
  @group(0) @binding(0) var<storage, read> x: array<f32>;
  @group(0) @binding(1) var<storage, read> grad: array<f32>;
  @group(0) @binding(2) var<storage, read_write> output: array<f32>;
  @group(1) @binding(0) var<uniform> params: Params;
  ${entry("forward", "x[i] / (1 + abs(x[i]))")}
  ${entry("backward", "grad[i] / pow(1 + abs(x[i]), 2)")}`;
const module = defineKernel("softsign", code);
function run(entryPoint, tensors) {
  const output = empty(tensors.x.device, tensors.x.shape);
  const count = countOf(output.shape);
  launch({ module, entryPoint, tensors: { ...tensors, output }, params: { count }, size: { invocations: count } });
  return output;
}
const softsign = (x) => record("softsign", run("forward", { x }), [[x, (grad) => run("backward", { x, grad })]]);

const device = await openDevice();
const x = requireGrad(fromArray(device, [3], Float32Array.of(-1, 0, 3)));
const { results, grads } = valueAndGradients(() => [softsign(x)], [x]);
console.log(await toArray(results[0]), await toArray(grads[0])); // -1/2, 0, 3/4 and 1/4, 1, 1/16
const large = zeros(device, [1 << 22]);
const timed = () => release(softsign(large));
const [{ label, bytes }] = await device.trace(timed); // which also compiles it
const share = bytes / (await millisecondsOf(device, timed)) / 1e6 / (await measureRoofs(device)).gigabytes;
console.log(`${label}: ${(100 * share).toFixed(0)} % of the memory's rate`);
process.exit(); // Dawn would keep the process alive
