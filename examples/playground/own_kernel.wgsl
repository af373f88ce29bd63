// A kernel of your own, with its gradient: softsign(x) = x / (1 + |x|).
// `forward` is applied to the picture, and `backward` is compared with differences of `forward`.
struct Params { count: u32 }

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read> grad_output: array<f32>;
@group(0) @binding(2) var<storage, read_write> output: array<f32>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per element.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.count) { return; }
  output[i] = x[i] / (1.0 + abs(x[i]));
}

// The derivative, times the gradient of what comes after.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.count) { return; }
  let denominator = 1.0 + abs(x[i]);
  output[i] = grad_output[i] / (denominator * denominator);
}
