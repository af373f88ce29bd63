// cast: converts numbers to another dtype.
//
//   wide     [count]  accum   f32
//   narrow   [count]  pack    f32, f16 or u32, by the element prelude
//
// To f16 rounds to the nearest, to u32 truncates towards zero. Cost: one read and one write an element.

struct Params {
  packs: u32,  // count / PACK
}

@group(0) @binding(0) var<storage, read> wide: array<accum>;
@group(0) @binding(1) var<storage, read> narrow: array<pack>;
@group(0) @binding(2) var<storage, read_write> wide_output: array<accum>;
@group(0) @binding(3) var<storage, read_write> narrow_output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// From f32. One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn to_narrow(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.packs) { narrow_output[i] = pack(wide[i]); }
}

// To f32. One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn to_wide(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i < params.packs) { wide_output[i] = accum(narrow[i]); }
}
