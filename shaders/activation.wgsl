// activation: an activation function, applied to every element, and its derivative.
//
//   input        [count]  pack
//   grad_output  [count]  pack
//   output       [count]  pack   f(input)
//   grad_input   [count]  pack   grad_output * f'(input)
//
// f is chosen by ACTIVATION; the functions and their derivatives are in prelude/activation.wgsl.
// Cost: 2 elements of traffic each in forward, 3 in backward; 1 to 20 operations.

struct Params {
  packs: u32,  // count / PACK
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> grad_output: array<pack>;
@group(0) @binding(2) var<storage, read_write> output: array<pack>;
@group(0) @binding(3) var<storage, read_write> grad_input: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  output[i] = pack(activate(accum(input[i])));
}

// One invocation per pack. Recomputes f from the input, so nothing but the input is kept for it.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  grad_input[i] = pack(accum(grad_output[i]) * activation_slope(accum(input[i])));
}
