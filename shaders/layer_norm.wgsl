// layer_norm: subtracts each row's mean along C and divides by its standard deviation.
//
//   input                    [M, C]     pack
//   affine                   [2, C]     f32    weight and bias
//   output                   [M, C]     pack   weight * h + bias,  h = (input - mean) * r,  r = 1 / sqrt(variance + eps)
//   grad_output, grad_input  [M, C]     pack   r * (g - mean of g - h * mean of g h),  g = grad_output * weight
//   partial                  [S, 2, C]  f32    of S slices of the rows: sums of grad_output * h and of grad_output
//
// The variance divides by C. Mean and variance are taken in two passes over the row, so a mean far larger than the
// deviation does no harm, and are computed again when needed instead of being stored.
// Cost: forward reads the row three times and writes it once, 8 operations an element; the gradient of the input reads two
// tensors twice more, those of weight and bias read every row once and its statistics.
// Definition: torch.nn.functional.layer_norm over the last axis.

// True if weight and bias apply. Otherwise affine is bound but never read.
override AFFINE: bool = true;

struct Params {
  rows: u32,      // M
  packs: u32,     // C / PACK
  eps: f32,
  per_slice: u32, // rows of a slice
  slices: u32,    // S
}

@group(0) @binding(0) var<storage, read> input: array<pack>;
@group(0) @binding(1) var<storage, read> affine: array<accum>;
@group(0) @binding(2) var<storage, read> grad_output: array<pack>;
@group(0) @binding(3) var<storage, read> statistics: array<vec2f>;        // [M] mean and r
@group(0) @binding(4) var<storage, read_write> output: array<pack>;
@group(0) @binding(5) var<storage, read_write> grad_input: array<pack>;
@group(0) @binding(6) var<storage, read_write> row_statistics: array<vec2f>;  // statistics
@group(0) @binding(7) var<storage, read_write> partial: array<accum>;
@group(1) @binding(0) var<uniform> params: Params;

// Mean and r of a row, known to all its lanes.
fn statistics_of(first: u32, end: u32, index: u32) -> vec2f {
  let count = f32(params.packs * PACK);
  var sum = 0.0;
  for (var i = first; i < end; i += LANES) { sum += pack_sum(accum(input[i])); }
  let mean = row_sum(sum, index) / count;
  var squares = 0.0;
  for (var i = first; i < end; i += LANES) {
    let deviation = accum(input[i]) - mean;
    squares += pack_sum(deviation * deviation);
  }
  return vec2f(mean, 1.0 / sqrt(row_sum(squares, index) / count + params.eps));
}

// LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let first = at.row * params.packs + at.lane;
  let end = select(0u, (at.row + 1u) * params.packs, at.row < params.rows);
  let row = statistics_of(first, end, index);
  var c = at.lane;
  for (var i = first; i < end; i += LANES) {
    var h = (accum(input[i]) - row.x) * row.y;
    if (AFFINE) { h = affine[c] * h + affine[params.packs + c]; }
    output[i] = pack(h);
    c += LANES;
  }
}

// LANES invocations per row. Keeps the row's statistics for backward_affine.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_input(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let in_range = at.row < params.rows;
  let first = at.row * params.packs + at.lane;
  let end = select(0u, (at.row + 1u) * params.packs, in_range);
  let row = statistics_of(first, end, index);
  var sum = 0.0;
  var along = 0.0;
  var c = at.lane;
  for (var i = first; i < end; i += LANES) {
    var g = accum(grad_output[i]);
    if (AFFINE) { g *= affine[c]; }
    sum += pack_sum(g);
    along += pack_sum(g * (accum(input[i]) - row.x) * row.y);
    c += LANES;
  }
  let count = f32(params.packs * PACK);
  sum = row_sum(sum, index) / count;
  along = row_sum(along, index) / count;
  c = at.lane;
  for (var i = first; i < end; i += LANES) {
    var g = accum(grad_output[i]);
    if (AFFINE) { g *= affine[c]; }
    grad_input[i] = pack(row.y * (g - sum - (accum(input[i]) - row.x) * row.y * along));
    c += LANES;
  }
  if (in_range && at.lane == 0u) { row_statistics[at.row] = row; }
}

// One invocation per (slice, pack): it walks the slice's rows in order; `reduce` adds the slices.
@compute @workgroup_size(WORKGROUP_SIZE)
fn backward_affine(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flat_index(id, groups);
  if (i >= params.slices * params.packs) { return; }
  let c = i % params.packs;
  let slice = i / params.packs;
  let end = min((slice + 1u) * params.per_slice, params.rows);
  var weight = accum();
  var bias = accum();
  for (var row = slice * params.per_slice; row < end; row++) {
    let g = accum(grad_output[row * params.packs + c]);
    weight += g * (accum(input[row * params.packs + c]) - statistics[row].x) * statistics[row].y;
    bias += g;
  }
  partial[2u * slice * params.packs + c] = weight;
  partial[(2u * slice + 1u) * params.packs + c] = bias;
}
