// reduce: sums, maxima or minima over the middle axis, in a fixed order.
//
//   input    [G, M, C]  pack
//   other    [G, M, C]  pack   second factor of sum_products
//   output   [G, S, C]  f32    S = ceil(M / rows) slices; the launcher repeats the kernel until S is 1
//   places   [G]        u32    of max_positions, whose input is [G, M]
//
//   output[g,s,c] = scale * (sum, maximum or minimum over the rows m of slice s of input[g,m,c])
//   places[g]     = g * M + the m of largest input[g,m], the lowest of several
//
// The slices depend on the shape alone, never on the device, so the same input gives the same bits everywhere
// that f32 addition does.
// Maxima and minima of anything with NaN are NaN.
// Cost: one read an element (two of sum_products), one operation (two), and the slices again.

// 0: sum. 1: maximum. 2: minimum.
override OP: u32 = 0;

struct Params {
  groups: u32,  // G
  extent: u32,  // M
  packs: u32,   // C / PACK
  rows: u32,    // of a slice
  slices: u32,  // S
  scale: f32,
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> other: array<pack>;
@group(0) @binding(2) var<storage, read_write> output: array<accum>;
@group(0) @binding(3) var<storage, read_write> places: array<u32>;
@group(1) @binding(0) var<uniform> params: Params;

// First element and end of the rows that an output pack sums, in packs of input.
fn rows_of(i: u32) -> vec2u {
  let c = i % params.packs;
  let slice = (i / params.packs) % params.slices;
  let g = i / params.packs / params.slices;
  let first = slice * params.rows;
  let end = min(first + params.rows, params.extent);
  let base = g * params.extent * params.packs + c;
  return base + vec2u(first, end) * params.packs;
}

// One invocation per output pack: it walks the rows of its slice in order.
@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.slices * params.packs) { return; }
  let rows = rows_of(i);
  var total = accum(input[rows.x]);
  for (var at = rows.x + params.packs; at < rows.y; at += params.packs) {
    let value = accum(input[at]);
    switch (OP) {
      case 0u: { total += value; }
      case 1u: { total = select(select(max(total, value), value, is_nan(value)), total, is_nan(total)); }
      default: { total = select(select(min(total, value), value, is_nan(value)), total, is_nan(total)); }
    }
  }
  output[i] = params.scale * total;
}

// The same over input * other, without storing the product. One invocation per output pack.
@compute @workgroup_size(WORKGROUP_SIZE)
fn sum_products(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.groups * params.slices * params.packs) { return; }
  let rows = rows_of(i);
  var total = accum();
  for (var at = rows.x; at < rows.y; at += params.packs) { total += accum(input[at]) * accum(other[at]); }
  output[i] = params.scale * total;
}

// One invocation per group, for a few groups of a few thousand elements: it walks them in order. NaN is passed over.
@compute @workgroup_size(WORKGROUP_SIZE)
fn max_positions(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let g = flat_index(id, groups);
  if (g >= params.groups) { return; }
  let first = g * params.extent;
  var place = first;
  for (var at = first + 1u; at < first + params.extent; at++) {
    if (pack_sum(accum(input[at])) > pack_sum(accum(input[place]))) { place = at; }
  }
  places[g] = place;
}
