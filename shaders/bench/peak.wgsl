// peak: the device's highest rates, with which the benchmarks compare kernels.
//
//   input    [packs]  pack
//   output   [packs]  pack
//
//   multiply_add: x = x * a + b over and over, in eight independent chains an invocation
//   stream:       output = input

struct Params {
  packs: u32,  // of the output
  steps: u32,  // of each chain
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per pack: 16 PACK operations a step.
@compute @workgroup_size(WORKGROUP_SIZE)
fn multiply_add(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  let a = accum(input[0]);
  let b = accum(input[1]);
  var x0 = accum(input[i]);
  var x1 = x0 + 1.0;
  var x2 = x0 + 2.0;
  var x3 = x0 + 3.0;
  var x4 = x0 + 4.0;
  var x5 = x0 + 5.0;
  var x6 = x0 + 6.0;
  var x7 = x0 + 7.0;
  for (var step = 0u; step < params.steps; step++) {
    x0 = x0 * a + b;
    x1 = x1 * a + b;
    x2 = x2 * a + b;
    x3 = x3 * a + b;
    x4 = x4 * a + b;
    x5 = x5 * a + b;
    x6 = x6 * a + b;
    x7 = x7 * a + b;
  }
  output[i] = pack(((x0 + x1) + (x2 + x3)) + ((x4 + x5) + (x6 + x7)));
}

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn stream(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.packs) { output[i] = input[i]; }
}
