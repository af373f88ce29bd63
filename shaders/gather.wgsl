// gather: rows picked by index, and the gradient, which sums the gradients of each row's copies.
//
//   input        [G, M, C]  pack   f32 and u32 travel forward as words of 32 bits
//   indices      [K]        u32
//   output       [G, K, C]  pack   output[g,k,c] = input[g, indices[k], c]; 0 if indices[k] >= M, without a read
//   grad_output  [G, K, C]  pack
//   starts, list            u32    of the indices' buckets (bucket.wgsl)
//   grad_input   [G, M, C]  pack   grad_input[g,m,c] = sum of grad_output[g,k,c] over the k with indices[k] = m, in order
//
// Cost: forward reads and writes each picked element once; the gradient reads each once and writes the input's size.
// Definition: torch.index_select.

struct Params {
  groups: u32,  // G
  extent: u32,  // M
  picked: u32,  // K
  packs: u32,   // C / PACK
  blocks: u32,  // of the buckets
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> indices: array<u32>;
@group(0) @binding(2) var<storage, read> grad_output: array<pack>;
@group(0) @binding(3) var<storage, read> starts: array<u32>;
@group(0) @binding(4) var<storage, read> list: array<u32>;
@group(0) @binding(5) var<storage, read_write> output: array<pack>;
@group(0) @binding(6) var<storage, read_write> grad_input: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// One invocation per output pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.picked * params.packs) { return; }
  let c = i % params.packs;
  let k = i / params.packs % params.picked;
  let g = i / params.packs / params.picked;
  let m = indices[k];
  var value = pack();
  if (m < params.extent) { value = input[(g * params.extent + m) * params.packs + c]; }
  output[i] = value;
}

// One invocation per input pack: it walks the list of its row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.extent * params.packs) { return; }
  let c = i % params.packs;
  let m = i / params.packs % params.extent;
  let g = i / params.packs / params.extent;
  let end = starts[(m + 1u) * params.blocks];
  var sum = accum();
  for (var at = starts[m * params.blocks]; at < end; at++) { sum += accum(grad_output[(g * params.picked + list[at]) * params.packs + c]); }
  grad_input[i] = pack(sum);
}
