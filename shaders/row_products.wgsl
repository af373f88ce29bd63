// row_products: lengths and angles of rows along C: L2 norm, normalisation to length one, cosine similarity.
//
//   a, b            [M, C]  pack
//   norm            [M]     elem   |a|
//   output          [M, C]  pack   a / max(|a|, eps)
//   cosine          [M]     elem   a.b / (max(|a|, eps) max(|b|, eps))
//   grad_rows       [M]     elem   gradients of norm and cosine
//   grad_output     [M, C]  pack   gradient of output
//   grad_a, grad_b  [M, C]  pack
//
//   d |a| / d a      = a / |a|, and 0 for a = 0
//   d output / d a   = (g - output (output.g)) / |a|;  g / eps if the norm is clamped
//   d cosine / d a   = b / (|a| |b|) - cosine a / |a|^2;  without the second term if |a| is clamped. Likewise for b.
//
// Cost: reads each row once or twice and writes what it is named for; 4 to 10 operations an element.
// Definitions: torch.linalg.vector_norm, torch.nn.functional.normalize and cosine_similarity over the last axis.

struct Params {
  rows: u32,   // M
  packs: u32,  // C / PACK
  eps: f32,
}

@group(0) @binding(0) var<storage, read> a: array<pack>;
@group(0) @binding(1) var<storage, read> b: array<pack>;
@group(0) @binding(2) var<storage, read> grad_rows: array<elem>;
@group(0) @binding(3) var<storage, read> grad_output: array<pack>;
@group(0) @binding(4) var<storage, read_write> rows_output: array<elem>;  // norm or cosine
@group(0) @binding(5) var<storage, read_write> output: array<pack>;
@group(0) @binding(6) var<storage, read_write> grad_a: array<pack>;
@group(0) @binding(7) var<storage, read_write> grad_b: array<pack>;
@group(1) @binding(0) var<uniform> params: Params;

// First pack of a lane in its row, and the row's end; nothing for a row beyond the last.
fn stretch_of(at: RowLane) -> vec2u {
  return vec2u(at.row * params.packs + at.lane, select(0u, (at.row + 1u) * params.packs, at.row < params.rows));
}

fn norm_of(stretch: vec2u, index: u32) -> f32 {
  var sum = 0.0;
  for (var i = stretch.x; i < stretch.y; i += LANES) {
    let x = accum(a[i]);
    sum += pack_sum(x * x);
  }
  return sqrt(row_sum(sum, index));
}

// LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn norm_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let norm = norm_of(stretch_of(at), index);
  if (at.row < params.rows && at.lane == 0u) { rows_output[at.row] = elem(norm); }
}

// LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn norm_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let stretch = stretch_of(at);
  let norm = norm_of(stretch, index);
  for (var i = stretch.x; i < stretch.y; i += LANES) {
    grad_a[i] = pack(select(accum(), f32(grad_rows[at.row]) / max(norm, 1.2e-38) * accum(a[i]), norm > 0.0));
  }
}

// LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let stretch = stretch_of(row_lane(group, groups, index));
  let norm = max(norm_of(stretch, index), params.eps);
  for (var i = stretch.x; i < stretch.y; i += LANES) { output[i] = pack(accum(a[i]) / norm); }
}

// LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn normalize_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let stretch = stretch_of(row_lane(group, groups, index));
  let norm = norm_of(stretch, index);
  let length = max(norm, params.eps);
  var sum = 0.0;
  for (var i = stretch.x; i < stretch.y; i += LANES) { sum += pack_sum(accum(grad_output[i]) * accum(a[i])); }
  let along = select(0.0, row_sum(sum, index) / length / length, norm > params.eps);
  for (var i = stretch.x; i < stretch.y; i += LANES) { grad_a[i] = pack((accum(grad_output[i]) - along * accum(a[i])) / length); }
}

struct Angle { norm_a: f32, norm_b: f32, cosine: f32 }

fn angle_of(stretch: vec2u, index: u32) -> Angle {
  var aa = 0.0;
  var bb = 0.0;
  var ab = 0.0;
  for (var i = stretch.x; i < stretch.y; i += LANES) {
    let x = accum(a[i]);
    let y = accum(b[i]);
    aa += pack_sum(x * x);
    bb += pack_sum(y * y);
    ab += pack_sum(x * y);
  }
  let norm_a = sqrt(row_sum(aa, index));
  let norm_b = sqrt(row_sum(bb, index));
  return Angle(norm_a, norm_b, row_sum(ab, index) / max(norm_a, params.eps) / max(norm_b, params.eps));
}

// LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn cosine_forward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let angle = angle_of(stretch_of(at), index);
  if (at.row < params.rows && at.lane == 0u) { rows_output[at.row] = elem(angle.cosine); }
}

// Both gradients. LANES invocations per row.
@compute @workgroup_size(WORKGROUP_SIZE)
fn cosine_backward(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) index: u32) {
  let at = row_lane(group, groups, index);
  let stretch = stretch_of(at);
  let angle = angle_of(stretch, index);
  let length_a = max(angle.norm_a, params.eps);
  let length_b = max(angle.norm_b, params.eps);
  let own_a = select(0.0, angle.cosine / length_a / length_a, angle.norm_a > params.eps);
  let own_b = select(0.0, angle.cosine / length_b / length_b, angle.norm_b > params.eps);
  for (var i = stretch.x; i < stretch.y; i += LANES) {
    let gradient = f32(grad_rows[at.row]);
    let x = accum(a[i]);
    let y = accum(b[i]);
    grad_a[i] = pack(gradient * (y / length_a / length_b - own_a * x));
    grad_b[i] = pack(gradient * (x / length_a / length_b - own_b * y));
  }
}
