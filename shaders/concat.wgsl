// concat: places the rows of one tensor into wider rows, or takes them out again.
//
//   narrow   [M, C]      pack
//   wide     [M, C']     pack   columns offset .. offset + C - 1 belong to narrow
//
// Concatenation along the last axis is one dispatch per tensor; slicing is one.

struct Params {
  rows: u32,         // M
  packs: u32,        // C / PACK
  wide_packs: u32,   // C' / PACK
  offset: u32,       // first column, in packs
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

fn wide_index(i: u32) -> u32 { return (i / params.packs) * params.wide_packs + params.offset + i % params.packs; }

// narrow -> wide. One invocation per pack of narrow.
@compute @workgroup_size(WORKGROUP_SIZE)
fn place(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.rows * params.packs) { output[wide_index(i)] = input[i]; }
}

// wide -> narrow. One invocation per pack of narrow.
@compute @workgroup_size(WORKGROUP_SIZE)
fn take(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.rows * params.packs) { output[i] = input[wide_index(i)]; }
}

// wide, with zeros outside the columns of narrow. One invocation per pack of wide.
@compute @workgroup_size(WORKGROUP_SIZE)
fn place_in_zeros(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.rows * params.wide_packs) { return; }
  let column = i % params.wide_packs;
  let inside = column >= params.offset && column < params.offset + params.packs;
  var value = pack();
  if (inside) { value = input[(i / params.wide_packs) * params.packs + column - params.offset]; }
  output[i] = value;
}
