// elementwise: a function of two tensors, element by element, with broadcasting.
//
//   a, b     pack, up to four axes [D0, D1, D2, D3] after broadcasting; an axis of extent 1 is repeated
//   output   [D0, D1, D2, D3]  pack
//
//   output[i] = a[i] op b[i]
//
// Offsets are counted in packs. A repeated axis has stride 0. If the innermost axis of one operand is repeated
// but not the other's, both are read as scalars (PACK 1), unless the first is a single number.
//
// A maximum and a minimum with NaN are NaN.
//
// Cost: one read of each operand and one write an element, one operation.

// 0 add  1 subtract  2 multiply  3 divide  4 maximum  5 minimum
// 6 equal: 1 where a = b, else 0  7 greater share: 1 where a > b, 1/2 where a = b, else 0
override OP: u32 = 0;

// True if an operand is a single number: the first of its only pack.
override SINGLE_A: bool = false;
override SINGLE_B: bool = false;

struct Params {
  packs: u32,  // of output
  d1: u32, d2: u32, d3: u32,              // extents of output, the last in packs
  a0: u32, a1: u32, a2: u32, a3: u32,     // strides of a
  b0: u32, b1: u32, b2: u32, b3: u32,     // strides of b
}

@group(0) @binding(0) var<storage, read> a: array<pack>;
@group(0) @binding(1) var<storage, read> b: array<pack>;
@group(0) @binding(2) var<storage, read_write> output: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

fn apply(x: accum, y: accum) -> accum {
  switch (OP) {
    case 0u: { return x + y; }
    case 1u: { return x - y; }
    case 2u: { return x * y; }
    case 3u: { return x / y; }
    case 4u: { return select(select(max(x, y), y, is_nan(y)), x, is_nan(x)); }
    case 5u: { return select(select(min(x, y), y, is_nan(y)), x, is_nan(x)); }
    case 6u: { return select(accum(), accum(1.0), x == y); }
    default: { return select(select(accum(), accum(0.5), x == y), accum(1.0), x > y); }
  }
}

// Both operands have the shape of the output. One invocation per pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  output[i] = pack(apply(accum(a[i]), accum(b[i])));
}

// One invocation per pack of the output.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward_broadcast(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.packs) { return; }
  let i3 = i % params.d3;
  let i2 = (i / params.d3) % params.d2;
  let i1 = (i / params.d3 / params.d2) % params.d1;
  let i0 = i / params.d3 / params.d2 / params.d1;
  let at_a = i0 * params.a0 + i1 * params.a1 + i2 * params.a2 + i3 * params.a3;
  let at_b = i0 * params.b0 + i1 * params.b1 + i2 * params.b2 + i3 * params.b3;
  var x = accum(a[at_a]);
  var y = accum(b[at_b]);
  if (SINGLE_A) { x = accum(pack_lane(x, 0u)); }
  if (SINGLE_B) { y = accum(pack_lane(y, 0u)); }
  output[i] = pack(apply(x, y));
}
