// A kernel of your own, from WGSL, with its gradient, and timed:   node examples/own_kernel.mjs
import {
  countOf,
  defineKernel,
  empty,
  fromArray,
  gradients,
  launch,
  measureRoofs,
  millisecondsOf,
  openDevice,
  record,
  requireGrad,
  toArray,
  zeros,
} from "bigrid/node";

const module = defineKernel(
  "softsign",
  `
  struct Params { count: u32, slope: f32 }
  @group(0) @binding(0) var<storage, read> x: array<f32>;
  @group(0) @binding(1) var<storage, read> grad: array<f32>;
  @group(0) @binding(2) var<storage, read_write> output: array<f32>;
  @group(1) @binding(0) var<uniform> params: Params;
  @compute @workgroup_size(WORKGROUP_SIZE)
  fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if (i < params.count) { output[i] = x[i] / (1 + params.slope * abs(x[i])); }
  }
  @compute @workgroup_size(WORKGROUP_SIZE)
  fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = flat_index(id, groups);
    if (i < params.count) { output[i] = grad[i] / pow(1 + params.slope * abs(x[i]), 2); }
  }`,
);
function run(entryPoint, tensors, slope) {
  const output = empty(tensors.x.device, tensors.x.shape);
  const count = countOf(output.shape);
  launch({
    module,
    entryPoint,
    tensors: { ...tensors, output },
    params: { count, slope },
    size: { invocations: count },
  });
  return output;
}
const softsign = (x, slope) =>
  record("softsign", run("forward", { x }, slope), [[x, (grad) => run("backward", { x, grad }, slope)]]);

const device = await openDevice();
const x = requireGrad(fromArray(device, [3], Float32Array.of(-1, 0, 3)));
const {
  results: [y],
  grads: [slope],
} = gradients(() => [softsign(x, 1)], [x]);
console.log(await toArray(y), await toArray(slope)); // -1/2, 0, 3/4 and 1/4, 1, 1/16
const large = zeros(device, [1 << 22]);
const timed = () =>
  device.tidy(() => {
    softsign(large, 1);
  }); // which also gives the output back
const [{ label, bytes }] = await device.trace(timed); // which also compiles it
const gigabytes = bytes / (await millisecondsOf(device, timed)) / 1e6; // a second
console.log(
  `${label}: ${((100 * gigabytes) / (await measureRoofs(device)).gigabytes).toFixed(0)} % of the memory's rate`,
);
process.exit(); // Dawn would keep the process alive
