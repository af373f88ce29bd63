// mse_loss: squared differences, element by element; `reduce` sums or averages them.
//
//   a, b       [count]  pack
//   loss       [count]  f32    (a - b)^2
//   grad_loss  [count]  f32
//   grad       [count]  pack   scale * (a - b) * grad_loss, with scale 2 for the gradient of a and -2 for that of b
//
// Cost: forward reads two elements and writes one, 2 operations; a gradient reads three and writes one.
// Definition: torch.nn.functional.mse_loss.

struct Params {
  packs: u32,  // count / PACK
  scale: f32,
}

@group(0) @binding(0) var<storage, read> a: array<pack>;
@group(0) @binding(1) var<storage, read> b: array<pack>;
@group(0) @binding(2) var<storage, read> grad_loss: array<accum>;
@group(0) @binding(3) var<storage, read_write> loss: array<accum>;
@group(0) @binding(4) var<storage, read_write> grad: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  let difference = accum(a[i]) - accum(b[i]);
  loss[i] = difference * difference;
}

// One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  grad[i] = pack(params.scale * (accum(a[i]) - accum(b[i])) * grad_loss[i]);
}
